"""What is trained is what runs live: the same latents, the same history, the student's own timesteps."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from engine.model import linear
from engine.model.attend import using
from engine.online.noise import SeededNoise
from engine.online.rollout import CausalModel, CausalRollout
from tests.training.distillation.small_films import CHANNELS, ROWS, SETTINGS, small_film, small_model, small_score
from training.distillation.causal import BatchNoise, backbone_rollout, causal_model, refined, under_noisy_history
from training.distillation.schedules import draw_chunk_timesteps
from training.distillation.stage1_ode import on_schedule, stage1_loss
from training.distillation.teacher import TeacherConfig, teacher_trajectory

TIMESTEPS = (*SETTINGS.backbone_timesteps, SETTINGS.refiner_timestep)


@pytest.mark.parametrize("chunk_latents", SETTINGS.chunk_choices)
def test_the_training_rollout_is_the_live_rollout_bit_for_bit(
    chunk_latents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Left to themselves, attention and float32 layers take other kernels where gradients are wanted.
    monkeypatch.setattr(linear, "HAS_WIDE_ONEDNN", False)
    film, backbone, refiner = small_film(batch=1), small_model(1), small_model(2)
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
                conditions = film.conditions(first, chunk_latents, backbone.config)
                chunks.append(live.refine(first, live.draft(first, conditions), conditions))
    assert torch.equal(trained_BFCHW.detach(), torch.cat(chunks, dim=1))
    assert trained_BFCHW.requires_grad


def test_films_of_a_batch_do_not_meet() -> None:
    film, model = small_film(batch=2), small_model()
    noise = BatchNoise.drawn(film, SETTINGS, torch.Generator().manual_seed(0))
    both = backbone_rollout(model, SETTINGS, film, noise, 3)
    other = small_film(batch=2, seed=9)
    mixed = replace(
        film, latents_BFCHW=other.latents_BFCHW, speak_BAD=torch.stack([film.speak_BAD[0], other.speak_BAD[1]])
    )
    changed = backbone_rollout(model, SETTINGS, mixed, noise, 3)
    assert torch.equal(both[0], changed[0])
    assert not torch.allclose(both[1], changed[1])


def test_history_is_the_noisy_chunks_before() -> None:
    """Other noise in the first chunk changes what the second one is predicted to be, at the same input."""
    film, model = small_film(), small_model()
    noisy = torch.randn_like(film.latents_BFCHW)
    schedule = (SETTINGS.backbone_timesteps[1], SETTINGS.backbone_timesteps[0])
    first = under_noisy_history(causal_model(model, SETTINGS, film), film, noisy, schedule)
    noisy[:, :3] += 1.0
    second = under_noisy_history(causal_model(model, SETTINGS, film), film, noisy, schedule)
    assert not torch.allclose(first[:, 3:], second[:, 3:])
    noisy[:, 3:] += 1.0
    third = under_noisy_history(causal_model(model, SETTINGS, film), film, noisy, schedule)
    assert torch.equal(second[:, :3], third[:, :3]), "no chunk sees a later one"


def test_schedules_are_all_non_decreasing_ones_evenly() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = Counter(draw_chunk_timesteps(4, (1000.0, 909.0), generator) for _ in range(1000))
    assert len(drawn) == 5
    assert all(list(schedule) == sorted(schedule) for schedule in drawn)
    assert max(drawn.values()) < 1.5 * min(drawn.values())


def test_pairs_stand_at_the_students_own_timesteps() -> None:
    """The teacher's network is asked at exactly the warped timesteps that the live rollout runs at."""
    film, score = small_film(), small_score()
    asked: list[float] = []
    score.transformer.register_forward_pre_hook(lambda _module, args: asked.append(float(args[0].timestep_BF.max())))
    noise = torch.randn(film.latents_BFCHW.shape, generator=torch.Generator().manual_seed(0))
    states = teacher_trajectory(score, TeacherConfig(), film, noise, TIMESTEPS)
    assert states.shape == (2, 4, *film.latents_BFCHW.shape[1:])
    assert torch.equal(states[:, 0], noise)
    assert asked == pytest.approx([1000.0, SETTINGS.backbone_timesteps[1], SETTINGS.refiner_timestep] * 2)
    picked = on_schedule(states, SETTINGS.backbone_timesteps, (SETTINGS.backbone_timesteps[1], 1000.0))
    assert torch.equal(picked[:, :3], states[:, 1, :3])
    assert torch.equal(picked[:, 3:], states[:, 0, 3:])


def test_only_a_bidirectional_teachers_past_knows_its_future() -> None:
    film, noise = small_film(), torch.randn(2, 6, CHANNELS, ROWS, ROWS)
    later = noise.clone()
    later[:, 3:] += 1.0
    for kind, knows in (("autoregressive", False), ("bidirectional", True)):
        states, other = (
            teacher_trajectory(small_score(), TeacherConfig(kind=kind), film, start, TIMESTEPS)
            for start in (noise, later)
        )
        assert torch.equal(states[:, -1, :3], other[:, -1, :3]) is not knows


def test_windows_side_by_side_are_windows_one_by_one() -> None:
    film, score = small_film(), small_score()
    noisy, sigma_B = torch.randn_like(film.latents_BFCHW), torch.tensor([0.7, 0.4])
    guidance = TeacherConfig().guidance
    together = score.clean(film, noisy, sigma_B, film.latents_BFCHW, guidance)
    inputs = score.window(film, film.latents_BFCHW[:, 2], 3, noisy[:, 3:], sigma_B)
    alone = noisy[:, 3:] - sigma_B[:, None, None, None, None] * score.velocity(inputs)[:, 1:]
    torch.testing.assert_close(together[:, 3:], alone, rtol=1e-5, atol=1e-5)


def test_stage_1_is_the_mean_squared_error_of_clean_latents_and_learns() -> None:
    film, backbone = small_film(), small_model()
    trajectory = torch.randn(2, 4, *film.latents_BFCHW.shape[1:], generator=torch.Generator().manual_seed(3))

    def loss() -> torch.Tensor:
        generator = torch.Generator().manual_seed(8)
        return stage1_loss(backbone, SETTINGS, film, trajectory, 3, generator)["loss"]

    schedule = draw_chunk_timesteps(2, SETTINGS.backbone_timesteps, torch.Generator().manual_seed(8))
    inputs = on_schedule(trajectory, SETTINGS.backbone_timesteps, schedule)
    predicted = under_noisy_history(causal_model(backbone, SETTINGS, film), film, inputs, schedule)
    first = loss()
    torch.testing.assert_close(first, (predicted - trajectory[:, -1]).square().mean())
    optimizer = torch.optim.Adam(backbone.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss() < 0.7 * first
