"""What a face does when somebody feels something, in channels that a portrait can be moved and painted by without a picture of it.

The actor draws its expressions by themselves; where a character brings no picture of one, a small pack makes do with brows, cheeks and
corners of the mouth (action units 1, 2, 4, 6, 9, 12 and 15 of Ekman and Friesen 1978). Called by the recipes, for the settings of packs.
"""

from typing import Final

from engine.characters import EXPRESSIONS
from training.actor.state import NUM_CHANNELS, channel
from training.data.motion_rows import MEAN_AND_SPREAD

FACES: Final[dict[str, dict[str, float]]] = {
    "happy": {"smile": 0.9, "squint": 0.35, "brow_left": 0.15, "brow_right": 0.15},
    "sad": {"smile": -0.3, "squint": 0.3, "brow_left": 0.25, "brow_right": 0.25, "gaze_y": -0.35},
    "angry": {"smile": -0.3, "squint": 0.5, "brow_left": -0.6, "brow_right": -0.6},
    "surprised": {"brow_left": 0.6, "brow_right": 0.6},
    "afraid": {"smile": -0.3, "brow_left": 0.5, "brow_right": 0.5},
    "disgusted": {"smile": -0.3, "squint": 0.6, "brow_left": -0.4, "brow_right": -0.25},
    "contemptuous": {"smile": 0.25, "squint": 0.2, "brow_left": -0.35, "brow_right": 0.5},
}
"""State channels of each feeling at its full strength; the actor rests at zero. Brows that go further drag glasses and hair along."""


def feeling_faces() -> tuple[float, ...]:
    """The same for each of a frame's numbers, in spreads from rest, feeling after feeling in the order of `EXPRESSIONS`."""
    numbers = [0.0] * (len(EXPRESSIONS) * NUM_CHANNELS)
    for name, face in FACES.items():
        for moved, state in face.items():
            place = EXPRESSIONS.index(name) * NUM_CHANNELS + channel(moved)
            numbers[place] = round(state / MEAN_AND_SPREAD[moved][1], 4)
    return tuple(numbers)
