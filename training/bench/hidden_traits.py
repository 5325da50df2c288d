"""The traits of the actor that its global picture hides: teeth and dimples. Twins that differ in these and in nothing else.

Called by `trait_reader_training` and `reference_ablation`. A face at rest keeps its lips together and its cheeks smooth, so that two
such twins have the same global picture to the last pixel; a smile tells them apart. Knows no model.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from training.actor.identity import Identity, sample_identity

HIDDEN_TRAITS: Final = ("tooth_gap", "tooth_length", "tooth_scallop", "dimples")
Levels = tuple[bool, ...]  # one a trait: whether it is there, or is much

_LOW: Final = {
    "tooth_gap": (0.0, 0.0),
    "tooth_length": (0.7, 0.85),
    "tooth_scallop": (0.0, 0.25),
    "dimples": (0.0, 0.0),
}
_HIGH: Final = {
    "tooth_gap": (0.5, 1.0),
    "tooth_length": (1.1, 1.25),
    "tooth_scallop": (0.75, 1.0),
    "dimples": (0.5, 1.0),
}


def face_with(seed: int, levels: Levels) -> Identity:
    """The character of a seed with these hidden traits and no beard, which would cover them.

    The values lie within what the actor's own characters have; how far is the seed's choice too.
    """
    random = np.random.default_rng((seed, 0x41D))
    shares = random.uniform(size=len(HIDDEN_TRAITS))
    traits = {}
    for name, is_high, share in zip(HIDDEN_TRAITS, levels, shares, strict=True):
        low, high = _HIGH[name] if is_high else _LOW[name]
        traits[name] = low + (high - low) * float(share)
    return replace(sample_identity(seed), beard="none", **traits)  # type: ignore[arg-type]


def levels_of_face(face: int) -> Levels:
    """The levels of the first of a face's twins; those of the second are the opposite ones.

    Over each eight faces every combination of the four traits occurs once among their sixteen twins.
    """
    return (False, *(bool(face % 8 >> bit & 1) for bit in range(len(HIDDEN_TRAITS) - 1)))


def opposite(levels: Levels) -> Levels:
    """Every trait the other way."""
    return tuple(not is_high for is_high in levels)
