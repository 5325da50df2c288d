"""Who sits for a portrait: one of the actor's own characters as it draws them, or a stranger, more than half of them bent as a whole.

Called where samples of portraits are made. Everything of a sitter is a pure function of the sample's number.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.draw import draw_frame
from training.actor.drawing.canvas import Picture
from training.actor.identity import Identity, sample_identity
from training.actor.strangers import sample_stranger
from training.data.portraits import SEED_STRIDE
from training.data.warps import Warp, random_warp

WARPED_SHARE: Final = 0.6  # of strangers


@dataclass(frozen=True, kw_only=True)
class Sitter:
    """A character, and the warp that all its pictures go through, if any."""

    identity: Identity
    warp: Warp | None = None

    def drawn(self, state_K: NDArray[np.float32], size_px: int) -> Picture:
        """Its picture in a state, uint8 RGB [size_px, size_px, 3]."""
        picture_HWC = draw_frame(self.identity, state_K, size_px)
        return picture_HWC if self.warp is None else self.warp.picture(picture_HWC)

    def masked(self, mask_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of such a picture, of the drawing as it would be without the warp."""
        return mask_HW if self.warp is None else self.warp.mask(mask_HW)


def random_sitter(number: int, *, first_identity: int, stranger_share: float, size_px: int) -> Sitter:
    """The sitter of a sample; warps fit pictures of `size_px`."""
    seed = first_identity + number * SEED_STRIDE % 999_983
    rng = np.random.default_rng([first_identity, number, 8])
    if rng.random() >= stranger_share:
        return Sitter(identity=sample_identity(seed))
    warp = random_warp(size_px, rng) if rng.random() < WARPED_SHARE else None
    return Sitter(identity=sample_stranger(seed), warp=warp)
