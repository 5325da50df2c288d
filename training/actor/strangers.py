"""Characters as other hands than the actor's would draw them: traits beyond its own, colours from anywhere, flat areas, other eyes.

What moves and paints portraits learns from them beside the actor's own, since a creator's portrait is by neither. Called by the samples
in `training.data`. Nobody measures identities with them.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from training.actor.drawing.manner import Manner
from training.actor.drawing.palette import INK, Colour, blend
from training.actor.identity import Identity, sample_identity

FLAT_SHARE: Final = 0.45  # have no shading at all
RECOLOURED_SHARE: Final = 0.5  # each colour by itself
FACTORS: Final = {  # on the traits of a character of the actor's
    "head_width": (0.84, 1.14),
    "jaw_width": (0.85, 1.25),
    "chin_width": (0.8, 1.6),
    "head_height": (0.78, 1.12),
    "body_width": (0.85, 1.15),
    "neck_width": (0.7, 1.15),
    "nose_size": (0.35, 1.15),
    "ear_size": (0.6, 1.2),
    "blush": (0.0, 1.0),
}
RANGES: Final = {  # in place of them
    "eye_size": (0.42, 1.2),
    "eye_spacing": (0.8, 1.2),
    "eye_tilt": (-1.0, 1.4),
    "lashes": (0.0, 1.0),
    "brow_thickness": (0.3, 1.7),
    "lip_fullness": (0.08, 1.3),
    "mouth_width": (0.55, 1.2),
    "hair_volume": (0.0, 1.0),
}
RECOLOURED: Final = (
    "skin",
    "hair",
    "eye_colour",
    "brow",
    "lip",
    "beard_colour",
    "frame",
    "hat_colour",
    "cloth",
    "accent",
)


def sample_stranger(seed: int) -> Identity:
    """The stranger of a seed: the same each time."""
    rng = np.random.default_rng((seed, 0x57A6))
    drawn = sample_identity(seed)
    traits: dict[str, float] = {name: getattr(drawn, name) * rng.uniform(*range_) for name, range_ in FACTORS.items()}
    traits |= {name: float(rng.uniform(*range_)) for name, range_ in RANGES.items()}
    colours = {name: random_colour(rng) for name in RECOLOURED if rng.random() < RECOLOURED_SHARE}
    if rng.random() < 0.3:
        colours["brow"] = colours.get("hair", drawn.hair)
    if rng.random() < 0.3:  # lips of the skin's own colour: only a line tells the mouth
        colours["lip"] = blend(colours.get("skin", drawn.skin), INK, float(rng.uniform(0.05, 0.3)))
    plain = replace(drawn, **traits, **colours, manner=random_manner(rng))  # type: ignore[arg-type]
    return replace(plain, glasses="none" if rng.random() < 0.5 else plain.glasses)


def random_manner(rng: np.random.Generator) -> Manner:
    """A manner of drawing by lot."""
    return Manner(
        shading=0.0 if rng.random() < FLAT_SHARE else float(rng.uniform(0.3, 1.2)),
        eye_height=float(rng.uniform(0.75, 1.4)),
        iris_size=float(rng.uniform(0.5, 1.2)),
        lash_width=float(rng.choice((0.0, rng.uniform(0.1, 1.4)))),
        brow_length=float(rng.uniform(0.6, 1.15)),
        brow_rise=float(rng.uniform(-0.06, 0.16)),
        mouth_rise=float(rng.uniform(-0.1, 0.08)),
    )


def random_colour(rng: np.random.Generator) -> Colour:
    """Any colour, dull ones more often than glaring ones."""
    level = rng.uniform(20.0, 250.0)
    red, green, blue = np.clip(level + rng.normal(0.0, 45.0, 3), 0.0, 255.0).round().astype(int).tolist()
    return red, green, blue
