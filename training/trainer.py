"""The one training loop: a task (model, data, loss) in; checkpoints, curves, samples and JSON progress out.

A batch is a pure function of the sample numbers in it, every random draw of a step comes from a generator seeded by the step, and
what a task carries from one step to the next is kept with the weights. So a run that was killed and resumed sees the same losses as
one that was not, also on another number of processes (`training.slots`). How a model is spread over them is `training.distributed`.
A run may have a time (`training.time_budget`) instead of a number of steps; then its schedule follows the time.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from torch import Tensor

from engine.precision import fast_autocast
from training.checkpoints import config_fingerprint, load_training_state, save_training_state, settings_of
from training.curves import Metrics
from training.distributed.layout import ScaleConfig, lay_out
from training.distributed.sharding import load_whole_weights, synchronise_gradients, whole_state, whole_weights
from training.distributed.spread import spread_model
from training.ema import ExponentialAverage, averaged_weights
from training.optimizers import OptimizerConfig, PartedOptimizer
from training.parallel import World, average_gradients, gathered, mean_over_processes, mean_record
from training.slots import Slots
from training.tasks.task import Batch, CarryingTask, StoppableTask, Task
from training.tensorboard import Board, NoBoard, open_board
from training.time_budget import TimeBudget

logger = logging.getLogger(__name__)

__all__ = ["Batch", "Task", "Trainer", "TrainerConfig"]

MOST_LOST_S: Final = 60.0

# Settings that may change when a run is resumed: how long and how often, and how the work is spread.
FREE_SETTINGS: Final = frozenset(
    {
        "num_steps",
        "decay_steps",
        "save_each_steps",
        "sample_each_steps",
        "report_each_steps",
        "num_workers",
        "accumulate",
        "scale",
    }
)
SETTINGS_OF_OLD_STATES: Final = (
    "muon_learning_rate",
    "adamw_learning_rate",
    "momentum",
    "weight_decay",
    "clip_norm",
)


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """How long, how fast and how often. Steps count optimiser updates; `batch_samples` is per slot (`training.slots`).

    accumulate: batches that each process works on before an update.
    part_optimizers: settings of their own for parts of the model, by the name of the submodule.
    """

    num_steps: int
    batch_samples: int
    optimizer: OptimizerConfig
    part_optimizers: tuple[tuple[str, OptimizerConfig], ...] = ()
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    accumulate: int = 1
    warmup_steps: int = 50
    decay_steps: int = 300
    ema_decay: float = 0.995
    seed: int = 0
    save_each_steps: int = 100
    sample_each_steps: int = 200
    report_each_steps: int = 10
    num_workers: int = 1

    def __post_init__(self) -> None:
        if min(self.num_steps, self.batch_samples, self.accumulate) < 1:
            raise ValueError("a run needs at least one step and one sample a batch")


class Trainer:
    """Drives one task to `config.num_steps`, resuming from `folder` where it was left."""

    def __init__(
        self, task: Task, config: TrainerConfig, folder: Path, world: World, budget: TimeBudget | None = None
    ) -> None:
        """With a `budget` the run ends with its time, after one step at least, and `num_steps` does not count."""
        self.task, self.config, self.folder, self.world, self.budget = task, config, folder, world, budget
        self.layout = lay_out(world, config.scale)
        spread_model(task.model, self.layout, config.scale)
        is_exact = config.scale.precision == "float32"
        self.optimizer = PartedOptimizer(
            task.model,
            config.optimizer,
            task.adamw_names,
            dict(config.part_optimizers),
            torch.float32 if is_exact else torch.bfloat16,
        )
        self.average = ExponentialAverage(task.model, config.ema_decay)
        self.metrics = Metrics(folder / "metrics.jsonl")
        self.slots = Slots.shared(self.layout.data.size * config.accumulate, self.layout.data)
        self.board: Board = NoBoard()
        self.carried: dict[int, dict[str, Tensor]] = {}
        self.step = 0
        self.samples_seen = 0
        self.progress = 0.0

    def run(self, report: Callable[[dict[str, Any]], None]) -> None:
        """Trains to the end, or until the task says that going on makes it worse; `report` gets one record a few steps apart."""
        self._resume()
        if self.world.is_first:
            self.board = open_board(self.folder / "tensorboard", self.step)
        batches = self._batches()
        started_s, waited_s, first_step = time.monotonic(), 0.0, self.step
        self.progress = self._told_progress()
        saved_at = self.progress
        while self.step == 0 or self.progress < 1.0:
            asked_s = time.monotonic()
            mine = [next(batches[slot]) for slot in self.slots.mine]
            waited_s += time.monotonic() - asked_s
            record = self._train_step(mine)
            self.progress = self._told_progress()
            is_last = self.progress >= 1.0
            if self._is_due(self.config.report_each_steps):
                record = mean_over_processes(record, self.world)
                taken_s = time.monotonic() - started_s
                record["step_s"] = taken_s / (self.step - first_step)
                record["eta_s"] = self._left_s(record["step_s"])
                record["data_wait_share"] = waited_s / taken_s
                self._record(record, report)
            is_over = False
            if self._is_due(self.config.sample_each_steps) or is_last:
                with self.budget.uncounted() if self.budget else nullcontext():
                    is_over = self._sample(report)
            if self._is_due(self.config.save_each_steps) or self._is_long_since(saved_at) or is_last or is_over:
                self._save()
                saved_at = self.progress
            if is_over:
                return

    def learning_rate_factor(self, step: int) -> float:
        """Warm-up, plateau, then a straight line to zero over the last `decay_steps`."""
        if self.budget is not None:
            return self.budget.learning_rate_factor(self.progress, step, self.config.warmup_steps)
        warmup = min(1.0, (step + 1) / max(1, self.config.warmup_steps))
        decay = (self.config.num_steps - step) / max(1, self.config.decay_steps)
        return min(warmup, decay, 1.0)

    def _is_due(self, each_steps: int) -> bool:
        return self.step % each_steps == 0

    def _told_progress(self) -> float:
        """How much of the run is done, 0..1; the time is the first process's, so that all agree."""
        if self.budget is None:
            return min(1.0, self.step / self.config.num_steps)
        self.budget.keep()
        return gathered(self.budget.progress, self.world)[0]

    def _left_s(self, step_s: float) -> float:
        return step_s * (self.config.num_steps - self.step) if self.budget is None else self.budget.left_s

    def _is_long_since(self, saved_at: float) -> bool:
        """Whether a kill would cost more than `MOST_LOST_S` of a run's time."""
        return self.budget is not None and (self.progress - saved_at) * self.budget.allotted_s >= MOST_LOST_S

    def _batches(self) -> dict[int, Iterator[Batch]]:
        return {
            slot: self.task.batches(
                self.samples_seen, self.config.batch_samples, self.slots.as_world(slot), self.config.num_workers
            )
            for slot in self.slots.mine
        }

    def _autocast(self) -> AbstractContextManager[None]:
        is_exact = self.config.scale.precision == "float32"
        return nullcontext() if is_exact else fast_autocast(self.world.device)

    def _train_step(self, mine: list[Batch]) -> dict[str, Any]:
        """One update from the batches of this process's slots; the record's values are means over them."""
        self.task.model.train()
        records: list[dict[str, float]] = []
        for slot, batch in zip(self.slots.mine, mine, strict=True):
            synchronise_gradients(self.task.model, is_last=slot == self.slots.mine[-1])
            losses = self._losses(slot, batch)
            (losses["loss"] / len(mine)).backward()  # type: ignore[no-untyped-call]
            records.append({name: float(value.detach()) for name, value in losses.items()})
        if self.layout.weights is None:
            average_gradients(self.optimizer.parameters, self.world)
        norms = self.optimizer.step(self.learning_rate_factor(self.step))
        self.average.update(self.task.model)
        self.step += 1
        self.samples_seen += self.config.batch_samples * self.slots.total
        return {"step": self.step, **mean_record(records), **norms}

    def _losses(self, slot: int, batch: Batch) -> dict[str, Tensor]:
        generator = torch.Generator(device=self.world.device)
        generator.manual_seed(self.slots.seed(self.config.seed, self.step) + slot)
        if isinstance(self.task, CarryingTask):
            self.task.carried = self.carried.get(slot, {})
        with self._autocast():
            losses = self.task.loss({name: tensor.to(self.world.device) for name, tensor in batch.items()}, generator)
        if isinstance(self.task, CarryingTask):
            self.carried[slot] = self.task.carried
        return losses

    def _record(self, record: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> None:
        if self.world.is_first:
            self.metrics.append(record)
            self.board.add(record)
            report(record)

    def _sample(self, report: Callable[[dict[str, Any]], None]) -> bool:
        """Measures and shows the averaged weights; whether the task wants to stop.

        A spread model needs all of its processes for that; those that do not write files write into the void.
        """
        if self.layout.is_plain and not self.world.is_first:
            return gathered(False, self.world)[0]
        with ExitStack() as stack:
            stack.enter_context(averaged_weights(self.task.model, self.average))
            stack.enter_context(torch.no_grad())
            stack.enter_context(self._autocast())
            folder = self.folder if self.world.is_first else Path(stack.enter_context(TemporaryDirectory()))
            record: dict[str, Any] = {"step": self.step, **self.task.measure()}
            self.task.write_samples(folder, self.step)
        self._record(record, report)
        if self.world.is_first:
            self.metrics.draw_curves(self.folder / "curves.png")
        reason = self.task.reason_to_stop() if isinstance(self.task, StoppableTask) else None
        if reason is not None and self.world.is_first:
            report({"step": self.step, "stopped": reason})
        return gathered(reason is not None, self.world)[0]

    def _save(self) -> None:
        keeps = self.world.is_first
        model = whole_state(self.task.model.state_dict(), keeps)
        optimizer = whole_state(self.optimizer.state_dict(), keeps)
        average = whole_state(self.average.state_dict(), keeps)
        carried: dict[int, dict[str, Tensor]] = {}
        for part in gathered(self.carried, self.world):
            carried |= part
        if keeps:
            state = {
                "settings": self._settings(),
                "step": self.step,
                "samples_seen": self.samples_seen,
                "slots": self.slots.total,
                "carried": carried,
                "model": model,
                "optimizer": optimizer,
                "average": average,
            }
            save_training_state(self.folder / "state.pt", state)
        with averaged_weights(self.task.model, self.average), whole_weights(self.task.model, keeps):
            if keeps:
                self.task.export(self.folder)

    def _settings(self) -> dict[str, str]:
        return settings_of(self.config, FREE_SETTINGS)

    def _resume(self) -> None:
        path = self.folder / "state.pt"
        fingerprint = config_fingerprint(self.config.optimizer, SETTINGS_OF_OLD_STATES)
        state = load_training_state(path, self._settings(), fingerprint)
        if state is None:
            return
        if "slots" in state:
            self.slots = Slots.shared(state["slots"], self.layout.data)
            self.carried = {slot: state["carried"].get(slot, {}) for slot in self.slots.mine}
        load_whole_weights(self.task.model, state["model"], str(path))
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        self.step = state["step"]
        self.samples_seen = state.get("samples_seen", self.step * self.config.batch_samples * self.slots.total)
        if self.world.is_first:
            self.metrics.forget_after(self.step)
        logger.info("resumed %s at step %d", self.folder, self.step)
