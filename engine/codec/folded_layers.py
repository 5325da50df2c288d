"""The layers of the folded VAE: blocks, and changes of resolution with shortcuts that have no parameters.

The shortcuts follow DC-AE's idea (Chen et al. 2024): space is folded into channels and groups of channels are averaged, or the other
way round, so that a network starts out as a crude but working linear codec.
"""

from typing import cast

import torch
from einops import reduce, repeat
from torch import Tensor, nn
from torch.nn import functional


class PixelNorm(nn.Module):
    """RMSNorm over the channels of each position of a [B, C, H, W] map."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(num_channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The map with unit mean square over channels, times the learned gain."""
        mean_square_B1HW = x_BCHW.square().mean(dim=1, keepdim=True, dtype=torch.float32)
        scale_B1HW = torch.rsqrt(mean_square_B1HW + 1e-6).to(x_BCHW.dtype)
        return x_BCHW * scale_B1HW * self.gain.to(x_BCHW.dtype)[:, None, None]


class ResidualBlock(nn.Module):
    """Norm, two 3x3 convolutions, and the way around them."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.norm = PixelNorm(num_channels)
        self.conv_in = nn.Conv2d(num_channels, num_channels, 3, padding=1)
        self.conv_out = nn.Conv2d(num_channels, num_channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Same shape out as in."""
        hidden_BCHW = functional.silu(self.conv_in(self.norm(x_BCHW)))
        return x_BCHW + cast(Tensor, self.conv_out(hidden_BCHW))


class Shrink(nn.Module):
    """Space to channels and a convolution, beside a shortcut that averages groups of channels."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.channels_out = stride, channels_out
        kernel = 3 if stride > 3 else 1
        self.conv = nn.Conv2d(channels_in * stride * stride, channels_out, kernel, padding=kernel // 2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] to [B, channels_out, H / stride, W / stride]."""
        folded_BCHW = functional.pixel_unshuffle(x_BCHW, self.stride)
        return cast(Tensor, self.conv(folded_BCHW)) + match_channels(folded_BCHW, self.channels_out)


class Grow(nn.Module):
    """A convolution and channels to space, beside a shortcut that repeats channels."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.channels_folded = stride, channels_out * stride * stride
        kernel = 3 if stride > 3 else 1
        self.conv = nn.Conv2d(channels_in, self.channels_folded, kernel, padding=kernel // 2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """[B, C, H, W] to [B, channels_out, H * stride, W * stride]."""
        folded_BCHW = self.conv(x_BCHW) + match_channels(x_BCHW, self.channels_folded)
        return functional.pixel_shuffle(folded_BCHW, self.stride)


def match_channels(x_BCHW: Tensor, num_channels: int) -> Tensor:
    """The parameter-free shortcut: groups of channels averaged, or each channel repeated, whatever the ratio."""
    channels_in = x_BCHW.shape[1]
    if channels_in == num_channels:
        return x_BCHW
    if channels_in % num_channels == 0:
        return reduce(x_BCHW, "b (c group) h w -> b c h w", "mean", c=num_channels)
    if num_channels % channels_in == 0:
        return repeat(x_BCHW, "b c h w -> b (c copies) h w", copies=num_channels // channels_in)
    index_C = torch.arange(num_channels, device=x_BCHW.device) * channels_in // num_channels
    return x_BCHW[:, index_C]
