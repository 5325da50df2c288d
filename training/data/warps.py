"""The same bend for every picture of a character: another face, and another place in the picture, from what is drawn already.

Called where samples are made. All pictures of a sample go through one warp, so what moves and changes between them still does.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

KNOTS: Final = 5  # a side: a bend is about as wide as a feature of a face
BENT: Final = 0.016  # of a picture's side, the spread of a knot's shift
SCALES: Final = (0.8, 1.25)
FARTHEST: Final = (0.06, 0.05)  # of a picture's side, across and down
MOST_TILTED: Final = 0.12  # radians


@dataclass(frozen=True, kw_only=True)
class Warp:
    """Where each pixel of a warped picture comes from: x and y in pixels, float32 [H, W] each."""

    x_HW: NDArray[np.float32]
    y_HW: NDArray[np.float32]

    def picture(self, picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture, uint8, with its edges as sharp as they were, but for what is enlarged."""
        warped_HWC = cv2.remap(picture_HWC, self.x_HW, self.y_HW, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(warped_HWC, dtype=np.uint8)

    def mask(self, mask_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask, nothing of which is between true and false."""
        levels_HW = cv2.remap(mask_HW.astype(np.uint8), self.x_HW, self.y_HW, cv2.INTER_NEAREST)
        return np.asarray(levels_HW, dtype=np.uint8) > 0


def random_warp(size_px: int, rng: np.random.Generator) -> Warp:
    """A warp by lot, for pictures with sides of `size_px`; bodies still go on below the picture."""
    y_HW, x_HW = np.mgrid[:size_px, :size_px].astype(np.float32)
    bend_HW2 = cv2.resize(
        rng.normal(0.0, BENT * size_px, (KNOTS, KNOTS, 2)).astype(np.float32),
        (size_px, size_px),
        interpolation=cv2.INTER_CUBIC,
    )
    scale, angle = rng.uniform(*SCALES), rng.uniform(-MOST_TILTED, MOST_TILTED)
    middle_px = size_px / 2
    across_px, down_px = rng.uniform(-1.0, 1.0, 2) * FARTHEST * size_px
    x_HW, y_HW = x_HW - middle_px - across_px, y_HW - middle_px - down_px
    turned_x_HW = (np.cos(angle) * x_HW - np.sin(angle) * y_HW) / scale
    turned_y_HW = (np.sin(angle) * x_HW + np.cos(angle) * y_HW) / scale
    return Warp(
        x_HW=np.asarray(turned_x_HW + middle_px + bend_HW2[..., 0], dtype=np.float32),
        y_HW=np.asarray(turned_y_HW + middle_px + bend_HW2[..., 1], dtype=np.float32),
    )
