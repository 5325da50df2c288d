"""What tests of every task do with it: train it for some steps, and start another run from what it exports."""

from pathlib import Path

import pytest
import torch

from engine.errors import BadInputError
from training.parallel import World
from training.tasks.task import Task


def losses_of(task: Task, num_steps: int, batch_samples: int, learning_rate: float) -> list[float]:
    """The loss of each step of Adam, from the task's first sample on."""
    optimizer = torch.optim.Adam(task.model.parameters(), lr=learning_rate)
    batches, losses = task.batches(0, batch_samples, World(rank=0, size=1), 0), []
    for step in range(num_steps):
        optimizer.zero_grad()
        loss = task.loss(next(batches), torch.Generator().manual_seed(step))["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def check_that_what_is_exported_starts_another_run(task: Task, other: Task, folder: Path) -> None:
    """A second task of the same kind ends with the weights of the first; where nothing was exported, it says so."""
    task.export(folder)
    other.start_from(folder)
    weights, found = task.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(weights[name], found[name]) for name in weights)
    with pytest.raises(BadInputError, match="does not exist"):
        other.start_from(folder / "nowhere")
