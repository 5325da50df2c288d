"""Films made in two ways that must agree: as training makes them and as they run live, a teacher's windows side by side and one by one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from engine.model import linear
from engine.model.attend import using
from engine.model.transformer import Transformer
from engine.online.live_motion import LiveMotion
from engine.online.noise import SeededNoise
from engine.online.rollout import CausalModel, CausalRollout
from tests.training.distillation.small_films import CHANNELS, ROWS, SETTINGS
from training.distillation.causal import BatchNoise, backbone_rollout, refined
from training.distillation.films import Film
from training.distillation.teacher import TeacherConfig, WindowedScore

NOISE = SeededNoise(seed=4, shape_CHW=(CHANNELS, ROWS, ROWS), device=torch.device("cpu"))


@contextmanager
def the_same_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Left to themselves, attention and float32 layers take other kernels where gradients are wanted."""
    with monkeypatch.context() as patch, using("explicit"):
        patch.setattr(linear, "HAS_WIDE_ONEDNN", False)
        yield


def batch_noise(film: Film) -> BatchNoise:
    """For training, the noise that a film of one meets live."""
    return BatchNoise(noise_SBFCHW=torch.stack([NOISE.draw(0, film.num_latents, step) for step in range(3)]))


def drafted_and_refined(
    backbone: Transformer, refiner: Transformer, film: Film, chunk_latents: int
) -> tuple[Tensor, Tensor]:
    """The film's latents as training rolls them out: the backbone's, and the refiner's from them."""
    noise = batch_noise(film)
    draft_BFCHW = backbone_rollout(backbone, SETTINGS, film, noise, chunk_latents)
    return draft_BFCHW, refined(refiner, SETTINGS, film, noise, draft_BFCHW, chunk_latents)


def live_rollout(
    backbone: Transformer, refiner: Transformer, film: Film, motion: LiveMotion | None = None
) -> CausalRollout:
    """The film's character, live, with the noise of `batch_noise`."""
    models = (CausalModel(model, SETTINGS, film.references, film.first_BCHW) for model in (backbone, refiner))
    return CausalRollout(*models, SETTINGS, NOISE, motion)


@torch.no_grad()
def made_live(backbone: Transformer, refiner: Transformer, film: Film, chunk_latents: int) -> Tensor:
    """The film's latents as they are made live, when all that the film knows is told chunk by chunk."""
    live, chunks = live_rollout(backbone, refiner, film), []
    for first in range(0, film.num_latents, chunk_latents):
        conditions = film.conditions(first, chunk_latents, backbone.config)
        chunks.append(live.refine(first, live.draft(first, conditions), conditions))
    return torch.cat(chunks, dim=1)


def check_windows_side_by_side_are_windows_one_by_one(score: WindowedScore, film: Film, untold: Film) -> None:
    """And that what the same film is not told in `untold` shows."""
    noisy, sigma_B = torch.randn_like(film.latents_BFCHW), torch.tensor([0.7, 0.4])
    guidance = TeacherConfig().guidance
    together = score.clean(film, noisy, sigma_B, film.latents_BFCHW, guidance)
    inputs = score.window(film, film.latents_BFCHW[:, 2], 3, noisy[:, 3:], sigma_B)
    alone = noisy[:, 3:] - sigma_B[:, None, None, None, None] * score.velocity(inputs)[:, 1:]
    torch.testing.assert_close(together[:, 3:], alone, rtol=1e-5, atol=1e-5)
    other = score.clean(untold, noisy, sigma_B, film.latents_BFCHW, guidance)
    assert not torch.allclose(together, other, atol=1e-3)
