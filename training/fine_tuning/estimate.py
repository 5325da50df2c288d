"""What a run will cost, measured: three real steps before it begins, instead of a formula (memory and seconds a step).

Called by the recipes of fine-tuning for each length of window that will be trained.
"""

import resource
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Final

import torch

from engine.precision import fast_autocast
from training.parallel import World
from training.tasks.task import Task

NUM_MEASURED_STEPS: Final = 3


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Of one step with `batch_samples`: the median of the measured ones, and the most memory that the process ever held."""

    step_s: float
    peak_memory_mb: float

    def line(self, num_steps: int) -> str:
        """For a person."""
        minutes = self.step_s * num_steps / 60
        return f"a step takes {self.step_s:.2f} s and {self.peak_memory_mb:.0f} MB; {num_steps} steps take about {minutes:.0f} min"


def measure_steps(task: Task, batch_samples: int) -> StepCost:
    """Forward and backward on real batches; weights stay as they are, gradients are cleared."""
    device = next(task.model.parameters()).device
    batches = task.batches(0, batch_samples, World(rank=0, size=1), 0)
    taken_s = []
    for step in range(NUM_MEASURED_STEPS):
        batch = {name: tensor.to(device) for name, tensor in next(batches).items()}
        started_s = time.perf_counter()
        with fast_autocast(device):
            loss = task.loss(batch, torch.Generator(device=device).manual_seed(step))["loss"]
        loss.backward()  # type: ignore[no-untyped-call]
        task.model.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken_s.append(time.perf_counter() - started_s)
    return StepCost(step_s=statistics.median(taken_s), peak_memory_mb=peak_memory_mb(device))


def peak_memory_mb(device: torch.device) -> float:
    """On a GPU what was allocated there, else the process's own."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    per_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * per_unit / 2**20
