"""The one training loop: a task (model, data, loss) in; checkpoints, curves, samples and JSON progress out.

A batch is a pure function of the sample numbers in it, and every random draw of a step comes from a generator seeded by the
step, so a run that was killed and resumed sees the same losses as one that was not.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.precision import fast_autocast
from training.checkpoints import config_fingerprint, load_training_state, save_training_state
from training.curves import Metrics
from training.ema import ExponentialAverage
from training.optimizers import MuonWithAdamW, OptimizerConfig
from training.parallel import World, average_gradients

logger = logging.getLogger(__name__)

Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """How long, how fast and how often. Steps count optimiser updates; `batch_samples` is per process."""

    num_steps: int
    batch_samples: int
    optimizer: OptimizerConfig
    warmup_steps: int = 50
    decay_steps: int = 300
    ema_decay: float = 0.995
    seed: int = 0
    save_each_steps: int = 100
    sample_each_steps: int = 200
    report_each_steps: int = 10
    num_workers: int = 1

    def __post_init__(self) -> None:
        if min(self.num_steps, self.batch_samples) < 1:
            raise ValueError("a run needs at least one step and one sample a batch")


class Task(Protocol):
    """What is trained: composed by a recipe, driven by the trainer."""

    @property
    def model(self) -> nn.Module:
        """Every trained parameter lives in here."""

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """Parts of names of matrices that AdamW trains rather than Muon."""

    def batches(self, first_sample: int, batch_samples: int, world: World, num_workers: int) -> Iterator[Batch]:
        """Batches from sample number `first_sample` on, for ever; sample i goes to rank i % world.size."""

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named scalars of which `loss` is minimised."""

    def measure(self) -> dict[str, float]:
        """Held-out measures, at fixed samples and noise."""

    def write_samples(self, folder: Path, step: int) -> None:
        """Pictures or films of what the model does now."""

    def export(self, folder: Path) -> None:
        """The weights as they are shipped, with the averaged parameters in place."""

    def start_from(self, folder: Path) -> None:
        """Fills the model from what `export` wrote, for a new run; `BadInputError` where it is missing."""


class Trainer:
    """Drives one task to `config.num_steps`, resuming from `folder` where it was left."""

    def __init__(self, task: Task, config: TrainerConfig, folder: Path, world: World) -> None:
        self.task, self.config, self.folder, self.world = task, config, folder, world
        self.optimizer = MuonWithAdamW(task.model, config.optimizer, task.adamw_names)
        self.average = ExponentialAverage(task.model, config.ema_decay)
        self.metrics = Metrics(folder / "metrics.jsonl")
        self.step = 0

    def run(self, report: Callable[[dict[str, Any]], None]) -> None:
        """Trains to the end; `report` gets one record a few steps apart."""
        self._resume()
        device = next(self.task.model.parameters()).device
        samples_a_step = self.config.batch_samples * self.world.size
        batches = self.task.batches(
            self.step * samples_a_step, self.config.batch_samples, self.world, self.config.num_workers
        )
        started_s = time.monotonic()
        first_step = self.step
        while self.step < self.config.num_steps:
            record = self._train_step(next(batches), device)
            if self.step % self.config.report_each_steps == 0 and self.world.is_first:
                record["step_s"] = (time.monotonic() - started_s) / (self.step - first_step)
                record["eta_s"] = record["step_s"] * (self.config.num_steps - self.step)
                self.metrics.append(record)
                report(record)
            if self.step % self.config.sample_each_steps == 0 or self.step == self.config.num_steps:
                self._sample(report)
            if self.step % self.config.save_each_steps == 0 or self.step == self.config.num_steps:
                self._save()

    def learning_rate_factor(self, step: int) -> float:
        """Warm-up, plateau, then a straight line to zero over the last `decay_steps`."""
        warmup = min(1.0, (step + 1) / max(1, self.config.warmup_steps))
        decay = (self.config.num_steps - step) / max(1, self.config.decay_steps)
        return min(warmup, decay, 1.0)

    def _train_step(self, batch: Batch, device: torch.device) -> dict[str, Any]:
        generator = torch.Generator(device=device)
        generator.manual_seed((self.config.seed * 1_000_003 + self.step) * 64 + self.world.rank)
        self.task.model.train()
        with fast_autocast(device):
            losses = self.task.loss({name: tensor.to(device) for name, tensor in batch.items()}, generator)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        average_gradients(self.optimizer.parameters, self.world)
        gradient_norm = self.optimizer.step(self.learning_rate_factor(self.step))
        self.average.update(self.task.model)
        self.step += 1
        record = {name: float(value.detach()) for name, value in losses.items()}
        return {"step": self.step, **record, "gradient_norm": gradient_norm}

    def _sample(self, report: Callable[[dict[str, Any]], None]) -> None:
        if not self.world.is_first:
            return
        device = next(self.task.model.parameters()).device
        with averaged_weights(self.task.model, self.average), torch.no_grad(), fast_autocast(device):
            record: dict[str, Any] = {"step": self.step, **self.task.measure()}
            self.task.write_samples(self.folder, self.step)
        self.metrics.append(record)
        self.metrics.draw_curves(self.folder / "curves.png")
        report(record)

    def _save(self) -> None:
        if not self.world.is_first:
            return
        save_training_state(
            self.folder / "state.pt",
            {
                "fingerprint": config_fingerprint(self.config.optimizer),
                "step": self.step,
                "model": self.task.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "average": self.average.state_dict(),
            },
        )
        with averaged_weights(self.task.model, self.average):
            self.task.export(self.folder)

    def _resume(self) -> None:
        state = load_training_state(self.folder / "state.pt", config_fingerprint(self.config.optimizer))
        if state is None:
            return
        self.task.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.step = state["step"]
        logger.info("resumed %s at step %d", self.folder, self.step)


class averaged_weights:
    """Inside the block the model has its averaged weights and is in evaluation mode; afterwards its own again."""

    def __init__(self, model: nn.Module, average: ExponentialAverage) -> None:
        self.model, self.average = model, average

    def __enter__(self) -> None:
        self.own = {name: p.detach().clone() for name, p in self.model.named_parameters() if p.requires_grad}
        self.average.copy_to(self.model)
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if name in self.own:
                    parameter.copy_(self.own[name])
        self.model.train()
