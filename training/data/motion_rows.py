"""The actor's state as the motion rows that a small pack plans and draws by (`engine.motion`): a row a latent, in units of its spread.

A row holds the channels of each of its latent's frames, one frame after another. Mean and spread are those of 2304 clips.
"""

from typing import Final

import torch
from einops import rearrange
from torch import Tensor

from training.actor.references import expression_state
from training.actor.state import STATE_CHANNELS, resting_state

FRAMES_PER_ROW: Final = 4
MEAN_AND_SPREAD: Final = {
    "yaw": (0.0, 0.14),
    "pitch": (0.0, 0.09),
    "roll": (0.0, 0.08),
    "lean": (-0.04, 0.31),
    "sway": (0.0, 0.19),
    "breath": (0.58, 0.35),
    "shoulders": (0.08, 0.19),
    "gaze_x": (0.0, 0.31),
    "gaze_y": (-0.01, 0.28),
    "blink": (0.04, 0.18),
    "squint": (0.01, 0.05),
    "brow_left": (0.07, 0.29),
    "brow_right": (0.07, 0.29),
    "mouth_open": (0.15, 0.25),
    "mouth_width": (0.0, 0.20),
    "mouth_round": (0.08, 0.19),
    "lip_press": (0.05, 0.19),
    "teeth": (0.06, 0.15),
    "smile": (0.01, 0.10),
    "expression_neutral": (0.43, 0.34),
    "expression_happy": (0.08, 0.24),
    "expression_sad": (0.08, 0.24),
    "expression_angry": (0.08, 0.24),
    "expression_surprised": (0.08, 0.24),
    "expression_afraid": (0.08, 0.24),
    "expression_disgusted": (0.08, 0.24),
    "expression_contemptuous": (0.08, 0.24),
}
# How far each channel is planned at most; the others are ratios from 0 to 1. Heads go no further in 97 of 100 frames of performances:
# guided plans would, and of heads that turn to their limit what comes out from behind is torn.
FARTHEST: Final = {
    "yaw": (-0.38, 0.38),
    "pitch": (-0.25, 0.25),
    "roll": (-0.23, 0.23),
    **dict.fromkeys(
        ("lean", "sway", "shoulders", "gaze_x", "gaze_y", "brow_left", "brow_right", "mouth_width", "smile"),
        (-1.0, 1.0),
    ),
}
LIMITS: Final = tuple(
    FARTHEST.get(name, (0.0, 1.0)) for name in STATE_CHANNELS
)  # of each channel, the least and the most
ROW_WIDTH: Final = FRAMES_PER_ROW * len(STATE_CHANNELS)


def motion_rows(state_BTK: Tensor) -> Tensor:
    """States [..., 4 F, K] as rows [..., F, 4 K]."""
    mean_K, spread_K = _mean_and_spread()
    return rearrange((state_BTK - mean_K) / spread_K, "... (f t) k -> ... f (t k)", t=FRAMES_PER_ROW)


def states_of(motion_BFM: Tensor) -> Tensor:
    """Rows [..., F, 4 K] as the states [..., 4 F, K] that they mean."""
    mean_K, spread_K = _mean_and_spread()
    return rearrange(motion_BFM, "... f (t k) -> ... (f t) k", t=FRAMES_PER_ROW) * spread_K + mean_K


def rest_row() -> Tensor:
    """The row [M] of a character at rest, with which films begin."""
    return motion_rows(torch.from_numpy(resting_state(FRAMES_PER_ROW)))[0]


def shown_row(expression: str) -> Tensor:
    """The row [M] of a character at rest but for one expression, as a picture of it shows it."""
    state_K = torch.from_numpy(expression_state(expression))
    return motion_rows(state_K.expand(FRAMES_PER_ROW, -1))[0]


def row_bounds() -> tuple[Tensor, Tensor]:
    """The least and the most that each number of a row can be, [M] both."""
    limits_2K = torch.tensor(LIMITS).T
    least_M, most_M = motion_rows(limits_2K[:, None].expand(-1, FRAMES_PER_ROW, -1))[:, 0]
    return least_M, most_M


def _mean_and_spread() -> tuple[Tensor, Tensor]:
    mean_K, spread_K = torch.tensor([MEAN_AND_SPREAD[name] for name in STATE_CHANNELS]).unbind(dim=1)
    return mean_K, spread_K
