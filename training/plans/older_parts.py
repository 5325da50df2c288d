"""Parts from older packs, whose networks were told less: how a plan goes on with them.

Up to lpm-tiny 0.4.0 the base model was told no motion, up to 0.5.0 it was shown no anchor in pose, up to 0.9.0 the retouching network
was not told what a frame is to show, up to 0.13.0 what paints was not told feelings, and up to 0.17.0 latents had no fine channels. They
get the layers that they lack, which say nothing yet, so that they draw as they did and can learn what they mean. A motion model, a
pose flow or a network that retouches (up to 0.6.0 there was none) nobody can lend; plans that train one begin it from nothing, the
others say what to do.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from engine.errors import BadInputError
from engine.int8_weights import unpacked
from engine.model.transformer import Transformer
from engine.packs import save_weights
from engine.posing.paint import Paint
from engine.posing.retouch import Retouch
from training.grown_weights import fill_grown, is_part
from training.recipes import parts
from training.recipes.fine_codec import with_fine_channels

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
GROWN_LAYERS: Final = {
    parts.BASE_FILE: ("patch_embedding.", "posed_embedding.", "head."),
    parts.PAINT_FILE: ("hear.", "drag."),
}


def with_new_layers(folder: Path) -> None:
    """Gives the networks of a folder of parts, where they lie there without some, the layers and the fine channels that they lack."""
    if with_fine_channels(folder):
        logger.info(
            "%s is of an older pack: it has fine channels now, of which its decoder was not taught", parts.CODEC_FILE
        )
    for file_name in NETWORKS:
        path = folder / file_name
        if path.is_file() and (missing := missing_layers(path)):
            network = NETWORKS[file_name]()
            fill_grown(path, network)
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
        name for name in whole.keys() & known.keys() if name.startswith(grown) and is_part(known[name], whole[name])
    }
    return [
        layer.rstrip(".") for layer in dict.fromkeys((*new, *grown)) if any(name.startswith(layer) for name in missing)
    ]
