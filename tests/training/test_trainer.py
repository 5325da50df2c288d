"""The training loop: a run that was stopped and resumed is the run that was not, and two processes are one."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.errors import BadInputError
from training.cli import changed_config
from training.curves import Metrics
from training.loader import numbered_batches
from training.optimizers import MuonWithAdamW, OptimizerConfig, orthogonalised
from training.parallel import World, join_world, leave_world, run_processes
from training.trainer import Batch, Trainer, TrainerConfig

ALONE = World(rank=0, size=1)
CONFIG = TrainerConfig(
    num_steps=12,
    batch_samples=4,
    optimizer=OptimizerConfig(muon_learning_rate=0.02, adamw_learning_rate=0.01),
    warmup_steps=2,
    decay_steps=4,
    save_each_steps=3,
    sample_each_steps=6,
    report_each_steps=1,
    num_workers=0,
)


def make_sample(number: int) -> Batch:
    generator = torch.Generator().manual_seed(number)
    x_D = torch.randn(6, generator=generator)
    return {"x_D": x_D, "y": x_D.sum() * 2}


class Regression:
    """The smallest task: learns a sum, with noise from the step's generator."""

    adamw_names = ("out",)

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.SiLU(), nn.Linear(8, 1))

    def batches(self, first_sample: int, batch_samples: int, world: World, num_workers: int) -> Iterator[Batch]:
        return numbered_batches(make_sample, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        x_BD = batch["x_D"] + 0.01 * torch.randn(batch["x_D"].shape, generator=generator)
        return {"loss": (self.model(x_BD.float())[:, 0].float() - batch["y"]).square().mean()}

    def measure(self) -> dict[str, float]:
        return {"held_out": 0.0}

    def write_samples(self, folder: Path, step: int) -> None:
        (folder / f"sample-{step}.txt").write_text("seen")

    def export(self, folder: Path) -> None:
        save_file({name: t.contiguous() for name, t in self.model.state_dict().items()}, folder / "model.safetensors")

    def start_from(self, folder: Path) -> None:
        self.model.load_state_dict(load_file(folder / "model.safetensors"))


def losses(records: list[dict[str, Any]]) -> dict[int, float]:
    return {record["step"]: record["loss"] for record in records if "loss" in record}


def train(folder: Path, config: TrainerConfig) -> dict[int, float]:
    records: list[dict[str, Any]] = []
    Trainer(Regression(), config, folder, ALONE).run(records.append)
    return losses(records)


class Killed(Exception):
    """Stands for a kill between two steps."""


def test_a_killed_and_resumed_run_repeats_the_losses(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", CONFIG)

    def kill_after_seven(record: dict[str, Any]) -> None:
        if record["step"] == 8:
            raise Killed

    with pytest.raises(Killed):
        Trainer(Regression(), CONFIG, tmp_path / "killed", ALONE).run(kill_after_seven)
    resumed = train(tmp_path / "killed", CONFIG)
    assert min(resumed) == 7, "the last checkpoint was at step 6"
    assert resumed == {step: loss for step, loss in whole.items() if step > 6}


def test_a_run_learns(tmp_path: Path) -> None:
    optimizer = OptimizerConfig(muon_learning_rate=0.2, adamw_learning_rate=0.05)
    config = dataclasses.replace(
        CONFIG, batch_samples=32, num_steps=30, save_each_steps=100, sample_each_steps=100, optimizer=optimizer
    )
    seen = train(tmp_path, config)
    first, last = (sum(seen[step] for step in steps) for steps in (range(1, 6), range(26, 31)))
    assert last < 0.5 * first


def test_a_run_leaves_curves_samples_and_weights(tmp_path: Path) -> None:
    train(tmp_path, CONFIG)
    assert (tmp_path / "curves.png").stat().st_size > 500
    assert {path.name for path in tmp_path.glob("sample-*")} == {"sample-6.txt", "sample-12.txt"}
    assert (tmp_path / "model.safetensors").exists()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "gradient_norm", "eta_s"} <= set(lines[0])


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    train(tmp_path, CONFIG)
    for setting, complaint in (
        ("optimizer.muon_learning_rate=0.5", r"optimizer.muon_learning_rate 0.02 \(now 0.5\)"),
        ("batch_samples=3", r"batch_samples 4 \(now 3\)"),
        ("seed=1", r"seed 0 \(now 1\)"),
    ):
        with pytest.raises(BadInputError, match=complaint):
            train(tmp_path, changed_config(CONFIG, (setting,)))
    longer = train(tmp_path, changed_config(CONFIG, ("num_steps=14",)))
    assert max(longer) == 14, "a run may be made longer"


def test_a_state_of_the_first_release_resumes(tmp_path: Path) -> None:
    """Written before settings had names, slots and things carried."""
    whole = train(tmp_path / "whole", CONFIG)
    half = dataclasses.replace(CONFIG, num_steps=6, decay_steps=1)
    train(tmp_path / "old", half)
    state = torch.load(tmp_path / "old" / "state.pt", weights_only=True)
    old = {name: state[name] for name in ("step", "model", "optimizer", "average")}
    first_settings = {
        "muon_learning_rate": 0.02, "adamw_learning_rate": 0.01, "momentum": 0.95, "weight_decay": 0.01, "clip_norm": 1.0
    }  # fmt: skip
    first_hash = hashlib.sha256(repr(sorted(first_settings.items())).encode()).hexdigest()[:16]
    old["fingerprint"] = first_hash
    torch.save(old, tmp_path / "old" / "state.pt")
    resumed = train(tmp_path / "old", CONFIG)
    assert resumed == {step: loss for step, loss in whole.items() if step > 6}
    torch.save({**old, "fingerprint": "0" * 16}, tmp_path / "old" / "state.pt")
    with pytest.raises(BadInputError, match="other optimiser settings"):
        train(tmp_path / "old", CONFIG)


def test_a_line_that_a_kill_cut_off_is_forgotten(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    for step in range(1, 5):
        metrics.append({"step": step, "loss": 0.5})
    with metrics.path.open("a") as file:
        file.write('{"step": 5, "lo')
    metrics.forget_after(3)
    assert metrics.curves() == {"loss": [(1, 0.5), (2, 0.5), (3, 0.5)]}


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    """Two slots of two samples see what one of four sees; only their noise is drawn apart."""
    one = train(tmp_path / "one", CONFIG)
    two = train(tmp_path / "two", changed_config(CONFIG, ("batch_samples=2", "accumulate=2")))
    assert two == pytest.approx(one, rel=0.05)
    assert two != one


class Carrier(Regression):
    """Its loss depends on what the step before left."""

    def __init__(self) -> None:
        super().__init__()
        self.carried: dict[str, Tensor] = {}

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        losses = super().loss(batch, generator)
        left = self.carried.get("left", torch.tensor(0.0))
        self.carried = {"left": losses["loss"].detach()}
        return {"loss": losses["loss"] + left, "left": left}


def test_what_a_task_carries_survives_a_kill(tmp_path: Path) -> None:
    def run(folder: Path, num_steps: int) -> dict[int, float]:
        records: list[dict[str, Any]] = []
        config = dataclasses.replace(CONFIG, num_steps=num_steps, accumulate=2, decay_steps=1)
        Trainer(Carrier(), config, folder, ALONE).run(records.append)
        return losses(records)

    whole = run(tmp_path / "whole", 12)
    run(tmp_path / "halves", 6)
    assert run(tmp_path / "halves", 12) == {step: loss for step, loss in whole.items() if step > 6}


def test_settings_on_the_command_line() -> None:
    assert changed_config(CONFIG, ("num_steps=3", "optimizer.clip_norm=2")).optimizer.clip_norm == 2.0
    with pytest.raises(BadInputError, match="'numsteps' is not a setting"):
        changed_config(CONFIG, ("numsteps=3",))
    with pytest.raises(BadInputError, match="num_steps=many"):
        changed_config(CONFIG, ("num_steps=many",))


def _train_as_rank(folder: Path, config: TrainerConfig) -> None:
    world = join_world()
    Trainer(Regression(), config, folder, world).run(lambda _record: None)
    leave_world(world)


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    quiet = changed_config(CONFIG, ("num_steps=4", "save_each_steps=4", "sample_each_steps=4"))
    halves = changed_config(quiet, ("batch_samples=2",))
    run_processes(functools.partial(_train_as_rank, tmp_path / "two", halves), 2)
    Trainer(Regression(), quiet, tmp_path / "one", ALONE).run(lambda _record: None)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    # the noise is drawn per rank, so the runs agree up to that noise and no closer
    assert all(torch.allclose(one[name], two[name], atol=0.02) for name in one)


def test_orthogonalised_updates_have_singular_values_near_one() -> None:
    matrix = torch.randn(12, 40, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrix).float())
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_matrices_go_to_muon_and_the_rest_to_adamw() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 4))
    optimizer = MuonWithAdamW(model.named_parameters(), OptimizerConfig(), ("1.",))
    before = [p.detach().clone() for p in model.parameters()]
    sum(p.square().sum() for p in model.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step(1.0)
    assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())
