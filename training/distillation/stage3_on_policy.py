"""Stage 3, on-policy DMD: the backbone meets its own films (paper 4.3, Eq. 7).

    L_on-policy = E [ L_DMD(G_backbone(x~^t, t)) ]

x~ is what the backbone itself makes, chunk after chunk, behind its own noisy history; x~^t is that film re-noised on a schedule. The
loss is stage 2's without LPIPS; only where the training states come from has changed. Some films begin with what the actor did, since
on-policy training is known to still them.
"""

import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from training.distillation.causal import BatchNoise, backbone_rollout
from training.distillation.films import Film
from training.distillation.matching import Scores, film_dmd_loss
from training.distillation.stage2_off_policy import off_policy_film


def on_policy_film(
    backbone: Transformer,
    settings: OnlineSettings,
    film: Film,
    chunk_latents: int,
    truth_share: float,
    generator: torch.Generator,
) -> Tensor:
    """G_backbone(x~^t, t) from the backbone's own films, of which `truth_share` begin with a chunk of the truth."""
    rolled_BFCHW = backbone_rollout(
        backbone, settings, film, BatchNoise.drawn(film, settings, generator), chunk_latents
    )
    batch = len(rolled_BFCHW)
    begins_true_B = torch.rand(batch, generator=generator, device=generator.device) < truth_share
    is_true_BF = begins_true_B[:, None] & (torch.arange(film.num_latents, device=generator.device) < chunk_latents)
    own_BFCHW = torch.where(is_true_BF[..., None, None, None], film.latents_BFCHW, rolled_BFCHW)
    return off_policy_film(backbone, settings, film, own_BFCHW, chunk_latents, generator)


def stage3_loss(scores: Scores, film: Film, made_BFCHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Eq. 7 of the films that `on_policy_film` made."""
    return film_dmd_loss(scores, film, made_BFCHW, generator)
