"""The visible mark in the corner of every recorded frame: a performance that was generated says so wherever the film goes."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

TEXT: Final = "AI generated"
_HEIGHT_SHARE: Final = 0.05
_LEAST_HEIGHT_PX: Final = 8
_OVERSAMPLING: Final = 8
_INK: Final = 0.85
_SHADE: Final = 0.45


def stamp(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of the picture, RGB uint8, with the mark in its lower left corner; its size follows the picture's."""
    marked_HWC = picture_HWC.copy()
    ink_HW = _ink(picture_HWC.shape[0])
    height, width = ink_HW.shape
    width = min(width, picture_HWC.shape[1])
    corner_HWC = marked_HWC[-height:, :width].astype(np.float32) * (1 - _SHADE)
    weight_HW1 = _INK * ink_HW[:, :width, None]
    marked_HWC[-height:, :width] = np.round(corner_HWC * (1 - weight_HW1) + 255 * weight_HW1).astype(np.uint8)
    return marked_HWC


@lru_cache(maxsize=4)
def _ink(side_px: int) -> NDArray[np.float32]:
    """How much of each pixel the letters cover: drawn large and averaged down."""
    text_px = max(round(_HEIGHT_SHARE * side_px), _LEAST_HEIGHT_PX)
    large_px = text_px * _OVERSAMPLING
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, round(0.62 * large_px), large_px // 10)
    (width, _), _ = cv2.getTextSize(TEXT, cv2.FONT_HERSHEY_SIMPLEX, scale, large_px // 10)
    margin = large_px // 2
    canvas_HW = np.zeros((large_px + margin, width + 2 * margin), np.uint8)
    place = (margin, large_px)
    cv2.putText(canvas_HW, TEXT, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, large_px // 10, cv2.LINE_AA)
    size = (canvas_HW.shape[1] // _OVERSAMPLING, canvas_HW.shape[0] // _OVERSAMPLING)
    return cv2.resize(canvas_HW, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
