"""What each speech sound does to the lips: the visible classes and their targets.

`speaking` blends these targets in time. The numbers are articulation only (state.py's mouth channels), not expression.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.phonemes import REST


@dataclass(frozen=True, kw_only=True, slots=True)
class Viseme:
    """A visible class of sounds: where the mouth wants to be, how strongly (`dominance`) and how far it reaches in time."""

    name: str
    sounds: tuple[str, ...]
    opening: float
    width: float
    rounding: float = 0.0
    press: float = 0.0
    teeth: float = 0.0
    dominance: float = 1.0
    reach_ms: float = 45.0


VISEMES: Final = (
    Viseme(name="rest", sounds=(REST,), opening=0.0, width=0.0, dominance=1.0, reach_ms=40.0),
    Viseme(name="closed", sounds=("p", "b", "m"), opening=0.0, width=0.0, press=1.0, dominance=4.0, reach_ms=24.0),
    Viseme(name="lip_teeth", sounds=("f", "v"), opening=0.06, width=0.1, teeth=1.0, dominance=3.0, reach_ms=26.0),
    Viseme(name="tongue", sounds=("θ", "ð"), opening=0.22, width=0.1, teeth=0.5, dominance=1.2, reach_ms=32.0),
    Viseme(
        name="ridge", sounds=("t", "d", "n", "l"), opening=0.22, width=0.12, teeth=0.15, dominance=0.7, reach_ms=30.0
    ),
    Viseme(name="hiss", sounds=("s", "z"), opening=0.1, width=0.4, teeth=0.8, dominance=1.4, reach_ms=32.0),
    Viseme(
        name="hush",
        sounds=("ʃ", "ʒ", "tʃ", "dʒ"),
        opening=0.16,
        width=-0.35,
        rounding=0.6,
        teeth=0.6,
        dominance=1.8,
        reach_ms=38.0,
    ),
    Viseme(name="back", sounds=("k", "ɡ", "ŋ", "h", "x"), opening=0.3, width=0.05, dominance=0.4, reach_ms=30.0),
    Viseme(name="rhotic", sounds=("r", "ɜ"), opening=0.34, width=-0.25, rounding=0.4, dominance=0.9),
    Viseme(name="ah", sounds=("a", "ɑ"), opening=1.0, width=0.0, dominance=1.3, reach_ms=55.0),
    Viseme(name="ae", sounds=("æ",), opening=0.9, width=0.45, dominance=1.2, reach_ms=55.0),
    Viseme(name="uh", sounds=("ə", "ʌ"), opening=0.56, width=0.05, dominance=1.0),
    Viseme(name="eh", sounds=("ɛ", "e", "ø"), opening=0.66, width=0.45, dominance=1.1, reach_ms=50.0),
    Viseme(name="ih", sounds=("ɪ",), opening=0.46, width=0.45),
    Viseme(name="ee", sounds=("i", "j"), opening=0.32, width=0.9, dominance=1.2, reach_ms=50.0),
    Viseme(name="oh", sounds=("ɔ", "o"), opening=0.75, width=-0.45, rounding=0.65, dominance=1.3, reach_ms=55.0),
    Viseme(
        name="oo", sounds=("u", "ʊ", "w", "y"), opening=0.24, width=-0.9, rounding=1.0, dominance=1.6, reach_ms=55.0
    ),
)
VISEME_NAMES: Final = tuple(viseme.name for viseme in VISEMES)
REST_VISEME: Final = VISEME_NAMES.index("rest")
CLOSED_VISEME: Final = VISEME_NAMES.index("closed")

_VISEME_OF_SOUND: Final = {sound: index for index, viseme in enumerate(VISEMES) for sound in viseme.sounds}


def viseme_of(sound: str) -> int:
    """The index in VISEMES of a sound; `KeyError` for a sound that is not in the alphabet."""
    return _VISEME_OF_SOUND[sound]


def viseme_targets() -> NDArray[np.float32]:
    """Targets of all visemes, [len(VISEMES), 5]: opening, width, rounding, press, teeth."""
    rows = [(v.opening, v.width, v.rounding, v.press, v.teeth) for v in VISEMES]
    return np.asarray(rows, dtype=np.float32)
