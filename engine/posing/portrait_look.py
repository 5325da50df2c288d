"""One look at a portrait: a small U-Net over the picture and its coordinates, for whatever is said of each place of it.

Called by the pose flow and by what paints. A film costs one look; its frames are made of what was seen.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.codec.folded_layers import Grow, PixelNorm, ResidualBlock, Shrink
from engine.posing.sizes import smoothly_resized


class PortraitLook(nn.Module):
    """Pictures [B, 3, H, W] in [-1, 1], looked at with a side of `look_px`, to features [B, widths[0], look_px / 2, look_px / 2]."""

    def __init__(self, look_px: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.look_px = look_px
        self.stem = Shrink(5, widths[0], 2)
        self.looks = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.shrinks = nn.ModuleList(Shrink(wide, narrow, 2) for wide, narrow in pairwise(widths))
        self.grows = nn.ModuleList(Grow(narrow, wide, 2) for wide, narrow in pairwise(widths))
        self.tells = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.norm = PixelNorm(widths[0])

    def looked(self, picture_BCHW: Tensor) -> Tensor:
        """What is seen of a picture."""
        side = self.look_px
        seen_BCHW = smoothly_resized(picture_BCHW, (side, side))
        x_BCHW = self.looks[0](self.stem(torch.cat([seen_BCHW, coordinates(seen_BCHW)], dim=1)))
        levels = [x_BCHW]
        for shrink, look in zip(self.shrinks, self.looks[1:], strict=True):
            levels.append(look(shrink(levels[-1])))
        x_BCHW = self.tells[-1](levels.pop())
        for grow, tell in zip(reversed(self.grows), reversed(self.tells[:-1]), strict=True):
            x_BCHW = tell(grow(x_BCHW) + levels.pop())
        return functional.silu(self.norm(x_BCHW))


def check_look(look_px: int, widths: tuple[int, ...]) -> None:
    """`ValueError` unless a look can have this shape."""
    if not widths or min(widths) < 1:
        raise ValueError(f"widths are {widths}; there must be at least one, and each at least 1")
    if look_px < 1 or look_px % 2 ** len(widths):
        raise ValueError(f"look_px is {look_px}; it must be a multiple of {2 ** len(widths)}")


def coordinates(like_BCHW: Tensor) -> Tensor:
    """Where the middle of each pixel is, [B, 2, H, W], from -1 to 1, x before y."""
    height, width = like_BCHW.shape[-2:]
    y_H, x_W = (
        (torch.arange(count, device=like_BCHW.device, dtype=like_BCHW.dtype) + 0.5) / count * 2 - 1
        for count in (height, width)
    )
    grid_CHW = torch.stack([x_W.expand(height, width), y_H[:, None].expand(height, width)])
    return grid_CHW.expand(like_BCHW.shape[0], -1, -1, -1)
