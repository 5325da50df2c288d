"""Components of a pack with their weights: small ones in memory, large ones left on disk until they are used.

Called by `load_pack`. A large transformer brings block after block as their turn comes. A large UMT5 is mapped as it is stored, and the
system reads its pages when they are touched. Codecs and encoders of sound are small, and hold tables besides weights: they are always
in memory.
"""

from pathlib import Path
from typing import Final

import torch
from torch import nn

from engine.component_kinds import build_component, component_config
from engine.encoders.umt5 import Umt5Config
from engine.model.streamed import transformer_on_disk
from engine.model_config import DitConfig
from engine.packs import ComponentEntry, load_weights, map_weights
from engine.precision import has_fast_bfloat16

LARGEST_IN_MEMORY_BYTES: Final = 4 * 2**30


def filled_component(
    folder: Path, entry: ComponentEntry, largest_in_memory_bytes: int = LARGEST_IN_MEMORY_BYTES
) -> nn.Module:
    """The network of an entry, filled and frozen; `BadPackError` for whatever does not fit.

    One in memory is float32 and its file's hash was checked. The hash of one on disk is not, since that would read it whole:
    `lpm models verify` does. It computes in bfloat16 where that is fast and it is stored so. What is stored as int8 is always in memory.
    """
    path, where = folder / entry.file, str(folder)
    config = component_config(entry, where)
    is_small = not path.is_file() or path.stat().st_size <= largest_in_memory_bytes
    if is_small or entry.dtype == "int8" or not isinstance(config, DitConfig | Umt5Config):
        network = build_component(entry, where)
        load_weights(folder, entry, network)
        return network.eval().requires_grad_(False)
    if isinstance(config, DitConfig):
        is_fast = has_fast_bfloat16(torch.device("cpu"))
        return transformer_on_disk(config, path, None if is_fast else torch.float32)
    with torch.device("meta"):
        network = build_component(entry, where)
    map_weights(folder, entry, network)
    return network.eval().requires_grad_(False)
