"""In which state a character, drawn, is most like a frame of a film: its pose and face found by drawing them (analysis by synthesis).

Called by `siblings`, to compare faces that agree in all that moves. Marquardt's method (1963) on pixels, blurred ones first: what a
channel does to them is found by moving it a little and drawing again. Pixels that no state explains, a smear or a torn ear, count
less (iteratively reweighted least squares), there and in what is told of how far off a drawing is.

Thin lines are as thick as a drawing's sheet allows, so whoever is compared is drawn as large as the film's own character was and made
small. Knows no model and nothing of a film but the frame it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.actor.draw import draw_frame
from training.actor.identity import Identity
from training.actor.state import EXPRESSION_CHANNELS, NUM_CHANNELS, channel, resting_state
from training.bench.reading import Reading, resized
from training.bench.regressor import READ_CHANNELS
from training.data.motion_rows import LIMITS

BLURRED_PX: Final = 3.0  # spread of the blur at first, in pixels of a frame of 96: what is far off still pulls
ODD_LEVELS: Final = 16.0  # of 0..255: pixels that differ by more count less and less
PROBE_SHARE: Final = 0.08  # of a channel's range: how far it is moved to see what it does
STIFFEST: Final = 1e3  # of the damping: a round ends there without a better state
_LEAST_K, _MOST_K = np.array(LIMITS, np.float32).T

Picture = NDArray[np.float32]  # all numbers of a picture in one row, [P]


@dataclass(frozen=True, kw_only=True)
class FittedState:
    """A state and how far its drawing is from the frame (`drawing_error`)."""

    state_K: NDArray[np.float32]
    error: float


def first_guess(reading: Reading, frame: int) -> NDArray[np.float32]:
    """A state from what was read of a film's frame; channels that are not read rest."""
    state_K: NDArray[np.float32] = resting_state(1)[0]
    state_K[[channel(name) for name in READ_CHANNELS]] = reading.values_TK[frame]
    state_K[[channel(name) for name in EXPRESSION_CHANNELS]] = reading.expression_TE[frame]
    return state_K


def drawn_at(drawn_px: int, identity: Identity, state_K: NDArray[np.float32], size_px: int) -> NDArray[np.uint8]:
    """A frame of this size that is drawn with a side of `drawn_px` first."""
    return resized(draw_frame(identity, state_K, drawn_px), size_px)


def drawing_error(
    identity: Identity, frame_HWC: NDArray[np.uint8], state_K: NDArray[np.float32], drawn_px: int
) -> float:
    """How far a character in a state is from a frame: mean difference in levels of 0..255, each worth less the larger it is."""
    drawn_HWC = drawn_at(drawn_px, identity, state_K, frame_HWC.shape[0])
    differences_HWC = np.abs(frame_HWC.astype(np.float32) - drawn_HWC)
    return float((differences_HWC / (1.0 + differences_HWC / ODD_LEVELS)).mean())


def fitted_state(
    identity: Identity,
    frame_HWC: NDArray[np.uint8],
    start_K: NDArray[np.float32],
    drawn_px: int,
    blurred_rounds: int = 3,
    sharp_rounds: int = 3,
) -> FittedState:
    """The best state that so many rounds find from a first guess, on blurred pictures and then on sharp ones.

    Each round draws the character about thirty times, with a side of `drawn_px`.
    """
    state_K = np.clip(start_K, _LEAST_K, _MOST_K).astype(np.float32)
    spread_px = BLURRED_PX * frame_HWC.shape[0] / 96
    drawn = partial(drawn_at, drawn_px, identity, size_px=frame_HWC.shape[0])
    state_K = _nearer(drawn, frame_HWC, state_K, blurred_rounds, spread_px)
    state_K = _nearer(drawn, frame_HWC, state_K, sharp_rounds, 0.0)
    return FittedState(state_K=state_K, error=drawing_error(identity, frame_HWC, state_K, drawn_px))


def _nearer(
    drawing: Callable[[NDArray[np.float32]], NDArray[np.uint8]],
    frame_HWC: NDArray[np.uint8],
    state_K: NDArray[np.float32],
    num_rounds: int,
    spread_px: float,
) -> NDArray[np.float32]:
    """A state that is no farther off than the first one, on pictures blurred by so much."""

    def drawn(tried_K: NDArray[np.float32]) -> Picture:
        return _seen(drawing(tried_K), spread_px)

    wanted_P, picture_P, damping = _seen(frame_HWC, spread_px), drawn(state_K), 0.01
    for _ in range(num_rounds):
        rest_P = wanted_P - picture_P
        slopes_KP = np.stack([_slope(drawn, state_K, picture_P, index) for index in range(NUM_CHANNELS)])
        weighted_KP = slopes_KP / (1.0 + np.abs(rest_P) / ODD_LEVELS)
        system_KK, pull_K = weighted_KP @ slopes_KP.T, weighted_KP @ rest_P
        own_K = system_KK.diagonal()
        loss, is_better = _loss(rest_P), False
        while not is_better and damping < STIFFEST:
            stiff_KK = system_KK + np.diag(damping * own_K + 1e-6 * (own_K.max() + 1.0))
            moved_K = np.clip(state_K + np.linalg.solve(stiff_KK, pull_K), _LEAST_K, _MOST_K).astype(np.float32)
            moved_P = drawn(moved_K)
            is_better = _loss(wanted_P - moved_P) < loss
            damping *= 0.2 if is_better else 6.0
        if not is_better:
            break
        state_K, picture_P = moved_K, moved_P
    return state_K


def _seen(picture_HWC: NDArray[np.uint8], spread_px: float) -> Picture:
    levels_HWC = picture_HWC.astype(np.float32)
    if spread_px:
        levels_HWC = cv2.GaussianBlur(levels_HWC, (0, 0), spread_px).astype(np.float32)
    return levels_HWC.ravel()


def _slope(
    drawn: Callable[[NDArray[np.float32]], Picture], state_K: NDArray[np.float32], picture_P: Picture, index: int
) -> Picture:
    """What a channel does to each pixel, by moving it towards the middle of its range."""
    middle, reach = 0.5 * (_LEAST_K[index] + _MOST_K[index]), PROBE_SHARE * (_MOST_K[index] - _LEAST_K[index])
    step = np.float32(reach if state_K[index] <= middle else -reach)
    moved_K = state_K.copy()
    moved_K[index] += step
    slope_P: Picture = (drawn(moved_K) - picture_P) / step
    return slope_P


def _loss(rest_P: Picture) -> float:
    """Of an error like a square where pixels are near and like a length where they are odd: what the weights above descend."""
    size_P = np.abs(rest_P) / ODD_LEVELS
    return float((size_P - np.log1p(size_P)).sum())
