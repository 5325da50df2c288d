"""What a recipe returns: a task and how to train it."""

from dataclasses import dataclass

from engine.errors import BadInputError
from training.trainer import Task, TrainerConfig


class NothingToLearn(BadInputError):
    """What a recipe was given has nothing to teach; a plan goes on without the stage, a person is told why."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A whole run."""

    task: Task
    config: TrainerConfig
