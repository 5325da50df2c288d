"""Numbered samples for retouching: two latents' worth of film of a random character, and the picture that it would stay near.

Called where cuts for retouching are made (`training.data.retouch_cuts`).
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.actor.draw import draw_film, draw_frame
from training.actor.identity import Identity, sample_identity
from training.actor.keypoints import eye_box, mouth_box
from training.actor.references import expression_state
from training.actor.state import EXPRESSION_CHANNELS, EXPRESSIONS, channel
from training.data.motion_rows import shown_row
from training.data.portraits import SEED_STRIDE, boxes_mask
from training.data.random_states import random_film_state

SHOWN_FROM: Final = 0.4  # of an expression's greatest strength: such a film may have a picture of it to stay near


@dataclass(frozen=True, kw_only=True)
class PosedFilmSamples:
    """Makes sample i: `pixels_THWC` uint8 at `size_px`, `focus_THW`, where mouth and eyes are, and `state_TK`; and `anchor_HWC`, uint8 at
    `anchor_px`, which shows `anchor_row_M`."""

    size_px: int
    anchor_px: int
    num_frames: int = 8
    first_identity: int = 0
    own_expression_share: float = 0.6

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_identity, number, 8])
        identity = sample_identity(self.first_identity + number * SEED_STRIDE % 999_983)
        state_TK = random_film_state(rng, self.num_frames)
        shown = _shown(state_TK) if rng.random() < self.own_expression_share else "neutral"
        return {
            "anchor_HWC": torch.from_numpy(draw_frame(identity, expression_state(shown), self.anchor_px)),
            "anchor_row_M": shown_row(shown),
            "pixels_THWC": torch.from_numpy(draw_film(identity, state_TK, self.size_px)),
            "focus_THW": focus_of(identity, state_TK, self.size_px),
            "state_TK": torch.from_numpy(state_TK),
        }


def focus_of(identity: Identity, state_TK: NDArray[np.float32], size_px: int) -> Tensor:
    """Where mouth and eyes are in each frame, bool [T, H, W]."""
    boxes_T = [(mouth_box(identity, state_K), eye_box(identity, state_K)) for state_K in state_TK]
    return torch.from_numpy(np.stack([boxes_mask(boxes, size_px) for boxes in boxes_T]))


def _shown(state_TK: NDArray[np.float32]) -> str:
    """The strongest expression of a film, the neutral one where none is strong."""
    strengths_E = state_TK[:, [channel(name) for name in EXPRESSION_CHANNELS]].mean(axis=0)
    strengths_E[EXPRESSIONS.index("neutral")] = SHOWN_FROM
    return EXPRESSIONS[int(strengths_E.argmax())]
