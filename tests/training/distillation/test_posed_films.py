"""Films with posed anchors: teacher and student are told the same ones, and what is trained with them is what runs live."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.flow.history import recalled
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
from tests.training.distillation.two_ways import (
    check_windows_side_by_side_are_windows_one_by_one,
    drafted_and_refined,
    made_live,
    the_same_kernels,
)
from tests.training.tasks.small_base import NUM_CLIPS, NUM_LATENTS, clips_of_noise
from training.actor.state import EXPRESSION_CHANNELS, channel
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
    check_windows_side_by_side_are_windows_one_by_one(score, film, untold=replace(film, posed_BFCHW=None))


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
    film, backbone, refiner = posed_film(batch=1), small_model(1, SHOWN), small_model(2, SHOWN)
    with the_same_kernels(monkeypatch):
        draft_BFCHW, trained_BFCHW = drafted_and_refined(backbone, refiner, film, chunk_latents)
        live_BFCHW = made_live(backbone, refiner, film, chunk_latents)
        unposed_BFCHW, _ = drafted_and_refined(backbone, refiner, replace(film, posed_BFCHW=None), chunk_latents)
    assert torch.equal(trained_BFCHW.detach(), live_BFCHW)
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
