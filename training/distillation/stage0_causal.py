"""Before distillation: the base model becomes causal on what the actor did, in the very rollout that it will run live.

    L_causal = E sum_s || G(x_s^Ts, T_s) - x^0 ||      x_0 noise, x_s the answer of the step before it under fresh noise

The paper goes from the bidirectional teacher straight to its trajectories (Eq. 5). Here the models are told how the actor moved, so
that what they did is the one right answer at every step, also behind a history that is the student's own; it is sharper than any
teacher's and costs no teacher. Backbone and refiner each learn so what their part of a chunk is.
"""

import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from training.distillation.causal import BatchNoise, backbone_answers
from training.distillation.films import Film
from training.distillation.likeness import Likeness
from training.distillation.stage4_refiner import refined_film


def causal_backbone_loss(
    likeness: Likeness,
    backbone: Transformer,
    settings: OnlineSettings,
    film: Film,
    chunk_latents: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """All steps of the backbone, from noise, behind its own noisy history."""
    noise = BatchNoise.drawn(film, settings, generator)
    answers_SBFCHW = backbone_answers(backbone, settings, film, noise, chunk_latents)
    return likeness.loss(film, answers_SBFCHW, generator)


def causal_refiner_loss(
    likeness: Likeness,
    backbone: Transformer,
    refiner: Transformer,
    settings: OnlineSettings,
    film: Film,
    chunk_latents: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The refiner's step on the frozen backbone's drafts, behind its own clean history."""
    made_BFCHW = refined_film(backbone, refiner, settings, film, chunk_latents, generator)
    return likeness.loss(film, made_BFCHW[None], generator)
