"""Distribution matching distillation: the gradient that moves a generator, and what its critic learns (paper 4.3, Eqs. 6-8).

As published (Yin et al. 2024, DMD and DMD2; CausVid; Self-Forcing). The teacher tells where clean latents of the real
distribution lie, the critic where those of the generator lie; their difference is the gradient. All in float64, because the
difference of two nearly equal predictions is small.

    real = c_r + g_r (c_r - u_r)          fake = c_f + g_f (c_f - u_f)
    gradient = (fake - real) / mean |x - real|            the mean per sample, over frames, channels and space
    loss = 1/2 mean (x - (x - gradient).detach())^2        so that dloss/dx = gradient / number of elements

Guidance is written around the conditional prediction: a scale of 3 here is 4 in the usual convention u + s (c - u).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.flow.noising import add_noise
from engine.flow.schedule import TIMESTEP_SCALE


@dataclass(frozen=True, kw_only=True)
class DmdConfig:
    """One uniform timestep for all frames of a sample, the same rule for generator and critic.

    shift, least_timestep, most_timestep: raw 0..1000 is shifted towards noise, then clamped.
    table_size: entries of the shifted table of noise levels, of which the nearest to the timestep is used.
    real_guidance, fake_guidance: in the convention around the conditional prediction (see above).
    critic_steps: steps of the critic for each of the generator.
    """

    shift: float = 5.0
    least_timestep: float = 20.0
    most_timestep: float = 980.0
    table_size: int = 1000
    real_guidance: float = 3.0
    fake_guidance: float = 0.0
    critic_steps: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.least_timestep < self.most_timestep < TIMESTEP_SCALE:
            raise ValueError("DMD needs timesteps strictly between clean and noise")
        if self.critic_steps < 1:
            raise ValueError("the critic has to follow the generator: at least one step for each of its")


@dataclass(frozen=True, kw_only=True)
class DmdGradient:
    """The gradient like the latents, its normaliser a sample, and how many numbers were not finite and count as zero."""

    gradient_BFCHW: Tensor
    normaliser_B: Tensor
    num_not_finite: int


def draw_timestep(config: DmdConfig, batch: int, frames: int, generator: torch.Generator) -> Tensor:
    """One integer timestep a sample for all of its frames, moved by `shifted_timestep`; float32 [B, F]."""
    raw_B = torch.randint(0, int(TIMESTEP_SCALE), (batch,), generator=generator, device=generator.device)
    return shifted_timestep(config, raw_B)[:, None].expand(-1, frames)


def shifted_timestep(config: DmdConfig, raw: Tensor) -> Tensor:
    """Raw timesteps 0..1000 shifted towards noise and clamped, float32."""
    share = raw.float() / TIMESTEP_SCALE
    shifted = config.shift * share / (1 + (config.shift - 1) * share) * TIMESTEP_SCALE
    return shifted.clamp(config.least_timestep, config.most_timestep)


def noise_table(config: DmdConfig) -> Tensor:
    """Noise levels of the shifted table, falling from 1, float32 [table_size]."""
    even = 1 - torch.arange(config.table_size, dtype=torch.float64) / config.table_size
    return (config.shift * even / (1 + (config.shift - 1) * even)).float()


def table_index(config: DmdConfig, timestep: Tensor) -> Tensor:
    """The entry of the table nearest to each timestep."""
    distance = (noise_table(config).to(timestep.device) * TIMESTEP_SCALE - timestep.unsqueeze(-1)).abs()
    return distance.argmin(dim=-1)


def sigma_of(config: DmdConfig, timestep: Tensor) -> Tensor:
    """The noise level of each timestep, from the table."""
    return noise_table(config).to(timestep.device)[table_index(config, timestep)]


def noised(config: DmdConfig, clean_BFCHW: Tensor, noise_BFCHW: Tensor, timestep_BF: Tensor) -> Tensor:
    """`(1 - sigma) x + sigma noise` in the precision of the latents."""
    return add_noise(clean_BFCHW, noise_BFCHW, sigma_of(config, timestep_BF).to(clean_BFCHW.dtype))


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """`c + scale (c - u)`."""
    return conditional + scale * (conditional - unconditional)


@torch.no_grad()
def dmd_gradient(
    clean_BFCHW: Tensor, real_BFCHW: Tensor, fake_BFCHW: Tensor, *, is_normalised: bool = True
) -> DmdGradient:
    """Where the generator's clean latents should move away from, in float64; both predictions are already guided."""
    clean, real, fake = clean_BFCHW.double(), real_BFCHW.double(), fake_BFCHW.double()
    normaliser_B = (clean - real).abs().flatten(1).mean(dim=1)
    gradient = fake - real
    if is_normalised:
        gradient = gradient / normaliser_B[:, None, None, None, None]
    is_finite = gradient.isfinite()
    return DmdGradient(
        gradient_BFCHW=torch.where(is_finite, gradient, torch.zeros_like(gradient)),
        normaliser_B=normaliser_B,
        num_not_finite=int((~is_finite).sum()),
    )


def dmd_loss(clean_BFCHW: Tensor, gradient: DmdGradient, counted_BFCHW: Tensor | None = None) -> Tensor:
    """Half the squared distance to the detached, moved target, over the elements that are `counted` (all without)."""
    clean = clean_BFCHW.double()
    target = (clean - gradient.gradient_BFCHW).detach()
    squared = 0.5 * (clean - target).square()
    return squared.mean() if counted_BFCHW is None else squared[counted_BFCHW].mean()


def critic_loss(
    config: DmdConfig, predicted_BFCHW: Tensor, clean_BFCHW: Tensor, noise_BFCHW: Tensor, timestep_BF: Tensor
) -> Tensor:
    """The critic's flow matching on what the generator made, from its prediction of the clean latents."""
    sigma_BF111 = sigma_of(config, timestep_BF).to(predicted_BFCHW.dtype)[..., None, None, None]
    noisy_BFCHW = noised(config, clean_BFCHW, noise_BFCHW, timestep_BF)
    velocity_BFCHW = (noisy_BFCHW - predicted_BFCHW) / sigma_BF111
    return (velocity_BFCHW - (noise_BFCHW - clean_BFCHW)).square().mean()
