"""A portrait taken apart: the character, and what stands still behind it (a clean plate), so that a head that moves takes no wall along.

The plate is known where nobody stands before it; behind the character it is filled from there, coarse before fine (push and pull: Gortler
et al. 1996). The character is what the portrait has beyond the plate, times its matte, so both laid over each other are the portrait again
to the last digit, however good the matte is (Porter and Duff 1984). Called by `engine.posing.poser`. It must not know who makes mattes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.posing.sizes import size_of, smoothly_resized

BARE = 0.02  # of a matte: with less than that nobody stands there


@dataclass(frozen=True, kw_only=True)
class Layers:
    """`character_BCHW` [B, 4, H, W]: colours times the matte, and the matte; `plate_BCHW` [B, 3, H, W]: what is behind."""

    character_BCHW: Tensor
    plate_BCHW: Tensor

    def composed(self, character_BTCHW: Tensor) -> Tensor:
        """Moved characters [B, T, 4, H, W] before the plate that stays, [B, T, 3, H, W]."""
        colours_BTCHW, matte_BTCHW = character_BTCHW[:, :, :3], character_BTCHW[:, :, 3:]
        return torch.addcmul(colours_BTCHW, 1.0 - matte_BTCHW.clamp(0.0, 1.0), self.plate_BCHW[:, None])


def layers_of(picture_BCHW: Tensor, matte_BCHW: Tensor) -> Layers:
    """The layers of pictures [B, 3, H, W] whose mattes are [B, 1, h, w], of any size, 1 where the character is."""
    matte_BCHW = smoothly_resized(matte_BCHW, size_of(picture_BCHW))
    plate_BCHW = clean_plate(picture_BCHW, (matte_BCHW < BARE).to(picture_BCHW))
    colours_BCHW = picture_BCHW - (1.0 - matte_BCHW) * plate_BCHW
    return Layers(character_BCHW=torch.cat([colours_BCHW, matte_BCHW], dim=1), plate_BCHW=plate_BCHW)


def clean_plate(picture_BCHW: Tensor, is_bare_BCHW: Tensor) -> Tensor:
    """Pictures as they are where they are bare, [B, 1, H, W] of zeros and ones, and filled from around where they are not."""
    if min(picture_BCHW.shape[-2:]) == 1:
        weight_BCHW = is_bare_BCHW.mean(dim=(2, 3), keepdim=True)
        mean_BCHW = (picture_BCHW * is_bare_BCHW).mean(dim=(2, 3), keepdim=True) / weight_BCHW.clamp(min=1e-6)
        return torch.where(is_bare_BCHW > 0, picture_BCHW, mean_BCHW.expand_as(picture_BCHW))
    weights_BCHW = functional.avg_pool2d(is_bare_BCHW, 2, ceil_mode=True)
    coarse_BCHW = functional.avg_pool2d(picture_BCHW * is_bare_BCHW, 2, ceil_mode=True) / weights_BCHW.clamp(min=1e-6)
    behind_BCHW = clean_plate(coarse_BCHW, (weights_BCHW > 0).to(weights_BCHW))
    behind_BCHW = functional.interpolate(behind_BCHW, picture_BCHW.shape[-2:], mode="bilinear")
    return torch.where(is_bare_BCHW > 0, picture_BCHW, behind_BCHW)
