"""Convolutions over time that look back only, and what they carry from one chunk of a film to the next.

A film cut into chunks and run with one `WanStream` gives what one run over the whole film gives.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS_LAST = torch.channels_last_3d


@dataclass(kw_only=True)
class WanStream:
    """The last frames that each layer has seen, by layer; empty at the start of a film."""

    past: dict[nn.Module, Tensor] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget the film so far."""
        self.past.clear()

    def __deepcopy__(self, memo: object) -> "WanStream":
        """The same moment of the film to go on from: frames are never changed in place, so both may hold them."""
        del memo
        return WanStream(past=dict(self.past))


class CausalConv(nn.Module):
    """A 3D convolution over frames [B, C, T, H, W]: centred in space, in time on the frame itself and those before it."""

    def __init__(self, channels_in: int, channels_out: int, taps_T: int, taps_HW: int) -> None:
        super().__init__()
        self.past_frames = taps_T - 1
        kernel, padding = (taps_T, taps_HW, taps_HW), (0, taps_HW // 2, taps_HW // 2)
        self.conv = nn.Conv3d(channels_in, channels_out, kernel, padding=padding)

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """As many frames out as in; before the film's start there are zeros."""
        past_BCTHW = stream.past.get(self)
        if past_BCTHW is None:
            past_BCTHW = self.nothing_before(x_BCTHW)
        joined_BCTHW = torch.cat([past_BCTHW.to(x_BCTHW.dtype), x_BCTHW], dim=2)
        stream.past[self] = joined_BCTHW[:, :, joined_BCTHW.shape[2] - self.past_frames :].clone()
        convolved: Tensor = self.conv(joined_BCTHW)
        return convolved

    def nothing_before(self, x_BCTHW: Tensor) -> Tensor:
        """The zeros that stand before a film's first frame."""
        return (
            torch.zeros_like(x_BCTHW[:, :, :1])
            .repeat(1, 1, self.past_frames, 1, 1)
            .contiguous(memory_format=CHANNELS_LAST)
        )


class DoubleTime(nn.Module):
    """Each frame to two, but for the film's first, which passes as it is and which no later frame sees."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.taps = CausalConv(channels, 2 * channels, 3, 1)

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """[B, C, T, H, W] to 2 T frames, 2 T - 1 at the film's start; half the channels are the earlier frame."""
        if self.taps in stream.past:
            return self._doubled(x_BCTHW, stream)
        stream.past[self.taps] = self.taps.nothing_before(x_BCTHW)
        first_BCTHW, rest_BCTHW = x_BCTHW[:, :, :1], x_BCTHW[:, :, 1:]
        if not rest_BCTHW.shape[2]:
            return first_BCTHW
        return torch.cat([first_BCTHW, self._doubled(rest_BCTHW, stream).to(x_BCTHW.dtype)], dim=2)

    def _doubled(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        earlier_BCTHW, later_BCTHW = self.taps(x_BCTHW, stream).chunk(2, dim=1)
        return torch.stack([earlier_BCTHW, later_BCTHW], dim=3).flatten(2, 3)


class HalveTime(nn.Module):
    """Two frames and the last one before them to one; the film's first frame passes as it is."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, (3, 1, 1), stride=(2, 1, 1))

    def forward(self, x_BCTHW: Tensor, stream: WanStream) -> Tensor:
        """[B, C, T, H, W] to T / 2 frames, T even; at the film's start (T + 1) / 2, T odd."""
        before_BCTHW = stream.past.get(self)
        stream.past[self] = x_BCTHW[:, :, -1:].clone()
        if before_BCTHW is not None:
            halved: Tensor = self.conv(torch.cat([before_BCTHW.to(x_BCTHW.dtype), x_BCTHW], dim=2))
            return halved
        first_BCTHW = x_BCTHW[:, :, :1]
        if x_BCTHW.shape[2] == 1:
            return first_BCTHW
        return torch.cat([first_BCTHW, self.conv(x_BCTHW).to(x_BCTHW.dtype)], dim=2)


class ChannelNorm(nn.Module):
    """Each position's channels to unit mean square (the length has no epsilon added to it), times a gain."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Same shape and dtype out as in; the length is taken in float32."""
        length_B1THW = torch.linalg.vector_norm(x_BCTHW, dim=1, keepdim=True, dtype=torch.float32)
        scale_B1THW = (len(self.gain) ** 0.5 / length_B1THW.clamp(min=1e-12)).to(x_BCTHW.dtype)
        normed_BCTHW: Tensor = x_BCTHW * scale_B1THW * self.gain.to(x_BCTHW.dtype)[:, None, None, None]
        return normed_BCTHW


def normed_silu(norm: ChannelNorm, x_BCTHW: Tensor) -> Tensor:
    """What stands before each convolution."""
    normed_BCTHW: Tensor = norm(x_BCTHW)
    return functional.silu(normed_BCTHW, inplace=not torch.is_grad_enabled())


def lay_channels_last(module: nn.Module) -> None:
    """Kernels with channels innermost, in place: a processor convolves a film some ten times as fast that way."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv3d | nn.Conv2d):
            layout = CHANNELS_LAST if isinstance(layer, nn.Conv3d) else torch.channels_last
            layer.weight.data = layer.weight.data.contiguous(memory_format=layout)
