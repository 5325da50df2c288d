"""From state channels to the muscles of the face: eight expressions, their blends, and the articulation on top.

Called once a frame by the drawing and by the key points. Knows nothing of pixels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.state import EXPRESSIONS, STATE_CHANNELS

_MUSCLES: Final = (
    "brow_inner",  # head units, up
    "brow_outer",
    "brow_arch",
    "brow_skew",  # up on the picture's right, down on the left
    "lid_upper",  # 1 normally open
    "lid_lower",  # raised
    "lid_skew",
    "corner",  # mouth corners up
    "corner_skew",  # the picture's right corner up and out
    "width",
    "gape",  # opening that belongs to the expression
    "upper_raise",  # upper lip drawn up, teeth bared
    "press",
    "pout",
    "cheek",
    "nose_wrinkle",
    "pupil",
)
_FACES: Final[dict[str, dict[str, float]]] = {
    "neutral": {"corner": 0.035},
    "happy": {
        "brow_inner": 0.04,
        "brow_outer": 0.05,
        "brow_arch": 0.05,
        "lid_upper": -0.02,
        "lid_lower": 0.42,
        "corner": 0.17,
        "width": 0.26,
        "upper_raise": 0.02,
        "cheek": 1,
        "pupil": 0.05,
    },
    "sad": {
        "brow_inner": 0.19,
        "brow_outer": -0.11,
        "brow_arch": -0.02,
        "lid_upper": -0.27,
        "lid_lower": 0.05,
        "corner": -0.15,
        "width": -0.1,
        "pout": 0.35,
        "pupil": 0.05,
    },
    "angry": {
        "brow_inner": -0.2,
        "brow_outer": 0.1,
        "brow_arch": -0.01,
        "lid_upper": -0.14,
        "lid_lower": 0.28,
        "corner": -0.09,
        "width": -0.1,
        "press": 0.9,
        "nose_wrinkle": 0.25,
        "pupil": -0.12,
    },
    "surprised": {
        "brow_inner": 0.21,
        "brow_outer": 0.19,
        "brow_arch": 0.08,
        "lid_upper": 0.26,
        "lid_lower": -0.1,
        "width": -0.3,
        "gape": 0.34,
        "pupil": -0.16,
    },
    "afraid": {
        "brow_inner": 0.22,
        "brow_arch": -0.03,
        "lid_upper": 0.2,
        "lid_lower": 0.06,
        "corner": -0.11,
        "width": 0.22,
        "gape": 0.16,
        "pupil": -0.26,
    },
    "disgusted": {
        "brow_inner": -0.12,
        "brow_outer": -0.02,
        "brow_skew": 0.06,
        "lid_upper": -0.26,
        "lid_lower": 0.45,
        "corner": -0.11,
        "corner_skew": 0.04,
        "width": -0.02,
        "gape": 0.06,
        "upper_raise": 0.13,
        "pout": 0.15,
        "cheek": 0.1,
        "nose_wrinkle": 1,
        "pupil": -0.05,
    },
    "contemptuous": {
        "brow_inner": -0.01,
        "brow_outer": 0.02,
        "brow_arch": 0.01,
        "brow_skew": 0.14,
        "lid_upper": -0.26,
        "lid_lower": 0.08,
        "lid_skew": 0.22,
        "corner": 0.01,
        "corner_skew": 0.17,
        "width": 0.02,
        "press": 0.3,
        "cheek": 0.15,
    },
}
_FACES_EM: Final = np.array(
    [[face.get(muscle, 0.0) for muscle in _MUSCLES] for face in (_FACES[name] for name in EXPRESSIONS)],
    dtype=np.float32,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """One frame of acting, resolved: what each part of the drawing needs, in head units and plain ratios."""

    yaw: float
    pitch: float
    roll: float
    lean: float
    sway: float
    breath: float
    shoulders: float
    gaze_x: float
    gaze_y: float
    open_left: float  # upper lid, 0 closed .. about 1.3 wide
    open_right: float
    lower_lid: float
    pupil: float
    brow_inner_left: float
    brow_outer_left: float
    brow_inner_right: float
    brow_outer_right: float
    brow_arch: float
    corner_left: float
    corner_right: float
    mouth_width: float  # factor on the resting width
    mouth_open: float  # head units between the lips
    mouth_round: float
    upper_raise: float
    press: float
    pout: float
    teeth: float
    smile: float  # 0..1, how much of a smile it is: dimples and folds
    cheek: float
    nose_wrinkle: float


def controls_of(state_K: NDArray[np.float32]) -> Controls:
    """The controls of one frame of a performance."""
    state = dict(zip(STATE_CHANNELS, state_K.tolist(), strict=True))
    weights_E = np.array([state[f"expression_{name}"] for name in EXPRESSIONS], dtype=np.float32)
    muscle = dict(zip(_MUSCLES, (weights_E @ _FACES_EM).tolist(), strict=True))
    happy = max(0.0, state["expression_happy"])
    smile = state["smile"]
    # A faint smile keeps the lips together; only a strong one shows teeth.
    gape = muscle["gape"] + 0.2 * happy * min(1.0, max(0.0, happy - 0.3) / 0.6)
    spoken = max(0.0, state["mouth_open"]) ** 0.9
    opening = (gape + 0.5 * spoken * (1.0 - 0.35 * gape)) * (1.0 - 0.97 * _unit(state["lip_press"]))
    opening += 0.09 * _unit(state["teeth"]) * (1.0 - _unit(state["lip_press"])) * (1.0 - min(1.0, opening / 0.3))
    rounded = _unit(state["mouth_round"])
    spread = state["mouth_width"]
    width = 1.0 + muscle["width"] + (0.24 if spread > 0 else 0.3) * spread - 0.26 * rounded + 0.18 * smile
    width -= 0.08 * min(1.0, spoken) * (1.0 - happy)
    blink = 1.0 - _unit(state["blink"])
    lid = 0.9 + muscle["lid_upper"] - 0.05 * max(0.0, smile)
    tilt_left, tilt_right = 0.17 * state["brow_left"], 0.17 * state["brow_right"]
    return Controls(
        yaw=state["yaw"],
        pitch=state["pitch"],
        roll=state["roll"],
        lean=state["lean"],
        sway=state["sway"],
        breath=state["breath"],
        shoulders=state["shoulders"],
        gaze_x=state["gaze_x"],
        gaze_y=state["gaze_y"],
        open_left=max(0.0, (lid - muscle["lid_skew"]) * blink),
        open_right=max(0.0, (lid + 0.4 * muscle["lid_skew"]) * blink),
        lower_lid=min(0.8, muscle["lid_lower"] + 0.5 * _unit(state["squint"]) + 0.12 * max(0.0, smile)),
        pupil=1.0 + muscle["pupil"],
        brow_inner_left=muscle["brow_inner"] - muscle["brow_skew"] * 0.5 + tilt_left,
        brow_outer_left=muscle["brow_outer"] - muscle["brow_skew"] * 0.5 + tilt_left,
        brow_inner_right=muscle["brow_inner"] + muscle["brow_skew"] * 0.6 + tilt_right,
        brow_outer_right=muscle["brow_outer"] + muscle["brow_skew"] + tilt_right,
        brow_arch=muscle["brow_arch"],
        corner_left=muscle["corner"] - 0.15 * muscle["corner_skew"] + 0.13 * smile,
        corner_right=muscle["corner"] + muscle["corner_skew"] + 0.13 * smile,
        mouth_width=min(1.45, max(0.5, width)),
        mouth_open=opening,
        mouth_round=rounded,
        upper_raise=muscle["upper_raise"],
        press=min(1.0, muscle["press"] * (1.0 - min(1.0, spoken * 2.0)) + _unit(state["lip_press"])),
        pout=muscle["pout"] + 0.5 * rounded,
        teeth=_unit(state["teeth"]),
        smile=_unit(happy + max(0.0, smile) * 0.8),
        cheek=_unit(muscle["cheek"] + 0.7 * max(0.0, smile)),
        nose_wrinkle=muscle["nose_wrinkle"],
    )


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
