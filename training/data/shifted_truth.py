"""The truth where another picture has it: what differs by a few pixels of place is moved there, what differs otherwise stays.

An anchor moved into a pose may be right in everything and lie a pixel aside. Held against the truth as it is, each of its edges would be an
error, and the mean of two pictures, both of them wrong, the better one; whoever looks at it sees a blur where there had been a lash.
Dense inverse search finds where places went (Kroeger et al. 2016). Called where cuts for retouching are made.
"""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

FARTHEST_PX: Final = 5.0  # of a picture of 192: more is another pose
CALM_PX: Final = 2.0  # neighbouring places go nearly the same way
SEEN_FROM_PX: Final = 3.0  # whether a place is nearer for it is judged around it
SURE_LEVELS: Final = 2.0  # of 0..255: nearer by so much, it is moved all the way


def shifted_truth(truth_HWC: NDArray[np.uint8], picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A true picture, moved by a little to where another one has it, wherever that brings it nearer; both uint8 RGB."""
    height, width = truth_HWC.shape[:2]
    scale = width / 192
    way_HW2 = _search().calc(_grey(picture_HWC), _grey(truth_HWC), np.zeros((height, width, 2), np.float32))
    length_HW1 = np.linalg.norm(way_HW2, axis=2, keepdims=True).clip(1e-6)
    way_HW2 = cv2.GaussianBlur(way_HW2 * np.minimum(1.0, scale * FARTHEST_PX / length_HW1), (0, 0), scale * CALM_PX)
    y_HW, x_HW = np.mgrid[:height, :width].astype(np.float32)
    moved_HWC = cv2.remap(
        truth_HWC, x_HW + way_HW2[..., 0], y_HW + way_HW2[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )

    def distance(tried_HWC: NDArray[np.generic]) -> NDArray[np.float32]:
        levels_HW = np.abs(tried_HWC.astype(np.float32) - picture_HWC).mean(axis=2)
        return np.asarray(cv2.GaussianBlur(levels_HW, (0, 0), scale * SEEN_FROM_PX), np.float32)

    share_HW = ((distance(truth_HWC) - distance(moved_HWC)) / SURE_LEVELS).clip(0.0, 1.0)
    share_HW1 = cv2.GaussianBlur(share_HW, (0, 0), scale * CALM_PX)[..., None]
    shifted_HWC = truth_HWC + share_HW1 * (moved_HWC.astype(np.float32) - truth_HWC)
    return shifted_HWC.clip(0, 255).round().astype(np.uint8)


@cache
def _search() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def _grey(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY).astype(np.uint8)
