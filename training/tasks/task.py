"""What a task must offer to be trained, and what it may offer besides. Composed by a recipe, driven by the trainer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from training.parallel import World

Batch = dict[str, Tensor]


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


@runtime_checkable
class CarryingTask(Protocol):
    """A task whose `loss` leaves something for its next call.

    `carried` is empty at the start. The trainer hands every slot its own back and keeps it in checkpoints.
    """

    carried: dict[str, Tensor]


@runtime_checkable
class StoppableTask(Protocol):
    """A task that can see that going on makes it worse (a collapse, say)."""

    def reason_to_stop(self) -> str | None:
        """One line after `measure`, or None to go on."""
