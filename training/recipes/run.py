"""What a recipe returns: a task and how to train it."""

from dataclasses import dataclass

from training.trainer import Task, TrainerConfig


@dataclass(frozen=True, kw_only=True)
class Run:
    """A whole run."""

    task: Task
    config: TrainerConfig
