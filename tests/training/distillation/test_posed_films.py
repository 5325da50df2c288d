"""Films with posed anchors: teacher and student are told the same ones, and what is trained with them is what runs live."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.flow.history import recalled
from engine.model import linear
from engine.model.attend import using
from engine.online.noise import SeededNoise
from engine.online.rollout import CausalModel, CausalRollout
from tests.training.distillation.small_films import (
    CHANNELS,
    CONFIG,
    LATENTS,
    ROWS,
    SETTINGS,
    small_film,
    small_model,
    small_score,
)
from tests.training.tasks.small_base import NUM_CLIPS, NUM_LATENTS, clips_of_noise
from training.actor.state import EXPRESSION_CHANNELS, channel
from training.distillation.causal import BatchNoise, backbone_rollout, refined
from training.distillation.films import Film, cut_film, film_of
from training.distillation.teacher import TeacherConfig, teacher_trajectory

SHOWN = replace(CONFIG, is_shown_posed_anchor=True)
TIMESTEPS = (*SETTINGS.backbone_timesteps, SETTINGS.refiner_timestep)


def posed_film(batch: int = 2, num_latents: int = LATENTS) -> Film:
    generator = torch.Generator().manual_seed(11)
    posed_BFCHW = torch.randn(batch, num_latents + 1, CHANNELS, ROWS, ROWS, generator=generator)
    return replace(small_film(batch, num_latents=num_latents), posed_BFCHW=posed_BFCHW)


def posed_of(film: Film) -> Tensor:
    assert film.posed_BFCHW is not None
    return film.posed_BFCHW


@pytest.mark.parametrize(("first", "count"), [(0, 3), (3, 3), (2, 2), (0, 6)])
def test_a_window_and_a_chunk_of_the_same_latents_are_told_the_same_anchors(first: int, count: int) -> None:
    """Those of the latent before it, which is a window's history, and of each of its own."""
    film = posed_film()
    wanted_BFCHW = posed_of(film)[:, first : first + count + 1]
    latents_BFCHW = film.latents_BFCHW[:, first : first + count]
    inputs = film.window_inputs(film.first_BCHW, first, latents_BFCHW, torch.tensor([0.5, 0.5]))
    conditions = film.conditions(first, count, SHOWN)
    assert inputs.references.posed_BFCHW is not None and conditions.posed_BFCHW is not None
    assert torch.equal(inputs.references.posed_BFCHW, wanted_BFCHW)
    assert torch.equal(conditions.posed_BFCHW, wanted_BFCHW)
    assert inputs.latents_BFCHW.shape == wanted_BFCHW.shape
    plain = small_film()
    assert plain.conditions(first, count, SHOWN).posed_BFCHW is None
    assert (
        plain.window_inputs(film.first_BCHW, first, latents_BFCHW, torch.tensor([0.5])).references.posed_BFCHW is None
    )


def test_the_teacher_is_told_history_by_its_own_anchor() -> None:
    film, score = posed_film(), small_score(config=SHOWN)
    history_BCHW, noisy_BFCHW = film.latents_BFCHW[:, 2], torch.randn(2, 3, CHANNELS, ROWS, ROWS)
    inputs = score.window(film, history_BCHW, 3, noisy_BFCHW, torch.tensor([0.7, 0.4]))
    anchor_B1CHW = posed_of(film)[:, 3:4]
    told_BFCHW = recalled(
        history_BCHW[:, None], anchor_B1CHW, score.precondition, score.history_keep, score.history_error
    )
    torch.testing.assert_close(inputs.latents_BFCHW[:, :1], told_BFCHW)
    assert not torch.allclose(told_BFCHW[:, 0], history_BCHW, atol=1e-3)


def test_a_teachers_windows_side_by_side_are_windows_one_by_one() -> None:
    film, score = posed_film(), small_score(config=SHOWN)
    noisy, sigma_B = torch.randn_like(film.latents_BFCHW), torch.tensor([0.7, 0.4])
    guidance = TeacherConfig().guidance
    together = score.clean(film, noisy, sigma_B, film.latents_BFCHW, guidance)
    inputs = score.window(film, film.latents_BFCHW[:, 2], 3, noisy[:, 3:], sigma_B)
    alone = noisy[:, 3:] - sigma_B[:, None, None, None, None] * score.velocity(inputs)[:, 1:]
    torch.testing.assert_close(together[:, 3:], alone, rtol=1e-5, atol=1e-5)
    unposed = score.clean(replace(film, posed_BFCHW=None), noisy, sigma_B, film.latents_BFCHW, guidance)
    assert not torch.allclose(together, unposed, atol=1e-3)


def test_a_teachers_film_is_that_of_its_anchors() -> None:
    film, score = posed_film(), small_score(config=SHOWN)
    noise_BFCHW = torch.randn(film.latents_BFCHW.shape, generator=torch.Generator().manual_seed(0))
    changed_BFCHW = posed_of(film).clone()
    changed_BFCHW[:, 4:] += 1.0  # those of the second window's own latents
    states, other = (
        teacher_trajectory(score, TeacherConfig(), each, noise_BFCHW, TIMESTEPS)
        for each in (film, replace(film, posed_BFCHW=changed_BFCHW))
    )
    assert torch.equal(states[:, -1, :3], other[:, -1, :3])
    assert not torch.allclose(states[:, -1, 3:], other[:, -1, 3:], atol=1e-3)


@pytest.mark.parametrize("chunk_latents", SETTINGS.chunk_choices)
def test_the_training_rollout_is_the_live_rollout_bit_for_bit(
    chunk_latents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Left to themselves, attention and float32 layers take other kernels where gradients are wanted.
    monkeypatch.setattr(linear, "HAS_WIDE_ONEDNN", False)
    film, backbone, refiner = posed_film(batch=1), small_model(1, SHOWN), small_model(2, SHOWN)
    seeded = SeededNoise(seed=4, shape_CHW=(CHANNELS, ROWS, ROWS), device=torch.device("cpu"))
    noise = BatchNoise(noise_SBFCHW=torch.stack([seeded.draw(0, film.num_latents, step) for step in range(3)]))
    with using("explicit"):
        draft_BFCHW = backbone_rollout(backbone, SETTINGS, film, noise, chunk_latents)
        trained_BFCHW = refined(refiner, SETTINGS, film, noise, draft_BFCHW, chunk_latents)
        live = CausalRollout(
            CausalModel(backbone, SETTINGS, film.references, film.first_BCHW),
            CausalModel(refiner, SETTINGS, film.references, film.first_BCHW),
            SETTINGS,
            seeded,
        )
        chunks = []
        with torch.no_grad():
            for first in range(0, film.num_latents, chunk_latents):
                conditions = film.conditions(first, chunk_latents, SHOWN)
                chunks.append(live.refine(first, live.draft(first, conditions), conditions))
        unposed_BFCHW = backbone_rollout(backbone, SETTINGS, replace(film, posed_BFCHW=None), noise, chunk_latents)
    assert torch.equal(trained_BFCHW.detach(), torch.cat(chunks, dim=1))
    assert not torch.allclose(unposed_BFCHW, draft_BFCHW, atol=1e-3)
    trained_BFCHW.square().mean().backward()
    assert refiner.posed_embedding is not None
    assert refiner.posed_embedding.patches.weight.grad is not None


@pytest.mark.parametrize(("strength", "anchor"), [(1.0, 1), (0.0, 0)])
def test_a_film_of_a_clip_has_the_anchors_of_its_stretch_and_of_what_it_stays_near(
    strength: float, anchor: int
) -> None:
    plain = clips_of_noise()
    states_NTK = plain.clips["state_TK"].clone()
    states_NTK[..., [channel(name) for name in EXPRESSION_CHANNELS]] = 0.0
    states_NTK[..., channel("expression_sad")] = strength
    latents_F = torch.arange(float(NUM_LATENTS))
    latents_NFCHW = plain.clips["latents_FCHW"]
    told = latents_F[None, :, None, None, None].expand_as(latents_NFCHW).half()
    posed_NAFCHW = torch.stack([told, told + 1000], dim=1)
    features = replace(
        plain, clips={**plain.clips, "state_TK": states_NTK, "latents_FCHW": told}, posed_NAFCHW=posed_NAFCHW
    )
    samples = [cut_film(features, number, LATENTS) for number in range(NUM_CLIPS)]
    film = film_of({name: torch.stack([sample[name] for sample in samples]) for name in samples[0]})
    assert posed_of(film).shape[:2] == (NUM_CLIPS, LATENTS + 1)
    assert torch.equal(posed_of(film)[:, 0], film.first_BCHW), "what stands before a film is an anchor of its own"
    assert torch.equal(posed_of(film)[:, 1:], film.latents_BFCHW + 1000 * anchor), "of the same latents, one by one"
    unposed = cut_film(plain, 0, LATENTS)
    assert film_of({name: each[None] for name, each in unposed.items()}).posed_BFCHW is None
    assert torch.equal(posed_of(film.to(torch.device("cpu"))), posed_of(film))
