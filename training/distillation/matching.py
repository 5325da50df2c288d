"""L_DMD on films, shared by stages 2 to 4: teacher and critic look at what the student made (paper 4.3).

The student's films are noised once more, all frames of a film alike; the frozen teacher and the critic, both base models in
windows, say where the clean latents lie; their difference is the gradient (`training.objectives.dmd`). The critic learns on the
other steps, so that it keeps telling where the student's own films lie.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.flow.guidance import GuidanceScales
from training.distillation.films import Film
from training.distillation.teacher import WindowedScore
from training.objectives.dmd import (
    DmdConfig,
    critic_loss,
    dmd_gradient,
    dmd_loss,
    draw_timestep,
    guided,
    noised,
    sigma_of,
)

CONDITIONED = GuidanceScales()
UNCONDITIONED = GuidanceScales(text=0.0, speak=0.0, listen=0.0)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Who judges: the frozen teacher (real) and the critic in training (fake)."""

    real: WindowedScore
    fake: WindowedScore
    config: DmdConfig


def film_dmd_loss(scores: Scores, film: Film, made_BFCHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """L_DMD of films with gradients towards whoever made them, and the gradient's mean size."""
    config = scores.config
    with torch.no_grad():
        clean_BFCHW = made_BFCHW.detach().float()
        timestep_BF = draw_timestep(config, len(clean_BFCHW), film.num_latents, generator)
        noise_BFCHW = torch.randn(clean_BFCHW.shape, generator=generator, device=clean_BFCHW.device)
        noisy_BFCHW = noised(config, clean_BFCHW, noise_BFCHW, timestep_BF)
        sigma_B = sigma_of(config, timestep_BF[:, 0])
        real_BFCHW = predicted(scores.real, film, noisy_BFCHW, sigma_B, clean_BFCHW, config.real_guidance)
        fake_BFCHW = predicted(scores.fake, film, noisy_BFCHW, sigma_B, clean_BFCHW, config.fake_guidance)
    gradient = dmd_gradient(clean_BFCHW, real_BFCHW, fake_BFCHW)
    return {
        "loss": dmd_loss(made_BFCHW, gradient),
        "dmd_gradient": gradient.gradient_BFCHW.abs().mean(),
        "not_finite": torch.tensor(float(gradient.num_not_finite)),
    }


def film_critic_loss(scores: Scores, film: Film, made_BFCHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """The critic's flow matching on the student's films."""
    config, clean_BFCHW = scores.config, made_BFCHW.detach().float()
    timestep_BF = draw_timestep(config, len(clean_BFCHW), film.num_latents, generator)
    noise_BFCHW = torch.randn(clean_BFCHW.shape, generator=generator, device=clean_BFCHW.device)
    noisy_BFCHW = noised(config, clean_BFCHW, noise_BFCHW, timestep_BF)
    sigma_B = sigma_of(config, timestep_BF[:, 0])
    predicted_BFCHW = scores.fake.clean(film, noisy_BFCHW, sigma_B, clean_BFCHW, CONDITIONED)
    loss = critic_loss(config, predicted_BFCHW, clean_BFCHW, noise_BFCHW, timestep_BF)
    return {"loss": loss, "critic": loss.detach()}


def predicted(
    score: WindowedScore, film: Film, noisy_BFCHW: Tensor, sigma_B: Tensor, before_BFCHW: Tensor, scale: float
) -> Tensor:
    """A score's clean latents, guided around the conditional prediction."""
    conditional = score.clean(film, noisy_BFCHW, sigma_B, before_BFCHW, CONDITIONED)
    if scale == 0.0:
        return conditional
    return guided(conditional, score.clean(film, noisy_BFCHW, sigma_B, before_BFCHW, UNCONDITIONED), scale)
