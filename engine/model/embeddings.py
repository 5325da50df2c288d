"""What enters and leaves the stack of blocks: patches, time, text, sound and the output head (Wan2.1).

Called by the transformer. It must not know attention.
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from engine.devices import exact
from engine.model.linear import Linear
from engine.model.modulation import modulated_norm, modulation_table
from engine.model_config import DitConfig


def patchify(latents_BFCHW: Tensor, patch_size: tuple[int, int, int]) -> Tensor:
    """Cut frames into patches: tokens in the order frame, row, column, channels in Conv3d's order (c, row, column)."""
    _, rows, columns = patch_size
    return rearrange(latents_BFCHW, "b f c (h i) (w j) -> b (f h w) (c i j)", i=rows, j=columns)


def unpatchify(tokens_BLC: Tensor, patch_size: tuple[int, int, int], frames: int, rows: int) -> Tensor:
    """Join patches again; on the way out the channel runs fastest (row, column, c). `rows` counts token rows."""
    _, i, j = patch_size
    return rearrange(tokens_BLC, "b (f h w) (i j c) -> b f c (h i) (w j)", f=frames, h=rows, i=i, j=j)


def sinusoid(timestep_BG: Tensor, frequency_dim: int) -> Tensor:
    """Sinusoidal embedding of timesteps on the 0..1000 scale, cosines first, in float64 (float32 costs 1e-5), where that is computed."""
    half, place = frequency_dim // 2, exact(timestep_BG.device)
    exponents = torch.arange(half, dtype=torch.float64, device=place) / half
    angles = timestep_BG.to(place).to(torch.float64)[..., None] * 10_000.0**-exponents
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def time_embedding(config: DitConfig) -> nn.Sequential:
    """Sinusoid of the timestep to the model's width."""
    return nn.Sequential(Linear(config.frequency_dim, config.dim), nn.SiLU(), Linear(config.dim, config.dim))


def time_projection(config: DitConfig) -> nn.Sequential:
    """Time embedding to the six modulation vectors that all blocks share."""
    return nn.Sequential(nn.SiLU(), Linear(config.dim, 6 * config.dim))


def text_embedding(config: DitConfig) -> nn.Sequential:
    """Text encoder rows to the model's width."""
    return nn.Sequential(
        Linear(config.text_dim, config.dim), nn.GELU(approximate="tanh"), Linear(config.dim, config.dim)
    )


def audio_embedding(audio_dim: int, config: DitConfig) -> nn.Sequential:
    """Audio encoder rows to the model's width; without biases, so that rows of zeros stay zeros."""
    return nn.Sequential(
        Linear(audio_dim, config.dim, bias=False),
        nn.GELU(approximate="tanh"),
        Linear(config.dim, config.dim, bias=False),
    )


class MotionEmbedding(nn.Module):
    """Motion rows to what they add to their latent; a row of zeros is no motion told and adds nothing."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Linear(config.motion_dim, config.dim), nn.SiLU(), Linear(config.dim, 2 * config.dim)
        )

    @property
    def last(self) -> nn.Linear:
        """The layer that is zero at the start of training."""
        layer = self.layers[-1]
        assert isinstance(layer, nn.Linear)
        return layer

    def forward(self, motion_BFM: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [B, F, M] to what is added to a latent's time embedding and to each of its tokens, [B, F, D] both."""
        is_told_BF1 = motion_BFM.any(dim=-1, keepdim=True)
        time_BFD, token_BFD = (self.layers(motion_BFM) * is_told_BF1).chunk(2, dim=-1)
        return time_BFD, token_BFD


class PosedEmbedding(nn.Module):
    """A film's anchor in the pose of each latent to what it adds to the tokens at its place."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.patches = Linear(config.in_channels * math.prod(config.patch_size), config.dim, bias=False)

    def forward(self, posed_BFCHW: Tensor) -> Tensor:
        """Latents [B, F, C, H, W] to what is added to video tokens, [B, L, D]."""
        added_BLD: Tensor = self.patches(patchify(posed_BFCHW, self.patch_size).to(self.patches.weight.dtype))
        return added_BLD


class Head(nn.Module):
    """Video tokens -> patches of the network's output, modulated by the unprojected time embedding."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.norm_eps = config.norm_eps
        rows, columns = config.patch_size[1:]
        self.head = Linear(config.dim, config.out_channels * rows * columns)
        self.modulation = modulation_table(2, config.dim)

    def forward(self, video_BLD: Tensor, time_BFD: Tensor) -> Tensor:
        """`time_BFD` is the time embedding of each latent frame."""
        shift_BFD, scale_BFD = (self.modulation.unsqueeze(1).float() + time_BFD.unsqueeze(2)).unbind(dim=2)
        return self.head(modulated_norm(video_BLD, shift_BFD, scale_BFD, self.norm_eps))  # type: ignore[no-any-return]
