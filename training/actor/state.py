"""The state of the procedural actor: the border between what it does and how it is drawn.

The performance side (`speaking`, `listening`, `idle`, `directions`) writes these channels, the drawing side reads them, the
benchmark measures them. Nothing here knows how a channel is drawn or why it moves.

A performance is `state_TK`, float32 [T frames at 24 fps, K channels]. Angles are radians, everything else is a plain ratio.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

EXPRESSIONS: Final = (
    "neutral",
    "happy",
    "sad",
    "angry",
    "surprised",
    "afraid",
    "disgusted",
    "contemptuous",
)
VIEWS: Final = ("front", "left", "right", "rear")

POSE_CHANNELS: Final = (
    "yaw",  # radians, positive: the character turns to its own left (the nose moves to the picture's right); films stay within 0.5
    "pitch",  # radians, positive: looks up
    "roll",  # radians, positive: the crown tilts to the picture's right
    "lean",  # -1..1, positive: towards the viewer, so the head grows (about 6 % at 1)
    "sway",  # -1..1, sideways shift of head and torso, about 4 % of the picture at 1
    "breath",  # 0..1, chest and shoulders rise
    "shoulders",  # -1..1, positive: shrugged up
)
EYE_CHANNELS: Final = (
    "gaze_x",  # -1..1, positive: towards the picture's right; 0,0 looks at the viewer
    "gaze_y",  # -1..1, positive: up
    "blink",  # 0 open as the expression has it .. 1 closed, both eyes
    "squint",  # 0..1, lower lids raised (Duchenne smile, effort)
)
BROW_CHANNELS: Final = (
    "brow_left",  # -1 lowered .. 1 raised, on top of the expression; left is the picture's left
    "brow_right",
)
MOUTH_CHANNELS: Final = (
    "mouth_open",  # 0 closed lips .. 1 as wide as this character speaks: the articulation, not the expression
    "mouth_width",  # -1 pursed (oo) .. 0 rest .. 1 spread (ee)
    "mouth_round",  # 0..1, lips pushed forward and round (oo, w)
    "lip_press",  # 0..1, lips pressed (p b m), 1 also with mouth_open 0
    "teeth",  # 0..1, upper teeth on lower lip or shown (f v s)
    "smile",  # -1..1, momentary smile on top of the expression (listening, laughter)
)
EXPRESSION_CHANNELS: Final = tuple(
    f"expression_{name}" for name in EXPRESSIONS
)  # each 0..1, sum <= 1; the rest is neutral

STATE_CHANNELS: Final = POSE_CHANNELS + EYE_CHANNELS + BROW_CHANNELS + MOUTH_CHANNELS + EXPRESSION_CHANNELS
NUM_CHANNELS: Final = len(STATE_CHANNELS)

_INDEX: Final = {name: index for index, name in enumerate(STATE_CHANNELS)}


def channel(name: str) -> int:
    """The column of a state channel; `KeyError` for a name that is not one."""
    return _INDEX[name]


def resting_state(num_frames: int) -> NDArray[np.float32]:
    """A neutral character at rest, [num_frames, NUM_CHANNELS]: every channel zero but `expression_neutral`."""
    state_TK = np.zeros((num_frames, NUM_CHANNELS), dtype=np.float32)
    state_TK[:, channel("expression_neutral")] = 1.0
    return state_TK
