"""What is trained is what runs live: the same latents, the same history, the same motion told, the student's own timesteps."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from engine.model.transformer import Transformer
from engine.model_config import DitConfig
from engine.motion.planner import MotionPlanner
from engine.online.live_motion import LiveMotion
from engine.online.noise import SeededNoise
from tests.training.distillation.small_films import (
    CHANNELS,
    CONFIG,
    LATENTS,
    NOT_TOLD,
    ROW_WIDTH,
    ROWS,
    SETTINGS,
    small_film,
    small_model,
    small_motion,
    small_score,
)
from tests.training.distillation.two_ways import (
    batch_noise,
    check_windows_side_by_side_are_windows_one_by_one,
    drafted_and_refined,
    live_rollout,
    made_live,
    the_same_kernels,
)
from tests.training.tasks.small_base import clips_of_noise
from training.data.motion_rows import motion_rows
from training.distillation.causal import BatchNoise, backbone_rollout, causal_model, under_noisy_history
from training.distillation.films import cut_film, film_of
from training.distillation.schedules import draw_chunk_timesteps
from training.distillation.stage1_ode import on_schedule, stage1_loss
from training.distillation.teacher import TeacherConfig, teacher_trajectory

TIMESTEPS = (*SETTINGS.backbone_timesteps, SETTINGS.refiner_timestep)


def rows_told(model: Transformer) -> list[torch.Tensor]:
    """The motion rows that each forward of a model is told from now on."""
    told: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _module, args: told.append(args[0].motion_BFM))
    return told


@pytest.mark.parametrize("config", [CONFIG, NOT_TOLD], ids=["told", "not told"])
@pytest.mark.parametrize("chunk_latents", SETTINGS.chunk_choices)
def test_the_training_rollout_is_the_live_rollout_bit_for_bit(
    chunk_latents: int, config: DitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, backbone, refiner = small_film(batch=1), small_model(1, config), small_model(2, config)
    with the_same_kernels(monkeypatch):
        _, trained_BFCHW = drafted_and_refined(backbone, refiner, film, chunk_latents)
        live_BFCHW = made_live(backbone, refiner, film, chunk_latents)
    assert torch.equal(trained_BFCHW.detach(), live_BFCHW)
    assert trained_BFCHW.requires_grad


@pytest.mark.parametrize("chunk_latents", SETTINGS.chunk_choices)
def test_a_film_of_a_known_motion_is_the_live_film_of_that_plan_bit_for_bit(
    chunk_latents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live the rows are planned, from sound that reaches further back than any that training has; in training they are the truth."""
    film, backbone, refiner = small_film(batch=1), small_model(1), small_model(2)
    planner = MotionPlanner(small_motion(), slack_rows=film.num_latents)
    windows = (CONFIG.speak_window, CONFIG.listen_window)
    motion = LiveMotion(planner, windows, SeededNoise(2, (ROW_WIDTH, 1, 1), torch.device("cpu")))
    with the_same_kernels(monkeypatch):
        live = live_rollout(backbone, refiner, film, motion)
        lead, chunks = live.history_latents, []
        assert lead
        with torch.no_grad():
            for first in range(0, film.num_latents, chunk_latents):
                behind = film.conditions(first - lead, lead + chunk_latents, CONFIG)
                conditions = replace(
                    film.conditions(first, chunk_latents, CONFIG),
                    speak_BAD=behind.speak_BAD,
                    listen_BAD=behind.listen_BAD,
                    motion_BFM=None,
                )
                told = live.plan(first, conditions)
                chunks.append(live.refine(first, live.draft(first, told), told))
        known = replace(film, motion_BFM=planner.rows(0))
        draft_BFCHW, trained_BFCHW = drafted_and_refined(backbone, refiner, known, chunk_latents)
        other_BFCHW = backbone_rollout(backbone, SETTINGS, film, batch_noise(film), chunk_latents)
    assert torch.equal(trained_BFCHW.detach(), torch.cat(chunks, dim=1))
    assert not torch.allclose(other_BFCHW, draft_BFCHW, atol=1e-3)


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
    told = rows_told(score.transformer)
    noise = torch.randn(film.latents_BFCHW.shape, generator=torch.Generator().manual_seed(0))
    states = teacher_trajectory(score, TeacherConfig(), film, noise, TIMESTEPS)
    assert states.shape == (2, 4, *film.latents_BFCHW.shape[1:])
    assert torch.equal(states[:, 0], noise)
    assert asked == pytest.approx([1000.0, SETTINGS.backbone_timesteps[1], SETTINGS.refiner_timestep] * 2)
    picked = on_schedule(states, SETTINGS.backbone_timesteps, (SETTINGS.backbone_timesteps[1], 1000.0))
    assert torch.equal(picked[:, :3], states[:, 1, :3])
    assert torch.equal(picked[:, 3:], states[:, 0, 3:])
    assert film.motion_BFM is not None
    first_BFM = torch.cat([torch.zeros_like(film.motion_BFM[:, :1]), film.motion_BFM[:, :3]], dim=1)
    for rows_BFM, wanted_BFM in zip(told, [first_BFM] * 3 + [film.motion_BFM[:, 2:]] * 3, strict=True):
        assert torch.equal(rows_BFM, wanted_BFM), "of what stands before the film nothing is told"


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
    film = small_film()
    check_windows_side_by_side_are_windows_one_by_one(small_score(), film, untold=replace(film, motion_BFM=None))


def test_a_teacher_that_is_not_told_motion_makes_the_same_film_whatever_is_known_of_it() -> None:
    film, score = small_film(), small_score(config=NOT_TOLD)
    noise = torch.randn(film.latents_BFCHW.shape, generator=torch.Generator().manual_seed(0))
    known, unknown = (
        teacher_trajectory(score, TeacherConfig(), each, noise, TIMESTEPS)
        for each in (film, replace(film, motion_BFM=None))
    )
    assert torch.equal(known, unknown)


def test_films_are_told_what_the_actor_did_and_of_a_person_nothing() -> None:
    features = clips_of_noise()
    samples = [cut_film(features, number, LATENTS) for number in range(2)]
    for sample in samples:
        assert torch.equal(sample["motion_FM"], motion_rows(sample["state_TK"]))
        assert sample["motion_FM"].shape[0] == LATENTS
    batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
    told_BFM = film_of(batch).conditions(2, 3, CONFIG).motion_BFM
    assert told_BFM is not None
    assert torch.equal(told_BFM, batch["motion_FM"][:, 2:5])
    person = {
        **{name: features.clips[name] for name in ("latents_FCHW", "text_of_latent_F")},
        "references_RCHW": features.clips["references_RCHW"][:, :1],
        "reference_indices_R": features.clips["reference_indices_R"][:, :1],
        "state_TK": torch.zeros(features.num_clips, features.speak_NAD.shape[1], 1),
    }
    unknown_FM = cut_film(replace(features, clips=person), 0, LATENTS)["motion_FM"]
    assert unknown_FM.shape == batch["motion_FM"].shape[1:]
    assert not unknown_FM.any()


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
