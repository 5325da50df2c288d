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
