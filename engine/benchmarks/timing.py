"""Jobs timed in turn within one process, so that whatever else the machine does meets all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

PEAK_SIZE = 2048


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One thing timed: median and spread of its runs, in milliseconds."""

    name: str
    dtype: str
    shape: str
    ms: float
    fastest_ms: float
    slowest_ms: float

    @classmethod
    def of_runs(cls, name: str, dtype: str, shape: str, runs_ms: list[float]) -> "Timing":
        """From the runs of one job, the first (cold) one left out by whoever ran it."""
        return cls(
            name=name,
            dtype=dtype,
            shape=shape,
            ms=round(statistics.median(runs_ms), 2),
            fastest_ms=round(min(runs_ms), 2),
            slowest_ms=round(max(runs_ms), 2),
        )

    def as_record(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return dict(vars(self))


def interleaved_ms(
    jobs: Mapping[str, Callable[[], object]], num_runs: int, device: torch.device
) -> dict[str, list[float]]:
    """Milliseconds of every run of every job: one of each in turn, `num_runs` times after a cold round that does not count."""
    runs_ms: dict[str, list[float]] = {name: [] for name in jobs}
    for round_number in range(num_runs + 1):
        for name, job in jobs.items():
            taken_ms = elapsed_ms(job, device)
            if round_number:
                runs_ms[name].append(taken_ms)
    return runs_ms


def elapsed_ms(job: Callable[[], object], device: torch.device) -> float:
    """How long one run takes, what a GPU was given included."""
    _finish(device)
    started_s = time.perf_counter()
    job()
    _finish(device)
    return (time.perf_counter() - started_s) * 1e3


def ratio(runs_ms: list[float], to_runs_ms: list[float]) -> float:
    """How many times as long the first job takes as the second: the median over rounds, since a round's jobs share the machine's mood."""
    return round(statistics.median(one / other for one, other in zip(runs_ms, to_runs_ms, strict=True)), 2)


def matrix_product(dtype: torch.dtype, device: torch.device) -> tuple[Callable[[], object], float]:
    """A large square product, the most arithmetic that this machine does; and its operations in GFLOP."""
    a, b = (torch.randn(PEAK_SIZE, PEAK_SIZE, device=device).to(dtype) for _ in range(2))
    return lambda: a @ b.T, 2 * PEAK_SIZE**3 / 1e9


class PartClock:
    """Adds up the time spent inside some modules of a model while it is entered; parts must not contain each other."""

    def __init__(self, parts: Mapping[str, list[nn.Module]], device: torch.device) -> None:
        self.parts, self.device = parts, device
        self.ms = dict.fromkeys(parts, 0.0)
        self._started_s = 0.0
        self._handles: list[Any] = []

    def __enter__(self) -> "PartClock":
        for name, modules in self.parts.items():
            for module in modules:
                self._handles.append(module.register_forward_pre_hook(self._start))
                self._handles.append(module.register_forward_hook(self._stopper(name)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _start(self, *_: object) -> None:
        _finish(self.device)
        self._started_s = time.perf_counter()

    def _stopper(self, name: str) -> Callable[..., None]:
        def stop(*_: object) -> None:
            _finish(self.device)
            self.ms[name] += (time.perf_counter() - self._started_s) * 1e3

        return stop


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
