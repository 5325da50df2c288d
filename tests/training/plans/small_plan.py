"""A plan of stages that take moments: one makes numbers, the others learn their sum, and one unlearns it."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.packs import fill_from_file
from training.loader import numbered_batches
from training.optimizers import OptimizerConfig
from training.parallel import World
from training.plans.plan import MadeStage, Measure, Plan, TrainedStage
from training.recipes.places import Places, with_num_scenes
from training.recipes.run import NothingToLearn, Run
from training.time_budget import TimeBudget
from training.trainer import Batch, TrainerConfig

WEIGHTS = "sum.safetensors"
CONFIG = TrainerConfig(
    num_steps=30,
    batch_samples=16,
    optimizer=OptimizerConfig(muon_learning_rate=0.05, adamw_learning_rate=0.1),
    warmup_steps=2,
    decay_steps=10,
    ema_decay=0.5,
    save_each_steps=4,
    sample_each_steps=1000,
    report_each_steps=1,
    num_workers=0,
)


def make_sample(number: int) -> Batch:
    x_D = torch.randn(6, generator=torch.Generator().manual_seed(number))
    return {"x_D": x_D, "y": x_D.sum()}


class Sum:
    """Learns a sum, or with a `sign` of -1 the contrary of it."""

    adamw_names = ("0",)

    def __init__(self, sign: float = 1.0) -> None:
        torch.manual_seed(0)
        self.sign = sign
        self.model = nn.Sequential(nn.Linear(6, 1))

    def batches(self, first_sample: int, batch_samples: int, world: World, num_workers: int) -> Iterator[Batch]:
        return numbered_batches(make_sample, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": (self.model(batch["x_D"])[:, 0].float() - self.sign * batch["y"]).square().mean()}

    def measure(self) -> dict[str, float]:
        samples = [make_sample(10_000 + number) for number in range(32)]
        x_BD, y_B = (torch.stack([sample[name] for sample in samples]) for name in ("x_D", "y"))
        return {
            "held_out_error": float((self.model(x_BD)[:, 0].float() - y_B).square().mean()),
            "nothing": float("nan"),
        }

    def write_samples(self, folder: Path, step: int) -> None: ...

    def export(self, folder: Path) -> None:
        save_file({name: t.contiguous() for name, t in self.model.state_dict().items()}, folder / WEIGHTS)

    def start_from(self, folder: Path) -> None:
        fill_from_file(folder / WEIGHTS, self.model)


def learn(places: Places) -> Run:
    assert (places.clips / "numbers.json").is_file()
    return Run(task=Sum(), config=CONFIG)


def unlearn(places: Places) -> Run:
    return Run(task=Sum(sign=-1.0), config=CONFIG)


def learn_nothing(places: Places) -> Run:
    raise NothingToLearn(f"{places.num_scenes} scenes are too few")


def make_numbers(places: Places, budget: TimeBudget) -> int:
    budget.keep()
    (places.clips / "numbers.json").write_text(json.dumps([1, 2, 3]))
    return 3


class Ticks:
    """A clock that goes on by a moment whenever it is looked at: a plan on it is the same on any machine."""

    def __init__(self, tick_s: float = 0.02) -> None:
        self.now_s, self.tick_s = 0.0, tick_s

    def __call__(self) -> float:
        self.now_s += self.tick_s
        return self.now_s


ERROR = Measure(name="held_out_error", better="lower")
LEARN = TrainedStage(name="first", recipe=learn, share=4, measure=ERROR, starts_from=WEIGHTS, gives=(WEIGHTS,))
SMALL_PLAN = Plan(
    name="small",
    given=(),
    packs=False,
    stages=(
        MadeStage(name="numbers", share=1, make=make_numbers, unit="numbers", tells=with_num_scenes),
        LEARN,
        dataclasses.replace(LEARN, name="worse", recipe=unlearn, share=2),
        dataclasses.replace(LEARN, name="idle", recipe=learn_nothing, share=1),
        dataclasses.replace(LEARN, name="again", share=2),
    ),
)
