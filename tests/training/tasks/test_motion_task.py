"""The motion model's task on a model of a few thousand parameters and clips of noise: it learns, measures, exports and resumes."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.motion.plan import MotionModel, MotionTold, plan_motion
from engine.motion.settings import MotionSettings
from tests.engine.small_pack import BASE
from tests.training.tasks.short_runs import check_that_what_is_exported_starts_another_run, losses_of
from tests.training.tasks.small_base import ONE_ROW, WIDTH, clips_of_noise
from training.data.motion_rows import ROW_WIDTH, motion_rows, rest_row
from training.data.motion_windows import MotionWindowConfig
from training.data.windows import LISTEN_HISTORY_ROWS
from training.optimizers import OptimizerConfig
from training.parallel import World
from training.tasks.motion import FOLLOWED, MotionTask
from training.trainer import Trainer, TrainerConfig

ALONE = World(rank=0, size=1)
CONFIG = replace(
    BASE,
    in_channels=ROW_WIDTH,
    out_channels=ROW_WIDTH,
    text_dim=WIDTH,
    speak_dim=WIDTH,
    listen_dim=WIDTH,
    speak_window=ONE_ROW,
    listen_window=replace(ONE_ROW, rows_before=LISTEN_HISTORY_ROWS),
)
SETTINGS = MotionSettings(rest=tuple(rest_row().tolist()), history_rows=4, num_steps=2)


def small_motion_task() -> MotionTask:
    torch.manual_seed(0)
    features = clips_of_noise()
    return MotionTask(
        transformer=Transformer(CONFIG),
        settings=SETTINGS,
        features=features,
        held_out=features,
        weights_file="motion.safetensors",
        window=MotionWindowConfig(most_history=4, new_choices=(3, 2)),
    )


@pytest.fixture
def task() -> MotionTask:
    return small_motion_task()


def first_batch(task: MotionTask, num_samples: int = 16) -> dict[str, Tensor]:
    return next(task.batches(0, num_samples, ALONE, 0))


def test_the_loss_falls(task: MotionTask) -> None:
    losses = losses_of(task, num_steps=16, batch_samples=16, learning_rate=0.01)
    assert all(parameter.grad is not None for parameter in task.model.parameters())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_loss_follows_from_the_batch_and_the_generator_and_asks_of_new_rows_alone(task: MotionTask) -> None:
    torch.nn.init.normal_(task.transformer.head.head.weight, std=0.1)
    task.history_noise = 0.0
    batch = first_batch(task)

    def loss(given: dict[str, Tensor], seed: int = 0) -> Tensor:
        with torch.no_grad():
            return task.loss(given, torch.Generator().manual_seed(seed))["loss"]

    assert torch.equal(loss(batch), loss(batch))
    assert not torch.equal(loss(batch), loss(batch, seed=1))
    # a network that answers nothing is wrong by exactly its best guess: one, for rows of spread one
    torch.nn.init.zeros_(task.transformer.head.head.weight)
    generator = torch.Generator().manual_seed(0)
    white = {**batch, "motion_FM": torch.randn(batch["motion_FM"].shape, generator=generator)}
    before = loss(white)
    assert float(before) == pytest.approx(1.0, abs=0.1)
    history = int(batch["history"][0])
    far = white["motion_FM"].clone()
    far[:, :history] += 100.0
    assert torch.equal(before, loss({**white, "motion_FM": far})), "what is wrong with history costs nothing"


def test_history_is_told_at_no_noise_and_nearly_clean(task: MotionTask) -> None:
    seen: list[Any] = []
    handle = task.transformer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    batch = first_batch(task)
    task.loss(batch, torch.Generator().manual_seed(0))
    handle.remove()
    (inputs,) = seen
    history = int(batch["history"][0])
    assert not inputs.timestep_BF[:, :history].any()
    assert (inputs.timestep_BF[:, history:] > 0).all()
    assert inputs.listen_start_row == -LISTEN_HISTORY_ROWS
    told_BFM, true_BFM = inputs.latents_BFCHW[:, :history, :, 0, 0], batch["motion_FM"][:, :history]
    error_BFM = told_BFM - true_BFM
    assert 0 < error_BFM.abs().mean() < 0.3 * true_BFM.abs().mean()


def test_measures_have_names_and_depend_on_the_model_alone(task: MotionTask) -> None:
    task.held_out = replace(task.held_out, clips={**task.held_out.clips})
    task.window = replace(task.window, most_history=8)
    with torch.no_grad():
        measures, again = task.measure(), task.measure()
    assert measures == again
    followed = {f"{what}_{name}" for what in ("r", "spread") for name in FOLLOWED}
    assert set(measures) == {"held_out_velocity", "blinks", "expression"} | followed
    assert all(np.isfinite(value) for value in measures.values())


def test_a_perfect_plan_is_measured_as_one(task: MotionTask, monkeypatch: pytest.MonkeyPatch) -> None:
    true_NTK = task.held_out.clips["state_TK"].float()
    # A plan that is the truth itself: what is tested is the measure, not the model.
    monkeypatch.setattr(MotionTask, "planned", lambda self: true_NTK)
    measures = task.measure_plans()
    assert all(measures[f"r_{name}"] == pytest.approx(1.0, abs=1e-4) for name in FOLLOWED)
    assert all(measures[f"spread_{name}"] == pytest.approx(1.0, abs=1e-4) for name in FOLLOWED)
    assert (measures["blinks"], measures["expression"]) == (1.0, 1.0)


def test_held_out_clips_are_planned_as_a_film_is(task: MotionTask) -> None:
    """Chunk by chunk from rest, each behind what was planned before it, with the sound of its own latents."""
    torch.nn.init.normal_(task.transformer.head.head.weight, std=0.1)
    states_NTK = task.planned()
    features, new = task.held_out, 3
    num_rows = states_NTK.shape[1] // 4
    assert (num_rows, num_rows % new) == (24, 0)
    motion = MotionModel(transformer=task.transformer, settings=SETTINGS)
    rows = motion_rows(states_NTK)
    start, generator = 9, torch.Generator().manual_seed(3)
    for _ in range(start // new + 1):
        noise_BFM = torch.randn(features.num_clips, new, ROW_WIDTH, generator=generator)
    wanted = plan_motion(
        motion,
        MotionTold(
            text_BSD=features.text_NCLD[:, 0].float(),
            speak_BAD=features.speak_NAD.float(),
            listen_BAD=features.listen_NAD.float(),
            speak_start_row=-(start - SETTINGS.history_rows),
            listen_start_row=-(start - SETTINGS.history_rows) - LISTEN_HISTORY_ROWS,
        ),
        rows[:, start - SETTINGS.history_rows : start],
        noise_BFM,
    )
    torch.testing.assert_close(rows[:, start : start + new], wanted, rtol=0.1, atol=0.1)


def test_what_is_exported_starts_another_run(task: MotionTask, tmp_path: Path) -> None:
    torch.nn.init.normal_(task.transformer.head.head.weight, std=0.1)
    check_that_what_is_exported_starts_another_run(task, small_motion_task(), tmp_path)
    task.write_samples(tmp_path, 7)
    assert np.load(tmp_path / "planned-000007.npy").shape == (4, 96, ROW_WIDTH // 4)


def test_a_run_that_was_stopped_goes_on_to_the_same_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Planning whole held-out clips has no part in the losses and takes most of the time.
    monkeypatch.setattr(MotionTask, "measure", lambda self: {})
    config = TrainerConfig(
        num_steps=6,
        batch_samples=4,
        optimizer=OptimizerConfig(muon_learning_rate=0.01, adamw_learning_rate=0.01),
        warmup_steps=1,
        decay_steps=2,
        save_each_steps=3,
        sample_each_steps=100,
        report_each_steps=1,
        num_workers=0,
    )

    def losses(folder: Path, num_steps: int) -> dict[int, float]:
        records: list[dict[str, Any]] = []

        def report(record: dict[str, Any]) -> None:
            records.append(record)
            if record.get("step") == num_steps and "loss" in record:
                raise InterruptedError

        with contextlib.suppress(InterruptedError):
            Trainer(small_motion_task(), config, folder, ALONE).run(report)
        return {record["step"]: record["loss"] for record in records if "loss" in record}

    straight = losses(tmp_path / "straight", 100)
    losses(tmp_path / "stopped", 4)
    resumed = losses(tmp_path / "stopped", 100)
    assert len(straight) == 6
    assert resumed and min(resumed) > 1
    assert all(straight[step] == loss for step, loss in resumed.items())
