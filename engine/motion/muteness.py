"""Frames in which a voice is silent for so long that nothing is articulated: lips are at rest there, by rule and not by lot.

A plan is drawn by lot, and of a lot of frames of silence a few come out with parted lips. What somebody articulates is moved by their own
voice alone, and rests where it does: from a moment after it has ended to a moment before it begins again. A microphone's noise is no
silence; there it is the plan that tells voice from noise.

Called by whoever knows the sound, offline and live; the planner puts what is articulated to rest. It must not know rows or models.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

SILENT_PEAK: Final = 1e-3  # of full scale, -60 dB: a frame that stays below it is silent
AFTER_FRAMES: Final = 3  # of silence before what is articulated has come to rest
BEFORE_FRAMES: Final = 2  # so long before a voice the mouth may make ready for it

_SAMPLES_PER_FRAME: Final = SOUND_RATE_HZ // FRAME_RATE_HZ


def mute_frames(voice_S: NDArray[np.float32], first_frame: int, start_frame: int, end_frame: int) -> Tensor:
    """Which of the frames [start, end) are mute, [T], by a voice that begins with `first_frame`; outside it there is silence."""
    first, last = start_frame - AFTER_FRAMES, end_frame + BEFORE_FRAMES
    around_S = np.zeros((last - first) * _SAMPLES_PER_FRAME, np.float32)
    begin, end = (max(frame - first_frame, 0) * _SAMPLES_PER_FRAME for frame in (first, last))
    inside_S = voice_S[begin:end]
    offset = max(first_frame - first, 0) * _SAMPLES_PER_FRAME
    around_S[offset : offset + len(inside_S)] = inside_S
    is_silent_T = torch.from_numpy(np.abs(around_S.reshape(last - first, -1)).max(axis=1) < SILENT_PEAK)
    return is_silent_T.unfold(0, AFTER_FRAMES + 1 + BEFORE_FRAMES, 1).all(dim=-1)
