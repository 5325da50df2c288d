"""The small codec: four frames folded into the channels of one picture, then a 2D convolutional VAE.

Called by the engine through `VideoCodec` and by its own trainer. Time enters in two places only: the fold, and the decoder
seeing the latent before (so motion can run on across latents); a still is its frame four times. The encoder of each latent
sees its own four frames and nothing else, hence it is causal; the decoder carries one latent frame, and where its config asks for
smooth borders (see `border_smoothing`) the last two pictures.

A latent may have *fine* channels besides (`fine_channels`): linear measures of the pixels of each place, which decoded pictures are made to
agree with. They are folded into a position's channels behind the others, so everybody else sees one latent with more channels.
"""

from dataclasses import dataclass, field
from math import prod

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from engine.codec.border_smoothing import FRAMES_BEFORE, smooth_borders
from engine.codec.fine_channels import FineChannels
from engine.codec.folded_layers import Grow, PixelNorm, ResidualBlock, Shrink
from engine.codec.protocol import DecoderState, Finish

LEVELS_PER_UNIT = 127.5  # of pixels in [-1, 1]
LEAST_LOG_VARIANCE = -12.0  # of a posterior; fine channels, which are measured, have no more


@dataclass(frozen=True, kw_only=True)
class FoldedVaeConfig:
    """Shape of a folded VAE. `strides[i]` shrinks the picture on the way into level i; their product is the spatial stride.

    Of a position's `latent_channels`, `fine_channels` belong to each of the `strides[-1]` by `strides[-1]` places inside of it, and the
    others, which come first, to all of it.

    `border_step_levels` is how large a step between the frames of two latents may be, in levels of 0..255, to be taken for noise
    and spread over the later latent's frames; 0 leaves all as it was decoded.
    """

    frames_per_latent: int = 4
    latent_channels: int = 64
    fine_channels: int = 0
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
        if self.fine_channels and (len(self.strides) < 2 or self.coarse_channels <= 0):
            raise ValueError(
                f"{self.fine_channels} fine channels of a folded VAE leave nothing of {self.latent_channels} channels or "
                f"{len(self.strides)} levels to whole positions"
            )
        if min(self.strides) < 2:
            raise ValueError(f"each level must shrink the picture, got strides {self.strides}")
        if not 0.0 <= self.border_step_levels < 256.0:
            raise ValueError(f"a step at a border has 0 to 255 levels, not {self.border_step_levels}")
        if self.border_step_levels and self.frames_per_latent < FRAMES_BEFORE:
            raise ValueError("latents of one frame have no borders to smooth")

    @property
    def spatial_stride(self) -> int:
        """Pixels along one side of a latent position."""
        return prod(self.strides)

    @property
    def coarse_channels(self) -> int:
        """Channels that belong to a whole latent position."""
        return self.latent_channels - self.fine_channels * self.strides[-1] ** 2


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


class FoldedVae(nn.Module):
    """The codec of `lpm-tiny`; see the module's text. Satisfies `VideoCodec`."""

    def __init__(self, config: FoldedVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config)
        self.decoder = build_decoder(config)
        self.fine: FineChannels | None = None
        if config.fine_channels:
            place_px = config.spatial_stride // config.strides[-1]
            self.fine = FineChannels(config.fine_channels, config.frames_per_latent, place_px, config.strides[-1])
            self.fine_entry = nn.Conv2d(2 * config.fine_channels, config.decoder_widths[-2], 3, padding=1)
            nn.init.zeros_(self.fine_entry.weight)
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
    def finest_level(self) -> tuple[str, ...]:
        """The beginnings of the names of what the decoder draws with last: the level of `strides[0]` and the step to pixels."""
        num_last = self.config.decoder_blocks[0] + 2  # a norm and the step behind them
        return tuple(f"decoder.{index}." for index in range(len(self.decoder) - num_last, len(self.decoder)))

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
        moments_BCHW = self.encoder(folded_BCHW.contiguous(memory_format=torch.channels_last)).float()
        mean_BCHW, log_variance_BCHW = moments_BCHW.chunk(2, dim=1)
        log_variance_BCHW = (log_variance_BCHW - 5.0).clamp(LEAST_LOG_VARIANCE, 4.0)
        if self.fine is not None:
            fine_BCHW = self.fine.into_positions(self.fine.measure(folded_BCHW))
            mean_BCHW = torch.cat([mean_BCHW, fine_BCHW], dim=1)
            surely_BCHW = torch.full_like(fine_BCHW, LEAST_LOG_VARIANCE)
            log_variance_BCHW = torch.cat([log_variance_BCHW, surely_BCHW], dim=1)
        batch = pixels_BTCHW.shape[0]
        return mean_BCHW.unflatten(0, (batch, -1)), log_variance_BCHW.unflatten(0, (batch, -1))

    def reconstruct(self, latents_BFCHW: Tensor, previous_BFCHW: Tensor) -> Tensor:
        """Unnormalised latents, each beside the one before it, to pixels [B, 4 F, 3, H, W]."""
        coarse, fine = slice(self.config.coarse_channels), slice(self.config.coarse_channels, None)
        first_step = 1 + self.config.decoder_blocks[-1] + 1
        layers = list(self.decoder)
        folded_BCHW = _drawn(layers[:first_step], _beside(latents_BFCHW[:, :, coarse], previous_BFCHW[:, :, coarse]))
        if self.fine is None:
            folded_BCHW = _drawn(layers[first_step:], folded_BCHW)
        else:
            fine_BDHW = self.fine.out_of_positions(latents_BFCHW[:, :, fine])
            before_BDHW = self.fine.out_of_positions(previous_BFCHW[:, :, fine])
            seen = [self.fine.as_seen(measures_BDHW) for measures_BDHW in (fine_BDHW, before_BDHW)]
            folded_BCHW = folded_BCHW + self.fine_entry(torch.cat(seen, dim=1))
            folded_BCHW = self.fine.agreeing(_drawn(layers[first_step:], folded_BCHW), fine_BDHW)
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


def _beside(latents_BFCHW: Tensor, previous_BFCHW: Tensor) -> Tensor:
    """Each latent and the one before it in the channels of one picture, [(B F), 2 C, H, W]."""
    both_BCHW = rearrange(torch.cat([latents_BFCHW, previous_BFCHW], dim=2), "b f c h w -> (b f) c h w")
    return both_BCHW.contiguous(memory_format=torch.channels_last)


def _drawn(layers: list[nn.Module], x_BCHW: Tensor) -> Tensor:
    for layer in layers:
        x_BCHW = layer(x_BCHW)
    return x_BCHW


def build_encoder(config: FoldedVaeConfig) -> nn.Sequential:
    """Folded pixels [B, 4 * 3, H, W] to moments of what belongs to whole positions, [B, 2 C, h, w]."""
    layers: list[nn.Module] = []
    channels = 3 * config.frames_per_latent
    for stride, width, num_blocks in zip(config.strides, config.encoder_widths, config.encoder_blocks, strict=True):
        layers.append(Shrink(channels, width, stride))
        layers.extend(ResidualBlock(width) for _ in range(num_blocks))
        channels = width
    layers.append(PixelNorm(channels))
    layers.append(nn.Conv2d(channels, 2 * config.coarse_channels, 1))
    return nn.Sequential(*layers)


def build_decoder(config: FoldedVaeConfig) -> nn.Sequential:
    """A latent beside its predecessor, [B, 2 C, h, w], to folded pixels [B, 4 * 3, H, W]."""
    widths, blocks = config.decoder_widths[::-1], config.decoder_blocks[::-1]
    layers: list[nn.Module] = [nn.Conv2d(2 * config.coarse_channels, widths[0], 3, padding=1)]
    following = (*widths[1:], 3 * config.frames_per_latent)
    for width, num_blocks, channels_out, stride in zip(widths, blocks, following, config.strides[::-1], strict=True):
        layers.extend(ResidualBlock(width) for _ in range(num_blocks))
        if channels_out == following[-1]:
            layers.append(PixelNorm(width))
        layers.append(Grow(width, channels_out, stride))
    return nn.Sequential(*layers)
