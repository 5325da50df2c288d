"""The Wan VAE behind `VideoCodec`: the arithmetic of frames and latents, normalisation, streams in both directions.

Called by the engine for the larger presets. A film's first latent is its first frame; each later one is four frames. Both
directions run one latent at a time, so memory does not grow with the film.
"""

from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import Tensor, nn

from engine.codec.protocol import DecoderState, Finish
from engine.codec.wan.causal import CHANNELS_LAST, WanStream, lay_channels_last
from engine.codec.wan.config import WanVaeConfig
from engine.codec.wan.networks import WanDecoder, WanEncoder


@dataclass(kw_only=True)
class WanEncoderState:
    """What a streaming encoder carries: the layers' past, and frames that do not fill a latent yet, [B, T, 3, H, W]."""

    stream: WanStream = field(default_factory=WanStream)
    waiting_BTCHW: Tensor | None = None

    @property
    def is_at_start(self) -> bool:
        """Whether no frame of the film was encoded yet."""
        return not self.stream.past

    def reset(self) -> None:
        """Forget the film so far."""
        self.stream.reset()
        self.waiting_BTCHW = None


class WanVae(nn.Module):
    """Satisfies `VideoCodec`. Sources: Wan2.1 (arXiv 2503.20314, section 4.1) and its published weights."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.latent_channels
        self.encoder = WanEncoder(config)
        self.mix_moments = nn.Conv3d(2 * channels, 2 * channels, 1)
        self.mix_latents = nn.Conv3d(channels, channels, 1)
        self.decoder = WanDecoder(config)
        self.register_buffer("latent_mean", torch.tensor(config.latent_mean), persistent=False)
        self.register_buffer("latent_std", torch.tensor(config.latent_std), persistent=False)
        lay_channels_last(self)
        self.register_load_state_dict_post_hook(lambda module, _: lay_channels_last(module))  # type: ignore[no-untyped-call]

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
        """Picture frames that each latent after the first adds."""
        return self.config.frames_per_latent

    def num_latents(self, num_frames: int) -> int:
        """Latent frames that cover `num_frames` picture frames: the first one frame, the last perhaps in part."""
        return 0 if num_frames <= 0 else 1 - (1 - num_frames) // self.frames_per_latent

    def num_frames(self, num_latents: int) -> int:
        """Picture frames that `num_latents` latent frames decode to."""
        return 0 if num_latents <= 0 else 1 + (num_latents - 1) * self.frames_per_latent

    def posterior(self, pixels_BTCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the unnormalised latents, each [B, F, C, h, w], of a film [B, 1 + 4 n, 3, H, W].

        `ValueError` for frames that would fill no latent.
        """
        num_frames = pixels_BTCHW.shape[1]
        if num_frames < 1 or self.num_frames(self.num_latents(num_frames)) != num_frames:
            raise ValueError(
                f"a Wan VAE takes one frame and then groups of {self.frames_per_latent}, got {num_frames} frames"
            )
        mean_BFCHW, log_variance_BFCHW = self._moments(pixels_BTCHW, WanEncoderState()).chunk(2, dim=2)
        return mean_BFCHW, log_variance_BFCHW

    def encode(self, pixels_BTCHW: Tensor) -> Tensor:
        """A film [B, 1 + 4 n, 3, H, W] in [-1, 1] to the normalised mean of the posterior, [B, 1 + n, C, h, w]."""
        return self._normalised(self.posterior(pixels_BTCHW)[0])

    def encode_still(self, pixels_BCHW: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] to one latent frame each, [B, C, h, w]: a picture is a film of one frame."""
        return self.encode(pixels_BCHW[:, None])[:, 0]

    def initial_encoder_state(self) -> WanEncoderState:
        """The state before the first frame of a film."""
        return WanEncoderState()

    def encode_chunk(self, pixels_BTCHW: Tensor, state: WanEncoderState) -> Tensor:
        """The next frames of a film, as many as there are, to the latents that they complete, [B, F >= 0, C, h, w].

        Equals `encode` over any cut of a film; frames that do not fill a latent wait in `state`.
        """
        return self._normalised(self._moments(pixels_BTCHW, state).chunk(2, dim=2)[0])

    def initial_state(self) -> WanStream:
        """The state before the first latent of a film."""
        return WanStream()

    def decode_chunk(self, latents_BFCHW: Tensor, state: DecoderState, finish: Finish | None = None) -> Tensor:
        """The next normalised latents to pixels [B, T, 3, H, W], not clamped: one frame for the film's first, then four."""
        assert isinstance(state, WanStream)
        raw_BFCHW = latents_BFCHW * self._per_channel("latent_std") + self._per_channel("latent_mean")
        mixed_BCFHW = self.mix_latents(
            rearrange(raw_BFCHW, "b f c h w -> b c f h w").contiguous(memory_format=CHANNELS_LAST)
        )
        frames = [self.decoder(latent_BCFHW, state) for latent_BCFHW in mixed_BCFHW.split(1, dim=2)]
        pixels_BTCHW: Tensor = rearrange(torch.cat(frames, dim=2), "b c t h w -> b t c h w")
        return pixels_BTCHW if finish is None else finish(pixels_BTCHW)

    def decode(self, latents_BFCHW: Tensor) -> Tensor:
        """A whole film at once; equals `decode_chunk` over any cut of it."""
        return self.decode_chunk(latents_BFCHW, self.initial_state())

    def _moments(self, pixels_BTCHW: Tensor, state: WanEncoderState) -> Tensor:
        """Moments [B, F, 2 C, h, w] in float32 of the latents that these frames complete."""
        self._check_sides(pixels_BTCHW)
        if state.waiting_BTCHW is not None:
            pixels_BTCHW = torch.cat([state.waiting_BTCHW, pixels_BTCHW], dim=1)
        moments = [
            self.mix_moments(self.encoder(group_BCTHW, state.stream))
            for group_BCTHW in self._groups(pixels_BTCHW, state)
        ]
        batch, _, _, height, width = pixels_BTCHW.shape
        stride, channels = self.spatial_stride, 2 * self.latent_channels
        if not moments:
            return pixels_BTCHW.new_zeros(batch, 0, channels, height // stride, width // stride, dtype=torch.float32)
        moments_BFCHW: Tensor = rearrange(torch.cat(moments, dim=2), "b c f h w -> b f c h w")
        return moments_BFCHW.float()

    def _groups(self, pixels_BTCHW: Tensor, state: WanEncoderState) -> list[Tensor]:
        """The frames of each latent that is complete, [B, 3, 1 or 4, H, W]; the rest waits in `state`."""
        sizes = [1] if state.is_at_start else []
        first = sum(sizes)
        num_groups, num_waiting = divmod(pixels_BTCHW.shape[1] - first, self.frames_per_latent)
        if num_groups < 0:
            return []
        sizes += [self.frames_per_latent] * num_groups
        *groups, waiting_BTCHW = torch.split(pixels_BTCHW, [*sizes, num_waiting], dim=1)
        state.waiting_BTCHW = waiting_BTCHW.clone()
        return [
            rearrange(group_BTCHW, "b t c h w -> b c t h w").contiguous(memory_format=CHANNELS_LAST)
            for group_BTCHW in groups
        ]

    def _normalised(self, mean_BFCHW: Tensor) -> Tensor:
        return (mean_BFCHW - self._per_channel("latent_mean")) / self._per_channel("latent_std")

    def _per_channel(self, name: str) -> Tensor:
        return self.get_buffer(name)[:, None, None]

    def _check_sides(self, pixels_BTCHW: Tensor) -> None:
        height, width = pixels_BTCHW.shape[-2:]
        if pixels_BTCHW.ndim != 5 or height % self.spatial_stride or width % self.spatial_stride:
            raise ValueError(
                f"a Wan VAE takes [B, T, 3, H, W] with sides in multiples of {self.spatial_stride} px, "
                f"got {list(pixels_BTCHW.shape)}"
            )
