"""What latents show, read from them: a perceptual cost in the actor's own terms.

A squared error over latents counts a patch of background like a raised brow. `LatentReader` is trained on true latents to tell
the actor's exact state; frozen, its features measure how far apart two films are (`training.distillation.perceptual`). As a cost
of the base model it was pleased by latents that show nothing (docs/experiments.md), so it takes no part there. The benchmark's
regressor is another network, on pixels, and takes no part in this.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from training.actor.state import EXPRESSION_CHANNELS, NUM_CHANNELS, channel
from training.objectives.flow_matching import state_scales


class LatentReader(nn.Module):
    """The states of a latent's frames from that latent and the character's global reference, seen side by side."""

    def __init__(self, latent_channels: int, grid: int, frames_per_latent: int, width: int = 160) -> None:
        super().__init__()
        self.frames_per_latent = frames_per_latent
        coarse = (grid + 1) // 2
        self.see = nn.Sequential(
            nn.Conv2d(2 * latent_channels, width, 1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.GELU(),
        )
        self.read = nn.Sequential(
            nn.Linear(width * coarse * coarse, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, frames_per_latent * NUM_CHANNELS),
        )

    def forward(self, latents_BFCHW: Tensor, reference_BCHW: Tensor) -> Tensor:
        """Latents [B, F, C, H, W] to states [B, 4 F, K], in units of `perceived_scales`."""
        frames = latents_BFCHW.shape[1]
        pairs_BFCHW = torch.cat([latents_BFCHW, reference_BCHW[:, None].expand_as(latents_BFCHW)], dim=2)
        seen = self.see(rearrange(pairs_BFCHW, "b f c h w -> (b f) c h w"))
        states = self.read(seen.flatten(1))
        read_BTK: Tensor = rearrange(
            states, "(b f) (fold k) -> b (f fold) k", f=frames, fold=self.frames_per_latent, k=NUM_CHANNELS
        )
        return read_BTK.float()


def perceived_scales() -> Tensor:
    """The unit of each channel [K]: its spread, expressions finer, because they are what a direction asks for."""
    scales_K = state_scales()
    for name in EXPRESSION_CHANNELS:
        scales_K[channel(name)] = 0.2
    return scales_K


def perceived_state_loss(read_BTK: Tensor, state_BTK: Tensor, is_new_BF: Tensor, certainty_B: Tensor) -> Tensor:
    """Smooth absolute error of what predicted latents show, over the new frames, samples weighed by `certainty_B`."""
    frames_per_latent = state_BTK.shape[1] // is_new_BF.shape[1]
    weight_BT = is_new_BF.repeat_interleave(frames_per_latent, dim=1) * certainty_B[:, None]
    wanted_BTK = state_BTK / perceived_scales()
    error_BT = nn.functional.smooth_l1_loss(read_BTK, wanted_BTK, reduction="none").mean(dim=2)
    mean: Tensor = (error_BT * weight_BT).sum() / weight_BT.sum().clamp(min=1e-6)
    return mean


def noised(latents_BFCHW: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Latents under a little noise, a different amount each, so that a reader relies on what is plain to see."""
    amount = most * torch.rand(len(latents_BFCHW), 1, 1, 1, 1, generator=generator)
    return latents_BFCHW + amount * torch.randn(latents_BFCHW.shape, generator=generator)
