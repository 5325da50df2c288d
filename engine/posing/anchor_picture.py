"""The picture that a film stays near: what is moved, painted and shown of it, and what it shows itself."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class AnchorPicture:
    """Pixels [B, 3, H, W] in [-1, 1], as large as films are shown, and the motion row [B, M] that they show: that of a character at
    rest, but for what it feels."""

    pixels_BCHW: Tensor
    row_BM: Tensor

    def repeated(self, count: int) -> "AnchorPicture":
        """All samples again and again, `count` times in all."""
        return AnchorPicture(pixels_BCHW=self.pixels_BCHW.repeat(count, 1, 1, 1), row_BM=self.row_BM.repeat(count, 1))
