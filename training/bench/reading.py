"""What the regressor reads from a film, and the same quantities taken from the actor's exact state.

Called by the measures and by the speech check. Reading and truth share one shape, so that every measure can be taken of either;
nothing here judges.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.actor.state import EXPRESSIONS, channel
from training.bench.regressor import READ_CHANNELS, LoadedRegressor

BATCH_FRAMES = 32


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One film as numbers, one row a frame."""

    values_TK: NDArray[np.float32]  # READ_CHANNELS
    expression_TE: NDArray[np.float32]  # shares of the eight expressions, sum 1
    identity_TD: NDArray[np.float32]  # unit rows; empty width for truth, which needs no face to know who it is

    def __post_init__(self) -> None:
        if self.values_TK.shape[1] != len(READ_CHANNELS) or self.expression_TE.shape[1] != len(EXPRESSIONS):
            raise ValueError(f"a reading has {len(READ_CHANNELS)} channels and {len(EXPRESSIONS)} expressions")

    def series(self, name: str) -> NDArray[np.float32]:
        """One channel over time, [T]."""
        return self.values_TK[:, READ_CHANNELS.index(name)]

    @property
    def num_frames(self) -> int:
        """Frames read."""
        return int(self.values_TK.shape[0])


def read_film(regressor: LoadedRegressor, frames_THWC: NDArray[np.uint8]) -> Reading:
    """Read a whole film, uint8 RGB of any size (scaled to the regressor's)."""
    parts = list(read_pieces(regressor, frames_THWC))
    if not parts:
        raise ValueError("a film without frames cannot be read")
    return joined(parts)


def read_pieces(regressor: LoadedRegressor, frames_THWC: NDArray[np.uint8]) -> Iterator[Reading]:
    """Read a film batch by batch, in order."""
    for start in range(0, len(frames_THWC), BATCH_FRAMES):
        yield _read_batch(regressor, frames_THWC[start : start + BATCH_FRAMES])


def joined(parts: list[Reading]) -> Reading:
    """Consecutive readings as one."""
    return Reading(
        values_TK=np.concatenate([part.values_TK for part in parts]),
        expression_TE=np.concatenate([part.expression_TE for part in parts]),
        identity_TD=np.concatenate([part.identity_TD for part in parts]),
    )


def _read_batch(regressor: LoadedRegressor, frames_THWC: NDArray[np.uint8]) -> Reading:
    size_px = regressor.network.config.picture_px
    if frames_THWC.shape[1:3] != (size_px, size_px):
        frames_THWC = np.stack([resized(frame_HWC, size_px) for frame_HWC in frames_THWC])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = regressor.network(pixels_of(frames_THWC))
    return Reading(
        values_TK=found.readings_BK.numpy(),
        expression_TE=found.expression_logits_BE.softmax(dim=1).numpy(),
        identity_TD=found.identity_BD.numpy(),
    )


def resized(frame_HWC: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """A frame at another size: area averaging when it shrinks, cubic when it grows."""
    method = cv2.INTER_AREA if frame_HWC.shape[0] > size_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame_HWC, (size_px, size_px), interpolation=method), dtype=np.uint8)


def smaller(frames_THWC: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Frames at the size that they are read at."""
    if frames_THWC.shape[1] == size_px:
        return frames_THWC
    return np.stack([resized(frame_HWC, size_px) for frame_HWC in frames_THWC])


def pixels_of(frames_THWC: NDArray[np.uint8]) -> torch.Tensor:
    """uint8 frames to what the regressor takes: [-1, 1], [T, 3, H, W], channels last in memory."""
    return torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def true_reading(state_TK: NDArray[np.float32]) -> Reading:
    """The exact values of what the regressor is asked to read."""
    columns = [
        visible_opening(state_TK) if name == "mouth_open" else state_TK[:, channel(name)] for name in READ_CHANNELS
    ]
    return Reading(
        values_TK=np.stack(columns, axis=1).astype(np.float32),
        expression_TE=true_expressions(state_TK),
        identity_TD=np.zeros((len(state_TK), 0), dtype=np.float32),
    )


def visible_opening(state_TK: NDArray[np.float32]) -> NDArray[np.float32]:
    """The opening that articulation makes and a viewer can see: pressed lips hide it."""
    pressed_T = np.clip(state_TK[:, channel("lip_press")], 0.0, 1.0)
    opening_T: NDArray[np.float32] = np.clip(state_TK[:, channel("mouth_open")], 0.0, None) * (1.0 - pressed_T)
    return opening_T


def true_expressions(state_TK: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares of the eight expressions with what is missing to one counted as neutral, [T, 8]."""
    first = channel(f"expression_{EXPRESSIONS[0]}")
    shares_TE = np.clip(state_TK[:, first : first + len(EXPRESSIONS)], 0.0, 1.0).astype(np.float32)
    shares_TE[:, 0] += np.clip(1.0 - shares_TE.sum(axis=1), 0.0, 1.0)
    normalised_TE: NDArray[np.float32] = shares_TE / shares_TE.sum(axis=1, keepdims=True)
    return normalised_TE
