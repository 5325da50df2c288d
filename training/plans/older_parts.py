"""Parts from before motion was planned (lpm-tiny 0.4.0 and older): how a plan goes on with them.

A base model of that time is told no motion. It gets an embedding of motion that adds nothing yet, so that it draws as it did and can learn
what motion means. A motion model it cannot lend; plans that train one begin it from nothing, the others say what to do.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from engine.errors import BadInputError
from engine.model.transformer import Transformer
from engine.packs import fill_from_file, save_weights
from training.recipes import parts

logger = logging.getLogger(__name__)

EMBEDDING: Final = "motion_embedding."


def with_motion_embedding(folder: Path) -> None:
    """Gives the base model of a folder of parts, where it lies there without one, an embedding of motion."""
    path = folder / parts.BASE_FILE
    if not path.is_file() or is_told_motion(path):
        return
    older, base = Transformer(replace(parts.BASE, motion_dim=0)), Transformer(parts.BASE)
    fill_from_file(path, older)
    base.load_state_dict({**base.state_dict(), **older.state_dict()})
    save_weights(path, base)
    logger.info("%s is from before motion was planned: its embedding of motion begins from nothing", parts.BASE_FILE)


def is_told_motion(path: Path) -> bool:
    """Whether the weights of a base model have an embedding of motion; `BadInputError` for what are no weights."""
    try:
        with safe_open(path, framework="pt") as weights:
            return any(name.startswith(EMBEDDING) for name in weights.keys())  # noqa: SIM118 (a file is no mapping)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} cannot be read as weights ({error}); fetch the pack again") from error
