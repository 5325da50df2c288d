"""An actor's identity as a character with all of its references, as a creator would hand one over. Called wherever films are made."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.characters import Character, Reference, ReferenceKind
from training.actor.identity import Identity
from training.actor.references import draw_references


def character_of(identity: Identity, size_px: int) -> Character:
    """The character whose references are drawn of this identity."""
    drawn = draw_references(identity, size_px)
    return Character(
        name=f"actor {identity.seed}",
        description="an actor that was drawn by lot",
        references=tuple(_reference(name, picture_HWC) for name, picture_HWC in drawn.items()),
    )


def _reference(name: str, picture_HWC: NDArray[np.uint8]) -> Reference:
    kind, _, subtype = name.partition("_")
    return Reference(kind=ReferenceKind(kind), subtype=subtype, picture_HWC=picture_HWC, path=Path(f"{name}.png"))
