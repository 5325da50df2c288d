"""The small codec: four frames folded into the channels of one picture, then a 2D convolutional VAE.

Called by the engine through `VideoCodec` and by its own trainer. Time enters in two places only: the fold, and the decoder
seeing the latent before (so motion can run on across latents); a still is its frame four times. The encoder of each latent
sees its own four frames and nothing else, hence it is causal; the decoder carries one latent frame, and where its config asks for
smooth borders (see `border_smoothing`) the last two pictures.

Layers follow DC-AE's idea (Chen et al. 2024): every change of resolution has a parameter-free space-to-channel shortcut, so
that the network starts out as a crude but working linear codec.
"""

from dataclasses import dataclass, field
from typing import cast

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn
from torch.nn import functional

from engine.codec.border_smoothing import FRAMES_BEFORE, smooth_borders
from engine.codec.protocol import DecoderState, Finish

LEVELS_PER_UNIT = 127.5  # of pixels in [-1, 1]


@dataclass(frozen=True, kw_only=True)
class FoldedVaeConfig:
    """Shape of a folded VAE. `strides[i]` shrinks the picture on the way into level i; their product is the spatial stride.

    `border_step_levels` is how large a step between the frames of two latents may be, in levels of 0..255, to be taken for noise
    and spread over the later latent's frames; 0 leaves all as it was decoded.
    """

    frames_per_latent: int = 4
    latent_channels: int = 64
    strides: tuple[int, ...] = (4, 2, 3)
    encoder_widths: tuple[int, ...] = (80, 160, 320)
    encoder_blocks: tuple[int, ...] = (1, 1, 2)
    decoder_widths: tuple[int, ...] = (96, 192, 320)
    decoder_blocks: tuple[int, ...] = (2, 2, 3)
    border_step_levels: float = 0.0

    def __post_init__(self) -> None:
        lengths = {
            len(levels)
            for levels in (
                self.strides,
                self.encoder_widths,
                self.encoder_blocks,
                self.decoder_widths,
                self.decoder_blocks,
            )
        }
        if len(lengths) != 1:
            raise ValueError("strides, widths and blocks of a folded VAE must name the same number of levels")
        if min(self.strides) < 2:
            raise ValueError(f"each level must shrink the picture, got strides {self.strides}")
        if not 0.0 <= self.border_step_levels < 256.0:
            raise ValueError(f"a step at a border has 0 to 255 levels, not {self.border_step_levels}")
        if self.border_step_levels and self.frames_per_latent < FRAMES_BEFORE:
            raise ValueError("latents of one frame have no borders to smooth")

    @property
    def spatial_stride(self) -> int:
        """Pixels along one side of a latent position."""
        stride = 1
        for level_stride in self.strides:
            stride *= level_stride
        return stride


@dataclass(kw_only=True)
class FoldedDecoderState:
    """The latent before the next chunk, [B, C, h, w], and the last pictures as decoded, [B, 2, 3, H, W], where borders are smoothed.

    None at the start of a film.
    """

    previous_BCHW: Tensor | None = field(default=None)
    pictures_B2CHW: Tensor | None = field(default=None)

    def reset(self) -> None:
        """Forget the film so far."""
        self.previous_BCHW = None
        self.pictures_B2CHW = None


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


class FoldedVae(nn.Module):
    """The codec of `lpm-tiny`; see the module's text. Satisfies `VideoCodec`."""

    def __init__(self, config: FoldedVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config)
        self.decoder = build_decoder(config)
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))

    @property
    def latent_channels(self) -> int:
        """Channels of one latent position."""
        return self.config.latent_channels

    @property
    def spatial_stride(self) -> int:
        """Pixels along one side of a latent position."""
        return self.config.spatial_stride

    @property
    def frames_per_latent(self) -> int:
        """Picture frames that one latent frame adds to a film."""
        return self.config.frames_per_latent

    def num_latents(self, num_frames: int) -> int:
        """Latent frames that cover `num_frames` picture frames, the last one perhaps in part."""
        return -(-num_frames // self.config.frames_per_latent)

    def num_frames(self, num_latents: int) -> int:
        """Picture frames that `num_latents` latent frames decode to."""
        return num_latents * self.config.frames_per_latent

    def posterior(self, pixels_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the unnormalised latents, each [B, F, C, h, w], of pixels [B, 4 F, 3, H, W] in [-1, 1]."""
        self._check_pixels(pixels_BTCHW)
        folded_BCHW = rearrange(
            pixels_BTCHW, "b (f fold) c h w -> (b f) (fold c) h w", fold=self.config.frames_per_latent
        )
        moments_BCHW = self.encoder(folded_BCHW.contiguous(memory_format=torch.channels_last))
        moments_BFCHW = rearrange(moments_BCHW, "(b f) c h w -> b f c h w", b=pixels_BTCHW.shape[0])
        mean_BFCHW, log_variance_BFCHW = moments_BFCHW.float().chunk(2, dim=2)
        return mean_BFCHW, (log_variance_BFCHW - 5.0).clamp(-12.0, 4.0)

    def reconstruct(self, latents_BFCHW: Tensor, previous_BFCHW: Tensor) -> Tensor:
        """Unnormalised latents, each beside the one before it, to pixels [B, 4 F, 3, H, W]."""
        both_BCHW = rearrange(torch.cat([latents_BFCHW, previous_BFCHW], dim=2), "b f c h w -> (b f) c h w")
        folded_BCHW = self.decoder(both_BCHW.contiguous(memory_format=torch.channels_last))
        pixels_BTCHW: Tensor = rearrange(
            folded_BCHW,
            "(b f) (fold c) h w -> b (f fold) c h w",
            b=latents_BFCHW.shape[0],
            fold=self.config.frames_per_latent,
        )
        return pixels_BTCHW

    def encode(self, pixels_BTCHW: Tensor) -> Tensor:
        """Pixels [B, 4 F, 3, H, W] in [-1, 1] to the normalised mean of the posterior, [B, F, C, h, w]."""
        mean_BFCHW, _ = self.posterior(pixels_BTCHW)
        return (mean_BFCHW - self._per_channel("latent_mean")) / self._per_channel("latent_std")

    def encode_still(self, pixels_BCHW: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] to one latent frame each, [B, C, h, w]."""
        film_BTCHW = repeat(pixels_BCHW, "b c h w -> b fold c h w", fold=self.config.frames_per_latent)
        return self.encode(film_BTCHW)[:, 0]

    def initial_state(self) -> FoldedDecoderState:
        """The state before the first chunk of a film."""
        return FoldedDecoderState()

    def state_behind(self, latent_BCHW: Tensor) -> FoldedDecoderState:
        """The state behind a normalised latent whose pictures nobody asks for, so that borders with them are not smoothed."""
        return FoldedDecoderState(
            previous_BCHW=latent_BCHW * self._per_channel("latent_std") + self._per_channel("latent_mean")
        )

    def decode_chunk(self, latents_BFCHW: Tensor, state: DecoderState, finish: Finish | None = None) -> Tensor:
        """The next normalised latents to pixels [B, 4 F, 3, H, W]; the first latent of a film stands before itself."""
        assert isinstance(state, FoldedDecoderState)
        raw_BFCHW = latents_BFCHW * self._per_channel("latent_std") + self._per_channel("latent_mean")
        first_BCHW = raw_BFCHW[:, 0] if state.previous_BCHW is None else state.previous_BCHW
        state.previous_BCHW = raw_BFCHW[:, -1]
        pixels_BTCHW = self.reconstruct(raw_BFCHW, shifted_by_one(raw_BFCHW, first_BCHW))
        if finish is not None:
            pixels_BTCHW = finish(pixels_BTCHW)
        if not self.config.border_step_levels:
            return pixels_BTCHW
        before_B2CHW, state.pictures_B2CHW = state.pictures_B2CHW, pixels_BTCHW[:, -FRAMES_BEFORE:].clone()
        limit = self.config.border_step_levels / LEVELS_PER_UNIT
        return smooth_borders(pixels_BTCHW, before_B2CHW, self.frames_per_latent, limit)

    def decode(self, latents_BFCHW: Tensor) -> Tensor:
        """A whole film at once; equals `decode_chunk` over any cut of it."""
        return self.decode_chunk(latents_BFCHW, self.initial_state())

    def _per_channel(self, name: str) -> Tensor:
        return self.get_buffer(name)[:, None, None]

    def _check_pixels(self, pixels_BTCHW: Tensor) -> None:
        num_frames, height, width = pixels_BTCHW.shape[1], pixels_BTCHW.shape[3], pixels_BTCHW.shape[4]
        stride, fold = self.spatial_stride, self.frames_per_latent
        if num_frames % fold or height % stride or width % stride:
            raise ValueError(
                f"a folded VAE takes frames in groups of {fold} and sides in multiples of {stride} px, "
                f"got {num_frames} frames of {height}x{width} px"
            )


def shifted_by_one(latents_BFCHW: Tensor, first_BCHW: Tensor) -> Tensor:
    """Each latent's predecessor: `first_BCHW`, then all but the last of `latents_BFCHW`."""
    return torch.cat([first_BCHW[:, None], latents_BFCHW[:, :-1]], dim=1)


def build_encoder(config: FoldedVaeConfig) -> nn.Sequential:
    """Folded pixels [B, 4 * 3, H, W] to moments [B, 2 C, h, w]."""
    layers: list[nn.Module] = []
    channels = 3 * config.frames_per_latent
    for stride, width, num_blocks in zip(config.strides, config.encoder_widths, config.encoder_blocks, strict=True):
        layers.append(Shrink(channels, width, stride))
        layers.extend(ResidualBlock(width) for _ in range(num_blocks))
        channels = width
    layers.append(PixelNorm(channels))
    layers.append(nn.Conv2d(channels, 2 * config.latent_channels, 1))
    return nn.Sequential(*layers)


def build_decoder(config: FoldedVaeConfig) -> nn.Sequential:
    """A latent beside its predecessor, [B, 2 C, h, w], to folded pixels [B, 4 * 3, H, W]."""
    widths, blocks = config.decoder_widths[::-1], config.decoder_blocks[::-1]
    layers: list[nn.Module] = [nn.Conv2d(2 * config.latent_channels, widths[0], 3, padding=1)]
    following = (*widths[1:], 3 * config.frames_per_latent)
    for width, num_blocks, channels_out, stride in zip(widths, blocks, following, config.strides[::-1], strict=True):
        layers.extend(ResidualBlock(width) for _ in range(num_blocks))
        if channels_out == following[-1]:
            layers.append(PixelNorm(width))
        layers.append(Grow(width, channels_out, stride))
    return nn.Sequential(*layers)
