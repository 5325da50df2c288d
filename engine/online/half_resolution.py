"""Latents and keys at half the resolution and back: how the refiner saves three quarters of its work when time is short."""

import torch
from einops import rearrange, repeat
from torch import Tensor
from torch.nn import functional

from engine.model.chunk import KeysValues


def halved(latents_BFCHW: Tensor) -> Tensor:
    """The mean of each 2 x 2 positions."""
    batch = latents_BFCHW.shape[0]
    pooled = functional.avg_pool2d(latents_BFCHW.flatten(0, 1), 2)
    return rearrange(pooled, "(b f) c h w -> b f c h w", b=batch)


def halved_noise(noise_BFCHW: Tensor) -> Tensor:
    """Unit noise from unit noise: the mean of four is half as strong."""
    return 2 * halved(noise_BFCHW)


def doubled(latents_BFCHW: Tensor) -> Tensor:
    """Between positions along straight lines."""
    batch = latents_BFCHW.shape[0]
    grown = functional.interpolate(latents_BFCHW.flatten(0, 1), scale_factor=2, mode="bilinear", align_corners=False)
    return rearrange(grown, "(b f) c h w -> b f c h w", b=batch)


def spread_over(layers: tuple[KeysValues, ...], grid_HW: tuple[int, int]) -> tuple[KeysValues, ...]:
    """Keys and values of a half grid for each token of the whole one, [B, F*H*W, N, K]: four tokens share theirs."""

    def spread(x_BSNK: Tensor) -> Tensor:
        rows, columns = grid_HW[0] // 2, grid_HW[1] // 2
        return repeat(x_BSNK, "b (f h w) n k -> b (f h i w j) n k", h=rows, w=columns, i=2, j=2)

    return tuple(KeysValues(k_BSNK=spread(own.k_BSNK), v_BSNK=spread(own.v_BSNK)) for own in layers)


def can_halve(latents_CHW: torch.Size, patch_size: tuple[int, int, int]) -> bool:
    """Whether latents of this shape have a half grid of whole patches."""
    return latents_CHW[-2] % (2 * patch_size[1]) == 0 and latents_CHW[-1] % (2 * patch_size[2]) == 0
