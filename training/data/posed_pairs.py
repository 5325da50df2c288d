"""Numbered samples for the pose flow: a random character at rest and in a pose, alike in all else.

Called by the pose flow's task, in worker processes.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.references import expression_state
from training.actor.state import EXPRESSIONS, channel
from training.data.motion_rows import MEAN_AND_SPREAD
from training.data.portraits import SEED_STRIDE

POSE_CHANNELS: Final = ("yaw", "pitch", "roll", "lean", "sway", "breath", "shoulders")
NUM_TURNS: Final = 3  # yaw, pitch and roll turn the head
FARTHEST: Final = {
    "yaw": 0.55,
    "pitch": 0.35,
    "roll": 0.3,
    "lean": 0.8,
    "sway": 0.8,
    "breath": 1.0,
    "shoulders": 0.8,
}
WIDTHS: Final = (0.8, 1.6)  # of the spread of performances: half of the poses are as in films, half go further


@dataclass(frozen=True, kw_only=True)
class PosedPairSamples:
    """Makes sample i: `rest_HWC` and `posed_HWC` uint8 at `size_px`, and `pose_P`, in spreads from rest."""

    size_px: int
    first_identity: int = 0
    expression_share: float = 0.4

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_identity, number, 4])
        identity = sample_identity(self.first_identity + number * SEED_STRIDE % 999_983)
        name = (
            EXPRESSIONS[int(rng.integers(1, len(EXPRESSIONS)))] if rng.random() < self.expression_share else "neutral"
        )
        rest_K = expression_state(name)
        pose_P = random_pose(rng)
        posed_K = rest_K.copy()
        posed_K[[channel(each) for each in POSE_CHANNELS]] = pose_P
        spread_P = np.array([MEAN_AND_SPREAD[each][1] for each in POSE_CHANNELS], dtype=np.float32)
        return {
            "rest_HWC": torch.from_numpy(draw_frame(identity, rest_K, self.size_px)),
            "posed_HWC": torch.from_numpy(draw_frame(identity, posed_K, self.size_px)),
            "pose_P": torch.from_numpy(pose_P / spread_P),
        }


def random_pose(rng: np.random.Generator) -> NDArray[np.float32]:
    """A pose of head and body, float32 [7], by `POSE_CHANNELS`; the actor rests at zero."""
    width = rng.choice(WIDTHS)
    farthest_P = np.array([FARTHEST[name] for name in POSE_CHANNELS])
    pose_P = np.array([rng.normal(0.0, width * MEAN_AND_SPREAD[name][1]) for name in POSE_CHANNELS])
    pose_P[POSE_CHANNELS.index("breath")] = rng.random()
    within_P: NDArray[np.float32] = np.clip(pose_P, -farthest_P, farthest_P).astype(np.float32)
    return within_P
