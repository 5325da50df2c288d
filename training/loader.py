"""Endless batches from numbered samples: sample i is a pure function of i, so a run resumes by knowing how many it has seen."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.parallel import World

Batch = dict[str, Tensor]


class NumberedSamples(Dataset[Batch]):
    """A dataset whose sample i is `make(i)`; `make` must be picklable where workers are spawned."""

    def __init__(self, make: Callable[[int], Batch]) -> None:
        self.make = make

    def __getitem__(self, number: int) -> Batch:
        return self.make(number)


class RankedBatches:
    """Lists of sample numbers from `first_sample` on, for ever; a rank takes each `world.size`-th number."""

    def __init__(self, first_sample: int, batch_samples: int, world: World) -> None:
        self.first_sample, self.batch_samples, self.world = first_sample, batch_samples, world

    def __iter__(self) -> Iterator[list[int]]:
        number = self.first_sample
        while True:
            stop = number + self.batch_samples * self.world.size
            yield list(range(number + self.world.rank, stop, self.world.size))
            number = stop


def first_samples(make: Callable[[int], Batch], count: int) -> Batch:
    """Samples 0 to `count` as one batch, drawn in this process."""
    samples = [make(number) for number in range(count)]
    return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


def numbered_batches(
    make: Callable[[int], Batch], first_sample: int, batch_samples: int, world: World, num_workers: int
) -> Iterator[Batch]:
    """Stacked batches of `make(i)`, drawn by `num_workers` processes (0: in this one)."""
    loader = DataLoader(
        NumberedSamples(make),
        batch_sampler=RankedBatches(first_sample, batch_samples, world),
        num_workers=num_workers,
        prefetch_factor=3 if num_workers else None,
    )
    return iter(loader)
