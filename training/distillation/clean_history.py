"""The backbone behind clean history, to compare with the noisy one that it is made for (paper 4.2, 4.3).

Noisy history is what the backbone's own last step leaves; clean history takes one forward more, over the chunk's clean latents at
timestep 0, as the refiner's does. Only the ablation trains and performs like this.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.online.conditions import ChunkConditions
from engine.online.rollout import CausalModel, CausalRollout
from engine.online.settings import OnlineSettings
from training.distillation.causal import BatchNoise, causal_model, chunk_starts
from training.distillation.films import Film


def under_clean_history(
    causal: CausalModel, film: Film, noisy_BFCHW: Tensor, chunk_timesteps: Sequence[float], clean_BFCHW: Tensor
) -> Tensor:
    """The clean latents of every chunk from its noisy ones, behind keys of the teacher's clean ones before it."""
    chunk_latents = film.num_latents // len(chunk_timesteps)
    predictions = []
    for first, timestep in zip(chunk_starts(film, chunk_latents), chunk_timesteps, strict=True):
        of_chunk = slice(first, first + chunk_latents)
        chunk = causal.open(first, film.conditions(first, chunk_latents, causal.model.config))
        predictions.append(causal.predict(chunk, noisy_BFCHW[:, of_chunk], timestep)[0])
        with torch.no_grad():
            _, layers = causal.predict(chunk, clean_BFCHW[:, of_chunk], 0.0)
        causal.append(layers, clean_BFCHW[:, of_chunk])
    return torch.cat(predictions, dim=1)


class CleanHistoryRollout(CausalRollout):
    """The rollout whose backbone remembers its clean result."""

    def draft(self, first_latent: int, told: ChunkConditions) -> Tensor:
        """The backbone's guess of a chunk, [B, F, C, H, W]; what it wrote of its last step is written again, clean."""
        clean_BFCHW = super().draft(first_latent, told)
        chunk = self.backbone.open(first_latent, told)
        with torch.no_grad():
            _, layers = self.backbone.predict(chunk, clean_BFCHW.detach(), 0.0)
        self.backbone.append(layers, clean_BFCHW)
        return clean_BFCHW


@torch.no_grad()
def clean_history_rollout(
    backbone: Transformer, settings: OnlineSettings, film: Film, noise: BatchNoise, chunk_latents: int
) -> Tensor:
    """The films as the backbone makes them, chunk by chunk behind its own clean history, without gradients."""
    causal = causal_model(backbone, settings, film, slack_latents=chunk_latents)
    rollout = CleanHistoryRollout(causal, causal, settings, noise)
    drafts = [
        rollout.draft(first, film.conditions(first, chunk_latents, backbone.config))
        for first in chunk_starts(film, chunk_latents)
    ]
    return torch.cat(drafts, dim=1)
