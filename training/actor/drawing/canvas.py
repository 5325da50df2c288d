"""The sheet of paper: polygons and soft spots with sub-pixel precision, drawn larger and averaged down.

Called by the parts of the drawing and by `training.actor.draw`; knows nothing of faces.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.actor.drawing.geometry import Points
from training.actor.drawing.palette import Colour, blend

_ENLARGEMENT: Final = 2
_LEAST_SHEET_PX: Final = 256  # small pictures are drawn on a sheet that still holds the fine lines
_FRACTION_BITS: Final = 4

Picture = NDArray[np.uint8]


@lru_cache(maxsize=256)
def _soft_disc(radius_px: int) -> NDArray[np.float32]:
    """A round falloff, 1 in the middle and 0 at the rim, [d, d, 1]."""
    axis = np.linspace(-1.0, 1.0, 2 * radius_px + 1, dtype=np.float32)
    squared = axis[None, :] ** 2 + axis[:, None] ** 2
    return np.asarray(np.clip(1.0 - squared, 0.0, 1.0)[:, :, None] ** 1.5, dtype=np.float32)


def to_fixed(polygon_N2: Points) -> NDArray[np.int32]:
    """Pixels as the fixed-point numbers that the rasteriser takes, which count from the middle of the first pixel."""
    scale = np.float32(1 << _FRACTION_BITS)
    return np.asarray(np.rint(polygon_N2 * scale - 0.5 * scale), dtype=np.int32)


def sheet_size(size_px: int) -> int:
    """The sheet's width for a picture of this width: a whole multiple of it."""
    return size_px * max(_ENLARGEMENT, -(-_LEAST_SHEET_PX // size_px))


class Canvas:
    """A picture in the making; coordinates are pixels of the enlarged sheet."""

    def __init__(self, sheet_HWC: Picture) -> None:
        self.sheet_HWC = sheet_HWC

    def fill(self, polygon_N2: Points, colour: Colour) -> None:
        """A filled polygon with smooth edges."""
        self.fill_fixed(to_fixed(polygon_N2), colour)

    def fill_fixed(self, polygon_N2: NDArray[np.int32], colour: Colour) -> None:
        """The same for points that `to_fixed` has prepared."""
        cv2.fillPoly(self.sheet_HWC, [polygon_N2], colour, lineType=cv2.LINE_AA, shift=_FRACTION_BITS)

    def spot(self, x_px: float, y_px: float, radius_px: float, colour: Colour, strength: float) -> None:
        """A soft round spot of colour laid over what is there."""
        radius, column, row = round(radius_px), round(x_px), round(y_px)
        height, width = self.sheet_HWC.shape[:2]
        top, bottom = max(row - radius, 0), min(row + radius + 1, height)
        left, right = max(column - radius, 0), min(column + radius + 1, width)
        if radius < 1 or top >= bottom or left >= right or strength <= 0.004:
            return
        disc = _soft_disc(radius)[
            top - row + radius : bottom - row + radius, left - column + radius : right - column + radius
        ]
        patch = self.sheet_HWC[top:bottom, left:right]
        below = patch.astype(np.float32)
        below += (np.array(colour, dtype=np.float32) - below) * (disc * strength)
        patch[:] = (below + 0.5).astype(np.uint8)

    def finished(self, size_px: int) -> Picture:
        """The picture at its final size."""
        size = (size_px, size_px)
        return np.asarray(cv2.resize(self.sheet_HWC, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class ShadedCanvas(Canvas):
    """A canvas on which colours stand `shading` times as far from the plain colour nearest to them: nearer, or a little further."""

    def __init__(self, sheet_HWC: Picture, plain: Iterable[Colour], shading: float) -> None:
        super().__init__(sheet_HWC)
        self._plain, self._shading = tuple(plain), shading
        self._plain_N3 = np.array(self._plain, dtype=np.float32)
        self._toned: dict[Colour, Colour] = {}

    def fill_fixed(self, polygon_N2: NDArray[np.int32], colour: Colour) -> None:
        """A filled polygon in the toned colour."""
        super().fill_fixed(polygon_N2, self._tone(colour))

    def spot(self, x_px: float, y_px: float, radius_px: float, colour: Colour, strength: float) -> None:
        """A soft spot that is as weak as the shading."""
        super().spot(x_px, y_px, radius_px, colour, self._shading * strength)

    def _tone(self, colour: Colour) -> Colour:
        if colour not in self._toned:
            nearest = int(np.abs(self._plain_N3 - np.array(colour, dtype=np.float32)).sum(axis=1).argmin())
            red, green, blue = (min(max(part, 0), 255) for part in blend(self._plain[nearest], colour, self._shading))
            self._toned[colour] = red, green, blue
        return self._toned[colour]
