"""Components of a pack with their weights: small ones in memory, large ones left on disk until they are used.

Called by `load_pack`. A large transformer brings block after block as their turn comes. A large UMT5 is mapped as it is stored, and the
system reads its pages when they are touched. Codecs and encoders of sound are small, and hold tables besides weights: they are always
in memory.

On a graphics card nothing is read piece by piece that the card can hold: what is large is laid there as it is stored. What it cannot hold
comes to it block by block, or stays in the computer's memory (a UMT5, which is asked once for each direction).
"""

from pathlib import Path
from typing import Final

import torch
from torch import nn

from engine.component_kinds import build_component, component_config
from engine.devices import holds
from engine.encoders.umt5 import Umt5Config
from engine.model.streamed import transformer_as_stored, transformer_on_disk
from engine.model_config import DitConfig
from engine.packs import ComponentEntry, load_weights, map_weights
from engine.precision import has_fast_bfloat16

LARGEST_IN_MEMORY_BYTES: Final = 4 * 2**30


def filled_component(
    folder: Path,
    entry: ComponentEntry,
    largest_in_memory_bytes: int = LARGEST_IN_MEMORY_BYTES,
    device: torch.device | None = None,
) -> nn.Module:
    """The network of an entry on a device (None is the processor), filled and frozen; `BadPackError` for whatever does not fit.

    One in memory is float32 and its file's hash was checked. The hash of one on disk is not, since that would read it whole:
    `lpm models verify` does. It computes in bfloat16 where that is fast and it is stored so. What is stored as int8 is always in memory.
    """
    path, where = folder / entry.file, str(folder)
    device = device or torch.device("cpu")
    config = component_config(entry, where)
    is_small = not path.is_file() or path.stat().st_size <= largest_in_memory_bytes
    if is_small or entry.dtype == "int8" or not isinstance(config, DitConfig | Umt5Config):
        network = build_component(entry, where)
        load_weights(folder, entry, network)
        return network.eval().requires_grad_(False).to(device)
    is_held = holds(device, path.stat().st_size)
    if isinstance(config, DitConfig):
        read_transformer = transformer_as_stored if is_held else transformer_on_disk
        return read_transformer(config, path, None if has_fast_bfloat16(device) else torch.float32, device)
    with torch.device("meta"):
        network = build_component(entry, where)
    map_weights(folder, entry, network)
    network = network.eval().requires_grad_(False)
    return network.to(device) if is_held else network
