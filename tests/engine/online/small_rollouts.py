"""How small causal models are rolled out, and chunks that follow each other, told sound of which each latent has its own rows."""

from dataclasses import replace

import torch
from torch import Tensor

from engine.online.conditions import ChunkConditions
from engine.online.rollout import CausalRollout
from engine.online.settings import OnlineSettings
from tests.engine.online.small_models import CONFIG

SETTINGS = OnlineSettings(chunk_latents=3, chunk_choices=(6, 3, 2), sink_chunks=1, window_chunks=1)
AROUND = replace(SETTINGS, preconditioning="around_reference", residual_std=(0.5, 1.0, 0.7, 0.9), history_share=0.6)


def conditions(
    first_latent: int, num_latents: int, lead: int = 0, loud: float = 1.0, effort: int = 0
) -> ChunkConditions:
    """Each latent's own rows, whatever chunk it lies in; sound begins `lead` latents before the chunk."""

    def rows(per_latent: int, before: int, width: int) -> Tensor:
        first = 100 + (first_latent - lead) * per_latent - before
        table = torch.randn(400, width, generator=torch.Generator().manual_seed(width))
        return loud * table[first : first + before + (lead + num_latents) * per_latent][None]

    speak, listen = CONFIG.speak_window, CONFIG.listen_window
    return ChunkConditions(
        num_latents=num_latents,
        text_BSD=torch.randn(1, 5, CONFIG.text_dim, generator=torch.Generator().manual_seed(6)),
        speak_BAD=rows(speak.rows_per_latent, speak.rows_before, CONFIG.speak_dim),
        listen_BAD=rows(listen.rows_per_latent, listen.rows_before, CONFIG.listen_dim),
        effort=effort,
    )


@torch.no_grad()
def make(run: CausalRollout, chunks: tuple[int, ...], start: int = 0, loud: float = 1.0, effort: int = 0) -> Tensor:
    """Latents of chunks of these lengths from latent `start` on."""
    made = []
    for num_latents in chunks:
        told = run.plan(start, conditions(start, num_latents, run.history_latents, loud, effort))
        made.append(run.refine(start, run.draft(start, told), told))
        start += num_latents
    return torch.cat(made, dim=1)
