"""Pictures as a codec takes them."""

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine.media.pictures import square_crop


def as_pixels(picture_HWC: NDArray[np.uint8], size_px: int) -> Tensor:
    """A picture as pixels [1, 3, size, size] in [-1, 1]."""
    resized = square_crop(picture_HWC, size_px)
    return rearrange(torch.from_numpy(resized), "h w c -> 1 c h w").float() / 127.5 - 1.0


def as_bytes(pixels_TCHW: Tensor) -> NDArray[np.uint8]:
    """Frames of floats in [-1, 1] as a film takes them, uint8 RGB [T, H, W, 3]."""
    levels_TCHW = ((pixels_TCHW.float() + 1.0) * 127.5).clamp_(0.0, 255.0).round_()
    frames_THWC: NDArray[np.uint8] = levels_TCHW.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return frames_THWC
