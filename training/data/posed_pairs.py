"""Numbered samples for the pose flow: a random character at rest, and the same in a pose of body and face.

Called by the pose flow's task, in worker processes.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.actor.keypoints import eye_box, mouth_box
from training.actor.references import expression_state
from training.actor.state import EXPRESSIONS, channel
from training.data.motion_rows import MEAN_AND_SPREAD
from training.data.portraits import boxes_mask
from training.data.sitters import random_sitter

# The first three of each are what most depends on the others' values: how a head turns, and the shape of a mouth.
BODY_CHANNELS: Final = ("yaw", "pitch", "roll", "lean", "sway", "breath", "shoulders")
FACE_CHANNELS: Final = (
    "mouth_open",
    "mouth_width",
    "mouth_round",
    "lip_press",
    "smile",
    "blink",
    "squint",
    "gaze_x",
    "gaze_y",
    "brow_left",
    "brow_right",
)
NUM_CROSSED: Final = 3
CURVED_CHANNELS: Final = ("gaze_x", "gaze_y")  # an iris goes where white was, and leaves white behind
POSE_CHANNELS: Final = BODY_CHANNELS + FACE_CHANNELS
FARTHEST: Final = {
    "yaw": 0.55,
    "pitch": 0.35,
    "roll": 0.3,
    "lean": 0.8,
    "sway": 0.8,
    "shoulders": 0.8,
}
WIDTHS: Final = (0.8, 1.6)  # of the spread of performances: half of the poses are as in films, half go further
# What is not spread around rest: (lowest, highest, how often it is not at rest).
RANGES: Final = {
    "breath": (0.0, 1.0, 1.0),
    "mouth_open": (0.0, 1.0, 0.75),
    "mouth_width": (-0.7, 0.7, 0.6),
    "mouth_round": (0.0, 1.0, 0.3),
    "lip_press": (0.0, 1.0, 0.15),
    "smile": (0.0, 0.8, 0.2),
    "blink": (0.0, 1.0, 0.3),
    "squint": (0.0, 0.6, 0.2),
    "gaze_x": (-1.0, 1.0, 0.7),
    "gaze_y": (-0.8, 0.8, 0.7),
    "brow_left": (-0.8, 1.0, 0.6),
    "brow_right": (-0.8, 1.0, 0.6),
}
BROWS_TOGETHER: Final = 0.7


@dataclass(frozen=True, kw_only=True)
class PosedPairSamples:
    """Makes sample i: `rest_HWC` and `posed_HWC` uint8 at `size_px`, `focus_HW`, where mouth and eyes are in the latter, and `pose_P`, in
    spreads from rest."""

    size_px: int
    first_identity: int = 0
    expression_share: float = 0.4
    stranger_share: float = 0.0

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_identity, number, 4])
        sitter = random_sitter(
            number,
            first_identity=self.first_identity,
            stranger_share=self.stranger_share,
            size_px=self.size_px,
        )
        who = sitter.identity
        name = (
            EXPRESSIONS[int(rng.integers(1, len(EXPRESSIONS)))] if rng.random() < self.expression_share else "neutral"
        )
        rest_K = expression_state(name)
        pose_P = random_pose(rng)
        posed_K = rest_K.copy()
        posed_K[[channel(each) for each in POSE_CHANNELS]] = pose_P
        spread_P = np.array([MEAN_AND_SPREAD[each][1] for each in POSE_CHANNELS], dtype=np.float32)
        return {
            "rest_HWC": torch.from_numpy(sitter.drawn(rest_K, self.size_px)),
            "posed_HWC": torch.from_numpy(sitter.drawn(posed_K, self.size_px)),
            "focus_HW": torch.from_numpy(
                sitter.masked(boxes_mask((mouth_box(who, posed_K), eye_box(who, posed_K)), self.size_px))
            ),
            "pose_P": torch.from_numpy(pose_P / spread_P),
        }


def random_pose(rng: np.random.Generator) -> NDArray[np.float32]:
    """A pose of body and face, float32 [18], by `POSE_CHANNELS`; the actor rests at zero."""
    pose, width = dict.fromkeys(POSE_CHANNELS, 0.0), rng.choice(WIDTHS)
    for name, farthest in FARTHEST.items():
        pose[name] = float(np.clip(rng.normal(0.0, width * MEAN_AND_SPREAD[name][1]), -farthest, farthest))
    for name, (low, high, share) in RANGES.items():
        pose[name] = rng.uniform(low, high) if rng.random() < share else 0.0
    if rng.random() < BROWS_TOGETHER:
        pose["brow_right"] = pose["brow_left"]
    return np.array([pose[name] for name in POSE_CHANNELS], dtype=np.float32)
