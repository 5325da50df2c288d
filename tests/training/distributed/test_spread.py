"""However a run is spread, it is the same run: losses, held-out measure and weights agree with one process alone."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import BadInputError
from tests.training.distributed.spread_runs import SMALL, SmallTask, config, make_sample, run
from training.curves import Metrics
from training.distributed.layout import ScaleConfig, lay_out
from training.distributed.spread import spread_model
from training.parallel import World, run_processes

ALONE = World(rank=0, size=1)


def curve(folder: Path, name: str) -> list[float]:
    return [value for _, value in Metrics(folder / "metrics.jsonl").curves()[name]]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    run(folder, config(4))
    return folder


def assert_same_run(folder: Path, alone: Path) -> None:
    for name in ("loss", "gradient_norm", "held_out"):
        assert curve(folder, name) == pytest.approx(curve(alone, name), abs=1e-5), name
    here, there = load_file(folder / "model.safetensors"), load_file(alone / "model.safetensors")
    assert here.keys() == there.keys()
    assert all(torch.allclose(here[name], there[name], atol=2e-5) for name in here)


SPREADS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "FSDP2": (2, 2, {"shards": 2}),
    "Ulysses": (2, 4, {"context": 2}),
    "HSDP over two sequences of two": (4, 2, {"shards": 2, "context": 2}),
}


@pytest.mark.parametrize(
    "spread", [pytest.param(name, marks=[pytest.mark.long] if SPREADS[name][0] > 2 else []) for name in SPREADS]
)
def test_a_spread_run_is_the_run_of_one_process(spread: str, alone: Path, tmp_path: Path) -> None:
    num_processes, num_samples, scale = SPREADS[spread]
    run_processes(functools.partial(run, tmp_path, config(num_samples, **scale)), num_processes)
    assert_same_run(tmp_path, alone)


def test_a_sharded_run_resumes_alone(alone: Path, tmp_path: Path) -> None:
    run_processes(functools.partial(run, tmp_path, config(2, num_steps=2, shards=2)), 2)
    run(tmp_path, config(2))
    assert curve(tmp_path, "loss") == pytest.approx(curve(alone, "loss"), abs=1e-5)


@pytest.mark.parametrize(
    "scale", [{"recompute": "cheap"}, {"recompute": "cheap", "offload_share": 0.5}, {"recompute": "blocks"}]
)
def test_what_is_recomputed_changes_no_gradient(scale: dict[str, Any]) -> None:
    gradients = []
    for settings in (ScaleConfig(), ScaleConfig(**scale)):
        task = SmallTask()
        spread_model(task.model, lay_out(ALONE, settings), settings)
        batch = {name: tensor[None] for name, tensor in make_sample(3).items()}
        task.loss(batch, torch.Generator())["loss"].backward()  # type: ignore[no-untyped-call]
        gradients.append({name: parameter.grad for name, parameter in task.model.named_parameters()})
    plain, recomputed = gradients
    assert plain.keys() == recomputed.keys()
    for name, gradient in plain.items():
        assert gradient is not None
        assert torch.equal(gradient, recomputed[name]), name  # type: ignore[arg-type]


def test_cheap_keeps_less_than_everything_and_more_than_nothing() -> None:
    def kept_bytes(settings: ScaleConfig) -> int:
        task, total = SmallTask(), 0
        spread_model(task.model, lay_out(ALONE, settings), settings)

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal total
            total += tensor.numel() * tensor.element_size()
            return tensor

        batch = {name: tensor[None] for name, tensor in make_sample(3).items()}
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            task.loss(batch, torch.Generator())
        return total

    assert kept_bytes(ScaleConfig(recompute="blocks")) < 0.5 * kept_bytes(ScaleConfig())


def test_processes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(BadInputError, match="3 processes cannot be cut into groups of 2"):
        lay_out(World(rank=0, size=3), ScaleConfig(shards=2))
    with pytest.raises(ValueError, match="must divide the 2"):
        ScaleConfig(shards=2, context=4)
    with pytest.raises(ValueError, match="share of what recompute=cheap keeps"):
        ScaleConfig(offload_share=0.5)
    assert SMALL.num_heads == 4
