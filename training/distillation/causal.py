"""The causal models at work on training films: the engine's own models, caches and rollout, with gradients where a stage wants them.

Called by the stages. Nothing of the rollout is written again here: what is trained is what runs live.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.flow.noising import add_noise
from engine.flow.schedule import TIMESTEP_SCALE
from engine.model.transformer import Transformer
from engine.online.rollout import CausalModel, CausalRollout
from engine.online.settings import OnlineSettings
from training.distillation.films import Film


@dataclass(frozen=True, kw_only=True)
class BatchNoise:
    """A `NoiseSource` for a batch of films: noise of every step and latent, drawn at once."""

    noise_SBFCHW: Tensor

    @classmethod
    def drawn(cls, film: Film, settings: OnlineSettings, generator: torch.Generator) -> "BatchNoise":
        """For the backbone's steps and the refiner's one."""
        num_steps = len(settings.backbone_timesteps) + 1
        shape = (num_steps, *film.latents_BFCHW.shape)
        return cls(noise_SBFCHW=torch.randn(shape, generator=generator, device=film.latents_BFCHW.device))

    def draw(self, first_latent: int, num_latents: int, step: int) -> Tensor:
        """Noise [B, F, C, H, W] of these latents."""
        return self.noise_SBFCHW[step, :, first_latent : first_latent + num_latents]


def causal_model(transformer: Transformer, settings: OnlineSettings, film: Film, slack_latents: int = 0) -> CausalModel:
    """A causal model at the beginning of the films; keys in the precision that products of matrices have here."""
    device_type = film.first_BCHW.device.type
    is_cast = torch.is_autocast_enabled(device_type)
    dtype = torch.get_autocast_dtype(device_type) if is_cast else None
    return CausalModel(transformer, settings, film.references, film.first_BCHW, slack_latents, dtype)


def chunk_starts(film: Film, chunk_latents: int) -> range:
    """First latents of the chunks; `ValueError` where the film is not a whole number of them."""
    if film.num_latents % chunk_latents:
        raise ValueError(f"a film of {film.num_latents} latents is no whole number of chunks of {chunk_latents}")
    return range(0, film.num_latents, chunk_latents)


def under_noisy_history(
    causal: CausalModel, film: Film, noisy_BFCHW: Tensor, chunk_timesteps: Sequence[float]
) -> Tensor:
    """G_backbone(x^t, t): the clean latents of every chunk from its noisy ones, behind keys of the noisy ones before it."""
    chunk_latents = film.num_latents // len(chunk_timesteps)
    predictions = []
    for first, timestep in zip(chunk_starts(film, chunk_latents), chunk_timesteps, strict=True):
        chunk = causal.open(first, film.conditions(first, chunk_latents, causal.model.config))
        clean_BFCHW, layers = causal.predict(chunk, noisy_BFCHW[:, first : first + chunk_latents], timestep)
        causal.append(layers, clean_BFCHW)
        predictions.append(clean_BFCHW)
    return torch.cat(predictions, dim=1)


def backbone_answers(
    backbone: Transformer, settings: OnlineSettings, film: Film, noise: BatchNoise, chunk_latents: int
) -> Tensor:
    """The films after each step of the backbone, [S, B, F, C, H, W], made as they are live, with gradients into every step."""
    causal = causal_model(backbone, settings, film)
    rollout = CausalRollout(causal, causal, settings, noise)
    answers = [
        torch.stack(rollout.answers(first, film.conditions(first, chunk_latents, backbone.config)))
        for first in chunk_starts(film, chunk_latents)
    ]
    return torch.cat(answers, dim=2)


@torch.no_grad()
def backbone_rollout(
    backbone: Transformer, settings: OnlineSettings, film: Film, noise: BatchNoise, chunk_latents: int
) -> Tensor:
    """The films as the backbone makes them, chunk by chunk behind its own noisy history, without gradients."""
    return backbone_answers(backbone, settings, film, noise, chunk_latents)[-1]


def refined(
    refiner: Transformer,
    settings: OnlineSettings,
    film: Film,
    noise: BatchNoise,
    draft_BFCHW: Tensor,
    chunk_latents: int,
) -> Tensor:
    """G_refiner(x^T2, T_2) of every chunk of a backbone's film, behind the refiner's own clean history."""
    causal = causal_model(refiner, settings, film)
    rollout = CausalRollout(causal, causal, settings, noise)
    return torch.cat(
        [
            rollout.refine(
                first,
                draft_BFCHW[:, first : first + chunk_latents],
                film.conditions(first, chunk_latents, refiner.config),
            )
            for first in chunk_starts(film, chunk_latents)
        ],
        dim=1,
    )


def renoised(clean_BFCHW: Tensor, chunk_timesteps: Sequence[float], generator: torch.Generator) -> Tensor:
    """Clean latents under fresh noise, every chunk at its timestep: x^t from x^0."""
    noise_BFCHW = torch.randn(clean_BFCHW.shape, generator=generator, device=clean_BFCHW.device)
    return add_noise(clean_BFCHW, noise_BFCHW, chunk_sigma(clean_BFCHW, chunk_timesteps))


def chunk_sigma(latents_BFCHW: Tensor, chunk_timesteps: Sequence[float]) -> Tensor:
    """Noise levels [B, F] of films whose chunks stand at these timesteps."""
    sigma_F = torch.tensor(chunk_timesteps, device=latents_BFCHW.device) / TIMESTEP_SCALE
    per_chunk = latents_BFCHW.shape[1] // len(chunk_timesteps)
    return sigma_F.repeat_interleave(per_chunk).expand(latents_BFCHW.shape[0], -1)
