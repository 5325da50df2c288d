"""Numbered samples for what paints (`engine.posing.paint`): a random character at rest, and squares of it with its face in several states.

Called by the painting network's task, in worker processes. Nothing of the body moves: paint is put on the head at rest.
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
from training.actor.state import EXPRESSION_CHANNELS, EXPRESSIONS, channel
from training.data.motion_rows import MEAN_AND_SPREAD
from training.data.portraits import boxes_mask
from training.data.posed_pairs import FACE_CHANNELS
from training.data.sitters import random_sitter

MOVED_CHANNELS: Final = (*FACE_CHANNELS, "teeth")
# What somebody feels is told as its difference from what the portrait shows: a picture of a grin is one at rest.
FELT_CHANNELS: Final = tuple(f"expression_{name}" for name in EXPRESSIONS if name != "neutral")
PAINTED_CHANNELS: Final = (*MOVED_CHANNELS, *FELT_CHANNELS)
# What no flow can close or open: it drags pupils up to the brows, and lips out of shape.
HIDDEN_CHANNELS: Final = ("blink", "mouth_open", "mouth_width", "mouth_round", "lip_press")
# (lowest, highest, how often it is not at rest)
FACE_RANGES: Final = {
    "mouth_open": (0.0, 1.0, 0.75),
    "mouth_width": (-1.0, 1.0, 0.7),
    "mouth_round": (0.0, 1.0, 0.4),
    "lip_press": (0.0, 1.0, 0.2),
    "smile": (-0.3, 0.9, 0.3),
    "blink": (0.0, 1.0, 0.5),
    "squint": (0.0, 0.6, 0.2),
    "gaze_x": (-1.0, 1.0, 0.6),
    "gaze_y": (-0.8, 0.8, 0.6),
    "brow_left": (-0.8, 1.0, 0.5),
    "brow_right": (-0.8, 1.0, 0.5),
    "teeth": (0.0, 1.0, 0.4),
}
PAINTED_RANGES: Final = {name: FACE_RANGES.get(name, (-1.0, 1.0))[:2] for name in PAINTED_CHANNELS}
# Of states so many feel what the portrait shows; so many of the others, where it shows something, go over from that to something else.
UNCHANGED: Final = 0.35
GOING_OVER: Final = 0.2
HAPPY_AS_OFTEN_AS: Final = 3.0  # other feelings: those who talk and listen laugh more than they weep
WHOLLY_CLOSED: Final = 0.4  # of blinks: lids that are down are what is seen longest
WIDE_OPEN: Final = (0.25, 0.7)  # of open mouths, so far at least: the widest laughs have most to be painted
ALIKE: Final = 0.7  # of brows go together


@dataclass(frozen=True, kw_only=True)
class PaintedFaceSamples:
    """Makes sample i: `rest_HWC` uint8 at `size_px`; of S states `face_SK` (by `PAINTED_CHANNELS`, in spreads from rest), and of a square
    with `side_px` pixels a side, one in every `spacing_px`, whose corner is `corner_2` (y, x), `truth_SHWC` and `focus_SHW`, where mouth
    and eyes are."""

    size_px: int
    side_px: int = 96
    spacing_px: int = 1
    num_states: int = 4
    first_identity: int = 0
    expression_share: float = 0.4
    focus_share: float = 0.8
    shift_px: float = 12.0
    stranger_share: float = 0.0

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_identity, number, 6])
        sitter = random_sitter(
            number,
            first_identity=self.first_identity,
            stranger_share=self.stranger_share,
            size_px=self.size_px,
        )
        who = sitter.identity
        has_expression = rng.random() < self.expression_share
        rest_K = expression_state(EXPRESSIONS[int(rng.integers(1, len(EXPRESSIONS)))] if has_expression else "neutral")
        states_SK = np.repeat(rest_K[None], self.num_states, axis=0)
        for state_K in states_SK:
            state_K[_columns(MOVED_CHANNELS)] = random_face(rng)
            state_K[_columns(EXPRESSION_CHANNELS)] = random_feelings(rest_K[_columns(EXPRESSION_CHANNELS)], rng)
        truth_SHWC = np.stack([sitter.drawn(state_K, self.size_px) for state_K in states_SK])
        focus_SHW = np.stack(
            [sitter.masked(boxes_mask((mouth_box(who, each), eye_box(who, each)), self.size_px)) for each in states_SK]
        )
        y, x = self._corner(np.any(focus_SHW, axis=0), rng)
        square = (slice(None), *(slice(start, start + self._reach_px, self.spacing_px) for start in (y, x)))
        spread_K = np.array([MEAN_AND_SPREAD[name][1] for name in PAINTED_CHANNELS], dtype=np.float32)
        return {
            "rest_HWC": torch.from_numpy(sitter.drawn(rest_K, self.size_px)),
            "face_SK": torch.from_numpy((states_SK - rest_K)[:, _columns(PAINTED_CHANNELS)] / spread_K),
            "truth_SHWC": torch.from_numpy(truth_SHWC[square].copy()),
            "focus_SHW": torch.from_numpy(focus_SHW[square].copy()),
            "corner_2": torch.tensor([y, x]),
        }

    @property
    def _reach_px(self) -> int:
        """The side of the square."""
        return self.side_px * self.spacing_px

    def _corner(self, in_focus_HW: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int]:
        """Where the square begins: around the focus by its share of lots, else anywhere."""
        most = self.size_px - self._reach_px
        corner_2 = rng.uniform(0.0, most, 2)
        if rng.random() < self.focus_share and in_focus_HW.any():
            yx_N2 = np.argwhere(in_focus_HW)
            middle_2 = (yx_N2.min(axis=0) + yx_N2.max(axis=0)) / 2
            corner_2 = middle_2 - self._reach_px / 2 + rng.uniform(-self.shift_px, self.shift_px, 2)
        y, x = (int(np.clip(round(each), 0, most)) for each in corner_2)
        return y, x


def random_face(rng: np.random.Generator) -> NDArray[np.float32]:
    """How a face moves, float32 by `MOVED_CHANNELS`; the actor rests at zero."""
    face = {
        name: rng.uniform(low, high) if rng.random() < share else 0.0
        for name, (low, high, share) in FACE_RANGES.items()
    }
    if face["blink"] and rng.random() < WHOLLY_CLOSED:
        face["blink"] = 1.0
    share, least = WIDE_OPEN
    if face["mouth_open"] and rng.random() < share:
        face["mouth_open"] = rng.uniform(least, FACE_RANGES["mouth_open"][1])
    if rng.random() < ALIKE:
        face["brow_right"] = face["brow_left"]
    return np.array([face[name] for name in MOVED_CHANNELS], dtype=np.float32)


def random_feelings(shown_E: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """What somebody feels whose portrait shows `shown_E`, weights by `EXPRESSIONS` that sum to one: the same, less of it, some of another
    feeling where the portrait is neutral, or some of both on the way from one to the other."""
    if rng.random() < UNCHANGED:
        return shown_E
    neutral, shown = EXPRESSIONS.index("neutral"), int(shown_E.argmax())
    other = int(rng.choice(len(EXPRESSIONS), p=_shares_of_feelings(besides=(neutral, shown))))
    felt_E = np.zeros_like(shown_E)
    if shown == neutral:
        felt_E[other] = rng.uniform(0.0, 1.0)
    elif rng.random() < GOING_OVER:
        felt_E[shown], felt_E[other] = rng.dirichlet(np.ones(3))[:2]
    else:
        felt_E[shown] = rng.uniform(0.0, 1.0)
    felt_E[neutral] = 1.0 - felt_E.sum()
    return felt_E


def _shares_of_feelings(besides: tuple[int, ...]) -> NDArray[np.float64]:
    """How often each of `EXPRESSIONS` is felt, but for some that are not."""
    often_E: NDArray[np.float64] = np.ones(len(EXPRESSIONS))
    often_E[EXPRESSIONS.index("happy")] = HAPPY_AS_OFTEN_AS
    often_E[list(besides)] = 0.0
    often_E /= often_E.sum()
    return often_E


def _columns(names: tuple[str, ...]) -> list[int]:
    return [channel(name) for name in names]
