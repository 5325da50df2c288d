"""Stage 2, off-policy DMD: distribution matching on re-noised teacher latents (paper 4.3, Eq. 6).

    L_off-policy = E [ L_DMD(G_backbone(x^t, t)) + w L_LPIPS(G_backbone(x^t, t), x^0) ]

x^t is the teacher's clean film x^0 under fresh noise on a non-decreasing schedule; the history is noisy.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.flow.preconditioning import global_latent
from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from training.distillation.causal import causal_model, renoised, under_noisy_history
from training.distillation.films import Film
from training.distillation.matching import Scores, film_dmd_loss
from training.distillation.perceptual import PerceptualDistance
from training.distillation.schedules import draw_chunk_timesteps


@dataclass(frozen=True, kw_only=True)
class PerceptualTerm:
    """w L_LPIPS."""

    distance: PerceptualDistance
    weight: float


def off_policy_film(
    backbone: Transformer,
    settings: OnlineSettings,
    film: Film,
    teacher_BFCHW: Tensor,
    chunk_latents: int,
    generator: torch.Generator,
) -> Tensor:
    """G_backbone(x^t, t) from the teacher's clean films."""
    schedule = draw_chunk_timesteps(film.num_latents // chunk_latents, settings.backbone_timesteps, generator)
    noisy_BFCHW = renoised(teacher_BFCHW, schedule, generator)
    return under_noisy_history(causal_model(backbone, settings, film), film, noisy_BFCHW, schedule)


def stage2_loss(
    scores: Scores,
    film: Film,
    made_BFCHW: Tensor,
    teacher_BFCHW: Tensor,
    perceptual: PerceptualTerm,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Eq. 6 of the films that `off_policy_film` made."""
    losses = film_dmd_loss(scores, film, made_BFCHW, generator)
    lpips = perceptual.distance(made_BFCHW, teacher_BFCHW, global_latent(film.references))
    return {**losses, "loss": losses["loss"] + perceptual.weight * lpips, "lpips": lpips.detach()}
