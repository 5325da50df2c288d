"""Where the tokenizer of a public UMT5 lies: the one file besides weights that goes into a pack, held by its hash in the config."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from engine.encoders.umt5 import Umt5Config
from engine.encoders.umt5_tokenizer import TOKENIZER_NAME
from engine.errors import BadInputError
from engine.packs import file_sha256

_PLACES: Final = (".", "tokenizer", "../tokenizer", "google/umt5-xxl")
"""Seen from the weights: the folder of a model alone, diffusers' layout from both its folders, the official layout."""


def with_tokenizer(config: Umt5Config, weights: Path) -> tuple[Umt5Config, dict[str, Path]]:
    """The config with the tokenizer's hash, and the file under the name that a pack gives it.

    `BadInputError` where there is none near the weights.
    """
    for place in _PLACES:
        path = weights.parent / place / TOKENIZER_NAME
        if path.is_file():
            return replace(config, tokenizer_sha256=file_sha256(path)), {TOKENIZER_NAME: path}
    raise BadInputError(
        f"{weights} has no {TOKENIZER_NAME} near it; put that of google/umt5-xxl beside it, the words are read with it"
    )
