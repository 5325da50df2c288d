"""Parts from older packs, whose base model was told less of how its character moves: how a plan goes on with them.

Up to lpm-tiny 0.4.0 it was told no motion, up to 0.5.0 it was shown no anchor in pose. It gets the embeddings that it lacks, which add
nothing yet, so that it draws as it did and can learn what they mean. A motion model, a pose flow or a network that retouches (up to
0.6.0 there was none) it cannot lend; plans that train one begin it from nothing, the others say what to do.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from engine.errors import BadInputError
from engine.model.transformer import Transformer
from engine.packs import fill_from_file, save_weights
from training.recipes import parts

logger = logging.getLogger(__name__)

# What a config says of a base model without each embedding.
WITHOUT: Final[dict[str, dict[str, Any]]] = {
    "motion_embedding": {"motion_dim": 0},
    "posed_embedding": {"is_shown_posed_anchor": False},
}


def with_embeddings(folder: Path) -> None:
    """Gives the base model of a folder of parts, where it lies there without some, its embeddings of motion and of a posed anchor."""
    path = folder / parts.BASE_FILE
    if not path.is_file() or not (missing := missing_embeddings(path)):
        return
    told_less = {name: setting for embedding in missing for name, setting in WITHOUT[embedding].items()}
    older, base = Transformer(replace(parts.BASE, **told_less)), Transformer(parts.BASE)
    fill_from_file(path, older)
    base.load_state_dict({**base.state_dict(), **older.state_dict()})
    save_weights(path, base)
    logger.info("%s is of an older pack: its %s begins from nothing", parts.BASE_FILE, " and ".join(missing))


def missing_embeddings(path: Path) -> list[str]:
    """The embeddings that the weights of a base model lack; `BadInputError` for what are no weights."""
    try:
        with safe_open(path, framework="pt") as weights:
            tops = {name.split(".")[0] for name in weights.keys()}  # noqa: SIM118 (a file is no mapping)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} cannot be read as weights ({error}); fetch the pack again") from error
    return [embedding for embedding in WITHOUT if embedding not in tops]
