"""Stage 4, the refiner: one step from the backbone's re-noised films to the final ones (paper 4.3, Eq. 8).

    L_refiner = E [ L_DMD(G_refiner(x~^T2, T_2)) ]

x~ comes from the trained, frozen backbone; the refiner begins with its weights and conditions on clean history, which it writes
itself by a pass over its result at timestep 0, as live.
"""

import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from training.distillation.causal import BatchNoise, backbone_rollout, refined
from training.distillation.films import Film
from training.distillation.matching import Scores, film_dmd_loss


def refined_film(
    backbone: Transformer,
    refiner: Transformer,
    settings: OnlineSettings,
    film: Film,
    chunk_latents: int,
    generator: torch.Generator,
) -> Tensor:
    """G_refiner(x~^T2, T_2): the whole live rollout, with gradients into the refiner."""
    noise = BatchNoise.drawn(film, settings, generator)
    draft_BFCHW = backbone_rollout(backbone, settings, film, noise, chunk_latents)
    return refined(refiner, settings, film, noise, draft_BFCHW, chunk_latents)


def stage4_loss(scores: Scores, film: Film, made_BFCHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Eq. 8 of the films that `refined_film` made."""
    return film_dmd_loss(scores, film, made_BFCHW, generator)
