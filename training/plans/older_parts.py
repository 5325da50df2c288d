"""Parts from older packs, whose networks were told less: how a plan goes on with them.

Up to lpm-tiny 0.4.0 the base model was told no motion, up to 0.5.0 it was shown no anchor in pose, up to 0.9.0 the retouching network
was not told what a frame is to show, and up to 0.13.0 what paints was not told feelings. They get the layers that they lack, which say
nothing yet, so that they draw as they did and can learn what they mean. A motion model, a pose flow or a network that retouches (up to
0.6.0 there was none) nobody can lend; plans that train one begin it from nothing, the others say what to do.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.errors import BadInputError
from engine.int8_weights import unpacked
from engine.model.transformer import Transformer
from engine.packs import save_weights
from engine.posing.paint import Paint
from engine.posing.retouch import Retouch
from training.recipes import parts

logger = logging.getLogger(__name__)

NETWORKS: Final[dict[str, Callable[[], nn.Module]]] = {
    parts.BASE_FILE: lambda: Transformer(parts.BASE),
    parts.PAINT_FILE: lambda: Paint(parts.PAINT),
    parts.RETOUCH_FILE: lambda: Retouch(parts.RETOUCH),
}
# The layers that older packs may lack, by the beginning of their names.
NEW_LAYERS: Final = {
    parts.BASE_FILE: ("motion_embedding.", "posed_embedding."),
    parts.PAINT_FILE: ("drag.",),
    parts.RETOUCH_FILE: ("hear.", "tell.", "blocks.3."),
}

# Those of which older packs may have a part: what they are told and say more of comes behind what they knew.
GROWN_LAYERS: Final = {parts.PAINT_FILE: ("hear.", "drag.")}


def with_new_layers(folder: Path) -> None:
    """Gives the networks of a folder of parts, where they lie there without some, the layers that they lack."""
    for file_name in NETWORKS:
        path = folder / file_name
        if path.is_file() and (missing := missing_layers(path)):
            network = NETWORKS[file_name]()
            whole, known = network.state_dict(), unpacked(load_file(path))
            network.load_state_dict(whole | {name: _grown(tensor, whole[name]) for name, tensor in known.items()})
            save_weights(path, network)
            logger.info("%s is of an older pack: its %s says nothing at first", file_name, " and ".join(missing))


def missing_layers(path: Path) -> list[str]:
    """The new layers that the weights of a network lack; `BadInputError` for what are no weights of it."""
    try:
        known = unpacked(load_file(path))
    except (OSError, SafetensorError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read as weights ({error}); fetch the pack again") from error
    whole = NETWORKS[path.name]().state_dict()
    missing, new = whole.keys() - known.keys(), NEW_LAYERS[path.name]
    if lost := sorted(name for name in missing if not name.startswith(new)):
        raise BadInputError(f"{path} lacks {lost[0]}; fetch the pack again")
    grown = GROWN_LAYERS.get(path.name, ())
    missing |= {
        name for name in whole.keys() & known.keys() if name.startswith(grown) and _is_part(known[name], whole[name])
    }
    return [
        layer.rstrip(".") for layer in dict.fromkeys((*new, *grown)) if any(name.startswith(layer) for name in missing)
    ]


def _is_part(known: Tensor, whole: Tensor) -> bool:
    """Whether a tensor is smaller than it is by now, and nowhere larger."""
    sizes = list(zip(known.shape, whole.shape, strict=False))
    return known.dim() == whole.dim() and known.shape != whole.shape and all(had <= has for had, has in sizes)


def _grown(known: Tensor, whole: Tensor) -> Tensor:
    """A tensor as large as it is by now, zeros behind what was known."""
    if not _is_part(known, whole):
        return known
    grown = torch.zeros_like(whole)
    grown[tuple(slice(0, size) for size in known.shape)] = known.to(whole)
    return grown
