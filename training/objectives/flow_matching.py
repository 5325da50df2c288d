"""Flow matching for the base model (paper 3.2): velocity on noisy latents behind clean history, mouths and eyes weighed up.

Beside it an auxiliary cost: hidden tokens must tell the actor's exact state, which recorded footage could never ask for. It
ties the sounds to the face long before pixels do.
"""

from dataclasses import dataclass, field

import torch
from einops import rearrange
from torch import Tensor, nn

from engine.flow.noising import SigmaSampling, add_noise, sample_sigma, velocity_target
from training.actor.state import MOUTH_CHANNELS, NUM_CHANNELS, channel


@dataclass(frozen=True, kw_only=True)
class FlowMatchingConfig:
    """`history_noise` is the most noise on clean history, of which the model is not told: it has to forgive its own past.

    `history_error` is what a pack's setting of that name will be: history is told as films will be (`engine.flow.history`).
    `bend` and `mouth_bend` are where the cost of an error goes over from squared to straight, away from mouths and in them.
    `full_noise_share` of the samples stand at noise level 1, where a pack of few steps spends its forwards.
    """

    sigma: SigmaSampling = field(default_factory=lambda: SigmaSampling(kind="uniform", shift=16.0))
    full_noise_share: float = 0.5
    mouth_weight: float = 20.0
    eyes_weight: float = 6.0
    history_noise: float = 0.12
    history_error: float = 0.0
    state_weight: float = 0.3
    bend: float = 0.25
    mouth_bend: float = 2.0


@dataclass(frozen=True, kw_only=True)
class NoisedWindow:
    """One draw of noise over a batch of windows; history frames have sigma 0 and count nothing."""

    noisy_BFCHW: Tensor
    velocity_BFCHW: Tensor
    sigma_BF: Tensor
    is_new_BF: Tensor


def noise_window(
    config: FlowMatchingConfig, latents_BFCHW: Tensor, history_B: Tensor, sigma_B: Tensor, generator: torch.Generator
) -> NoisedWindow:
    """Noises the new frames to `sigma_B` and history a little, unsaid."""
    frames_F = torch.arange(latents_BFCHW.shape[1])
    is_new_BF = frames_F[None] >= history_B[:, None]
    noise_BFCHW = torch.randn(latents_BFCHW.shape, generator=generator)
    unsaid_B = config.history_noise * torch.rand(sigma_B.shape, generator=generator)
    sigma_BF = sigma_B[:, None] * is_new_BF
    actual_BF = torch.where(is_new_BF, sigma_B[:, None], unsaid_B[:, None])
    return NoisedWindow(
        noisy_BFCHW=add_noise(latents_BFCHW, noise_BFCHW, actual_BF),
        velocity_BFCHW=velocity_target(latents_BFCHW, noise_BFCHW),
        sigma_BF=sigma_BF,
        is_new_BF=is_new_BF,
    )


def draw_sigma(config: FlowMatchingConfig, batch: int, generator: torch.Generator) -> Tensor:
    """One noise level a sample, spread evenly over the batch so that steps differ less, in random order."""
    if config.sigma.kind == "uniform":
        strata_B = (torch.randperm(batch, generator=generator) + torch.rand(batch, generator=generator)) / batch
        sigma_B = config.sigma.shift * strata_B / (1 + (config.sigma.shift - 1) * strata_B)
    else:
        sigma_B = sample_sigma(config.sigma, (batch,), generator)
    is_full_B = torch.rand(batch, generator=generator) < config.full_noise_share
    return torch.where(is_full_B, torch.ones_like(sigma_B), sigma_B)


def position_weights(config: FlowMatchingConfig, window: NoisedWindow, mouth_BFHW: Tensor, eyes_BFHW: Tensor) -> Tensor:
    """How much each position of the new frames counts, [B, F, H, W]; history counts nothing."""
    return covered_weights(config, mouth_BFHW, eyes_BFHW) * window.is_new_BF[:, :, None, None]


def covered_weights(config: FlowMatchingConfig, mouth_BFHW: Tensor, eyes_BFHW: Tensor) -> Tensor:
    """How much each position counts by what covers it, [B, F, H, W]."""
    return 1 + (config.mouth_weight - 1) * mouth_BFHW + (config.eyes_weight - 1) * eyes_BFHW


def bends(config: FlowMatchingConfig, mouth_BFHW: Tensor) -> Tensor:
    """Where the cost of each position bends, [B, F, H, W]."""
    return torch.lerp(
        torch.full_like(mouth_BFHW, config.bend), torch.full_like(mouth_BFHW, config.mouth_bend), mouth_BFHW
    )


def velocity_loss(error_BFCHW: Tensor, weight_BFHW: Tensor, bend_BFHW: Tensor) -> Tensor:
    """Weighted pseudo-Huber error of the velocity, a position's channels together: squared up to the bend, straight beyond.

    Where a few futures are possible (a glance or none) a squared error asks for their mean, which is a ghost of each; beyond
    the bend the cost asks for the one that most agree on. A mouth's future is told by the sound; there the one that most
    agree on is a mouth that hardly opens, and the mean is what is wanted.
    """
    size_BFHW = error_BFCHW.float().square().mean(dim=2)
    bent_BFHW = 2 * bend_BFHW * ((size_BFHW + bend_BFHW.square()).sqrt() - bend_BFHW)
    mean: Tensor = (weight_BFHW * bent_BFHW).sum() / weight_BFHW.sum()
    return mean


class StateReadout(nn.Module):
    """Hidden video tokens of a middle layer to the actor's state of each frame; thrown away after training."""

    def __init__(self, width: int, tokens_per_latent: int, frames_per_latent: int, bottleneck: int = 16) -> None:
        super().__init__()
        self.frames_per_latent = frames_per_latent
        self.norm = nn.LayerNorm(width)
        self.squeeze = nn.Linear(width, bottleneck)
        self.read = nn.Linear(bottleneck * tokens_per_latent, frames_per_latent * NUM_CHANNELS)

    def forward(self, hidden_BLD: Tensor, num_latents: int) -> Tensor:
        """Hidden tokens [B, F * P (+ references), D] to states [B, 4 F, K]."""
        tokens_per_latent = self.read.in_features // self.squeeze.out_features
        video_BLD = self.squeeze(self.norm(hidden_BLD[:, : num_latents * tokens_per_latent]))
        grouped = rearrange(video_BLD, "b (f p) d -> b f (p d)", f=num_latents)
        states_BTK: Tensor = rearrange(self.read(grouped), "b f (fold k) -> b (f fold) k", fold=self.frames_per_latent)
        return states_BTK


def state_loss(predicted_BTK: Tensor, state_BTK: Tensor, is_new_BF: Tensor, scales_K: Tensor) -> Tensor:
    """Squared error of the state over the new frames, each channel in units of its spread."""
    frames_per_latent = state_BTK.shape[1] // is_new_BF.shape[1]
    is_new_BT = is_new_BF.repeat_interleave(frames_per_latent, dim=1)
    error_BT = ((predicted_BTK.float() - state_BTK) / scales_K).square().mean(dim=2)
    mean: Tensor = (error_BT * is_new_BT).sum() / is_new_BT.sum()
    return mean


def state_scales() -> Tensor:
    """The usual spread of each channel; mouths are weighed up by a smaller one."""
    scales_K = torch.full((NUM_CHANNELS,), 0.3)
    for name in ("yaw", "pitch", "roll"):
        scales_K[channel(name)] = 0.08
    for name in MOUTH_CHANNELS:
        scales_K[channel(name)] = 0.15
    return scales_K
