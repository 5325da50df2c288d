"""What a run will cost, measured: three real steps of each length of clip before it begins, instead of a formula.

Called by the recipes of fine-tuning. A step's seconds are weighed by how often each length comes.
"""

import itertools
import resource
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import torch

from engine.precision import fast_autocast
from training.parallel import World
from training.tasks.task import Batch, Task

NUM_MEASURED_STEPS: Final = 3
NUM_LOOKED_AT: Final = 48  # batches, to see which lengths there are and how often
Shape = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """step_s: a step's mean over the lengths as they come. slowest_s: that of the slowest length. peak_memory_mb: the most that the
    process ever held."""

    step_s: float
    slowest_s: float
    num_lengths: int
    peak_memory_mb: float

    def line(self, num_steps: int) -> str:
        """For a person."""
        minutes = self.step_s * num_steps / 60
        lengths = f" (up to {self.slowest_s:.2f} s; {self.num_lengths} lengths)" if self.num_lengths > 1 else ""
        return (
            f"a step takes {self.step_s:.2f} s{lengths} and {self.peak_memory_mb:.0f} MB; "
            f"{num_steps} steps take about {minutes:.0f} min"
        )


def measure_steps(task: Task, batch_samples: int) -> StepCost:
    """Forward and backward on real batches; weights stay as they are, gradients are cleared."""
    device = next(task.model.parameters()).device
    buckets: dict[Shape, list[Batch]] = defaultdict(list)
    for batch in itertools.islice(task.batches(0, batch_samples, World(rank=0, size=1), 0), NUM_LOOKED_AT):
        buckets[_shape(batch)].append(batch)
    seconds = []
    for batches in buckets.values():
        fullest = sorted(batches, key=_num_samples, reverse=True)[:NUM_MEASURED_STEPS]
        measured = itertools.islice(itertools.cycle(fullest), NUM_MEASURED_STEPS)
        seconds.append(statistics.median([_step_s(task, batch, device) for batch in measured]))
    weights = [len(batches) for batches in buckets.values()]
    return StepCost(
        step_s=statistics.fmean(seconds, weights),
        slowest_s=max(seconds),
        num_lengths=len(buckets),
        peak_memory_mb=peak_memory_mb(device),
    )


def _shape(batch: Batch) -> Shape:
    """What a batch's samples measure, however many there are."""
    return tuple((name, tuple(tensor.shape[1:])) for name, tensor in sorted(batch.items()))


def _num_samples(batch: Batch) -> int:
    return max(len(tensor) for tensor in batch.values() if tensor.ndim)


def _step_s(task: Task, batch: Batch, device: torch.device) -> float:
    started_s = time.perf_counter()
    on_device = {name: tensor.to(device) for name, tensor in batch.items()}
    with fast_autocast(device):
        loss = task.loss(on_device, torch.Generator(device=device).manual_seed(0))["loss"]
    loss.backward()  # type: ignore[no-untyped-call]
    task.model.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started_s


def peak_memory_mb(device: torch.device) -> float:
    """On a GPU what was allocated there, else the process's own."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    per_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * per_unit / 2**20
