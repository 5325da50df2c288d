"""What a recipe returns: a task and how to train it."""

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from engine.errors import BadInputError
from training.trainer import Task, TrainerConfig


@dataclass(frozen=True, kw_only=True)
class Run:
    """A whole run. `weights_file` is the name under which the task exports its model."""

    task: Task
    config: TrainerConfig
    weights_file: str

    def start_from(self, folder: Path) -> None:
        """Fills the model from another run's or a pack's exported weights."""
        path = folder / self.weights_file
        if not path.is_file():
            raise BadInputError(f"{path} does not exist: give a run's or a pack's folder that holds {self.weights_file}")
        self.task.model.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
