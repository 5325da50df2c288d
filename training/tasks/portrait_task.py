"""What the tasks of networks that look at portraits share: numbered drawings in, held-out characters, weights in one file."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from engine.packs import fill_from_file, save_weights
from training.loader import first_samples, numbered_batches
from training.parallel import World
from training.tasks.codec import HELD_OUT_IDENTITY

Samples = TypeVar(
    "Samples", bound=Any
)  # a frozen dataclass with a `first_identity` that makes samples by their numbers


@dataclass(kw_only=True)
class PortraitTask(ABC, Generic[Samples]):
    """The part of `training.trainer.Task` that is the same for all of them; `num_held_out` samples are measured."""

    samples: Samples
    weights_file: str
    num_held_out: int
    _held_out: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    @property
    @abstractmethod
    def model(self) -> nn.Module:
        """The network."""

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Samples from `first_sample` on."""
        return numbered_batches(self.samples, first_sample, batch_samples, world, num_workers)

    def export(self, folder: Path) -> None:
        """The network's weights in `folder`."""
        save_weights(folder / self.weights_file, self.model)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's network."""
        fill_from_file(folder / self.weights_file, self.model)

    def held_out(self, **changes: float) -> dict[str, Tensor]:
        """Samples of characters that training never draws, always the same; `changes` are fields that differ from training's."""
        key = str(sorted(changes.items()))
        if key not in self._held_out:
            make = replace(self.samples, first_identity=HELD_OUT_IDENTITY, **changes)
            self._held_out[key] = first_samples(make, self.num_held_out)
        return self._held_out[key]
