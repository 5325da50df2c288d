"""The work of one stage, in the processes that share it: measure, train for its time, measure what came out.

Called by the conductor through `run_processes`. It takes nothing on and judges nothing; it leaves an `Outcome`.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from engine.allocator import keep_freed_memory
from engine.precision import fast_autocast
from training.parallel import World, gathered, join_world, leave_world
from training.plans.plan import MadeStage, TrainedStage
from training.plans.records import OUTCOME, Outcome, read_json, write_json
from training.progress import print_json, print_line
from training.recipes.places import Places
from training.recipes.run import NothingToLearn, Run
from training.tasks.task import StoppableTask, Task
from training.time_budget import TimeBudget
from training.tiny_numbers import drop_tiny_numbers
from training.trainer import Trainer

BEFORE_FILE, CLOCK_FILE, START_FOLDER = "before.json", "clock.json", "start"


@dataclass(frozen=True, kw_only=True)
class StageWork:
    """What a process needs to do a stage's work; picklable. `folder` is the stage's own."""

    places: Places
    folder: Path
    allotted_s: float
    device_type: str = "cpu"
    as_json: bool = False

    def budget(self, world: World, decay_share: float = 0.3) -> TimeBudget:
        """The stage's time, kept by the first process."""
        return TimeBudget(
            allotted_s=self.allotted_s,
            path=self.folder / CLOCK_FILE,
            decay_share=decay_share,
            keeps=world.is_first,
        )


def make(stage: MadeStage, work: StageWork) -> None:
    """One process of a stage that makes."""
    keep_freed_memory()
    world = join_world(work.device_type)
    budget = work.budget(world)
    made = max(gathered(stage.make(work.places, budget), world))
    if world.is_first:
        write_json(work.folder / OUTCOME, asdict(Outcome(windows=made, spent_s=budget.spent_s)))
    leave_world(world)


def train(stage: TrainedStage, work: StageWork) -> None:
    """One process of a stage that trains."""
    keep_freed_memory()
    drop_tiny_numbers()
    world = join_world(work.device_type)
    torch.manual_seed(0)
    budget = work.budget(world)
    try:
        run = stage.recipe(work.places)
    except NothingToLearn as problem:
        if world.is_first:
            write_json(work.folder / OUTCOME, asdict(Outcome(spent_s=budget.spent_s, problem=str(problem))))
        leave_world(world)
        return
    budget.decay_share = min(1.0, run.config.decay_steps / run.config.num_steps)
    if stage.starts_from is not None and (work.places.parts / stage.starts_from).is_file():
        run.task.start_from(work.places.parts)
    with budget.uncounted():
        before = _measure_start(run, stage, work, world)
    trainer = Trainer(run.task, run.config, work.folder, world, budget)
    trainer.run(_reporter(stage.name, as_json=work.as_json))
    if world.is_first:
        write_json(work.folder / OUTCOME, asdict(_outcome(run, stage, work, trainer, before)))
    leave_world(world)


def _measure_start(run: Run, stage: TrainedStage, work: StageWork, world: World) -> dict[str, float]:
    """What the task measures where the stage begins, and its weights there; once, by the first process, whatever is killed."""
    before = read_json(work.folder / BEFORE_FILE)
    if before is None and world.is_first:
        measures = _measured(run.task, world)
        start = work.folder / START_FOLDER
        start.mkdir(parents=True, exist_ok=True)
        run.task.export(start)
        write_json(work.folder / BEFORE_FILE, measures)
        before = measures
    return dict(gathered(before, world)[0] or {})


def _outcome(run: Run, stage: TrainedStage, work: StageWork, trainer: Trainer, before: dict[str, float]) -> Outcome:
    """Measured of the weights that the run exported, which need not be its last ones."""
    assert trainer.budget is not None
    spent_s = trainer.budget.spent_s
    run.task.start_from(work.folder)
    after = _measured(run.task, trainer.world)
    problem = run.task.reason_to_stop() if isinstance(run.task, StoppableTask) else None
    return Outcome(
        before=before,
        after=after,
        steps=trainer.step,
        windows=trainer.samples_seen,
        spent_s=spent_s,
        problem=problem,
    )


def _measured(task: Task, world: World) -> dict[str, float]:
    task.model.eval()
    with torch.no_grad(), fast_autocast(world.device):
        measures = task.measure()
    task.model.train()
    return {name: value for name, value in measures.items() if math.isfinite(value)}


def _reporter(stage: str, *, as_json: bool) -> Callable[[dict[str, Any]], None]:
    """Progress on standard output, each record with its stage."""

    say = print_json if as_json else print_line
    return lambda record: say({"stage": stage, **record})
