"""Before distillation: the base model becomes causal on what the actor did, in the very rollout that it will run live.

    L_causal = E sum_s || G(x_s^Ts, T_s) - x^0 ||      x_0 noise, x_s the answer of the step before it under fresh noise

The paper goes from the bidirectional teacher straight to its trajectories (Eq. 5). Here the models are told how the actor moved, so
that what they did is the one right answer at every step, also behind a history that is the student's own; it is sharper than any
teacher's and costs no teacher. One network learns to be both: the backbone at its timesteps behind noisy history, the refiner at its
own behind clean history. The paper's stages go on from there with one of each.
"""

import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from training.distillation.causal import BatchNoise, backbone_answers, refined
from training.distillation.films import Film
from training.distillation.likeness import Likeness


def causal_loss(
    likeness: Likeness,
    network: Transformer,
    settings: OnlineSettings,
    film: Film,
    chunk_latents: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """All steps of a chunk, from noise to the final latents; each takes the one before it as given."""
    noise = BatchNoise.drawn(film, settings, generator)
    answers_SBFCHW = backbone_answers(network, settings, film, noise, chunk_latents)
    final_BFCHW = refined(network, settings, film, noise, answers_SBFCHW[-1].detach(), chunk_latents)
    return likeness.loss(film, torch.cat([answers_SBFCHW, final_BFCHW[None]]), generator)
