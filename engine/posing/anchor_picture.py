"""The picture that a film stays near: what is moved, painted and shown of it, and what it shows itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class AnchorPicture:
    """Pixels [B, 3, H, W] in [-1, 1], as large as films are shown, and the motion row [B, M] that they show: that of a character at
    rest, but for what it feels. `views` are pictures of the same size of the same character from other sides, at rest, by their names
    (`engine.posing.turning.VIEW_TURNS`)."""

    pixels_BCHW: Tensor
    row_BM: Tensor
    views: Mapping[str, Tensor] = field(default_factory=dict)

    def repeated(self, count: int) -> "AnchorPicture":
        """All samples again and again, `count` times in all."""
        return AnchorPicture(
            pixels_BCHW=self.pixels_BCHW.repeat(count, 1, 1, 1),
            row_BM=self.row_BM.repeat(count, 1),
            views={view: pixels_BCHW.repeat(count, 1, 1, 1) for view, pixels_BCHW in self.views.items()},
        )
