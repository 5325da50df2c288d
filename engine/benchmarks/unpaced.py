"""Minutes of film from one live session as fast as it comes: what a chunk costs and what memory is held, from beginning to end.

Called by `engine.benchmarks.stream`. Figures by the wall clock stand beside the workers' own computing time, which is what the work
costs on a machine that others use too.
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from engine.benchmarks.conversation import Voices, push_what_is_due
from engine.memory import heap_mb, memory_mb
from engine.online.figures import percentile
from engine.online.live import ChunkReport, LiveFrame
from engine.online.session import LiveSession
from engine.shapes import FRAME_RATE_HZ

Look = Callable[[LiveFrame], None]

_SETTLED_AFTER_S: Final = 60
"""Film after which everything that is allocated once has been: rings and sound are full, each kind of chunk was made."""

_MOST_POINTS: Final = 120


def play_unpaced(session: LiveSession, minutes: float, voices: Voices, look: Look) -> dict[str, Any]:
    """The figures of so many minutes of conversation; `look` is shown every frame."""
    num_frames = max(round(minutes * 60 * FRAME_RATE_HZ), 2 * session.chunk_frames)
    memory, heap, costs, began_s = [], [], _ChunkCosts(), time.perf_counter()
    with session:
        for index in range(num_frames):
            if index % FRAME_RATE_HZ == 0:
                memory.append(memory_mb())
                heap.append(heap_mb())
                costs.add(session.chunk_reports())
            push_what_is_due(session, voices, index)
            frame = session.pull()
            assert frame is not None, "nobody pauses this session"
            look(frame)
        wall_s = time.perf_counter() - began_s
        report, last = session.report(), session.chunk_reports()
        costs.add(last)
    work_ms, cpu_ms = costs.work_ms, costs.cpu_ms
    made_s = report.num_chunks * session.chunk_frames / FRAME_RATE_HZ
    return {
        "minutes": minutes,
        "seconds": round(num_frames / FRAME_RATE_HZ, 2),
        "frames": report.shown_frames,
        "wall_s": round(wall_s, 2),
        "real_time_factor": round(report.real_time_factor, 4),
        "work_s_per_s": round(report.work_s_per_s, 4),
        "stages_s": {name: round(value / made_s, 4) for name, value in report.stages_s.items()},
        "cpu_stages_s": {name: round(value / made_s, 4) for name, value in report.cpu_stages_s.items()},
        "first_frame_s": round(report.first_frame_s, 4),
        "chunk_frames": session.chunk_frames,
        "effort": last[-1].effort,
        "chunk_ms_p50": round(percentile(work_ms, 0.5), 2),
        "chunk_ms_p95": round(percentile(work_ms, 0.95), 2),
        "chunk_cpu_ms_p50": round(percentile(cpu_ms, 0.5), 2),
        "chunk_cpu_ms_p95": round(percentile(cpu_ms, 0.95), 2),
        "chunk_ms_slope": slope(work_ms),
        "chunk_cpu_ms_slope": slope(cpu_ms),
        **_memory_figures(memory, heap),
        "cache_bytes": report.cache_bytes,
        "most_ahead_frames": report.most_ahead_frames,
        "curve": {
            "chunk_cpu_ms": [round(value, 1) for value in _thinned(cpu_ms, statistics.median)],
            "memory_mb": [round(value, 1) for value in _thinned(memory, statistics.median)],
        },
    }


def _memory_figures(memory_mb: list[float], heap_mb: list[float | None]) -> dict[str, Any]:
    """Memory before, after and growing: medians over the first and the last tenth of what came after the first minute of film.

    `heap_mb` is what the C library's allocator has given out, which does not depend on what it keeps for later.
    """
    settled = slice(min(_SETTLED_AFTER_S, len(memory_mb) // 2), None)
    known = [value for value in heap_mb if value is not None]
    return {
        "memory_mb": [round(memory_mb[int(share * (len(memory_mb) - 1))], 1) for share in (0, 0.25, 0.5, 0.75, 1)],
        "memory_growth": _growth(memory_mb[settled]),
        "memory_slope": slope(memory_mb[settled]),
        "heap_growth": _growth(known[settled]) if len(known) == len(heap_mb) else None,
        "settled_after_s": settled.start,
    }


def _growth(values: Sequence[float]) -> float:
    count = max(len(values) // 10, 1)
    return round(statistics.median(values[-count:]) / statistics.median(values[:count]) - 1, 5)


class _ChunkCosts:
    """Milliseconds of every chunk so far, by the clock and computing; a session itself remembers only the last ones."""

    def __init__(self) -> None:
        self.work_ms: list[float] = []
        self.cpu_ms: list[float] = []
        self._next_chunk = 0

    def add(self, reports: tuple[ChunkReport, ...]) -> None:
        """Add those that are new."""
        for report in reports:
            if report.chunk >= self._next_chunk:
                self.work_ms.append(1e3 * sum(report.stages_s.values()))
                self.cpu_ms.append(1e3 * sum(report.cpu_stages_s.values()))
                self._next_chunk = report.chunk + 1


def slope(values: Sequence[float]) -> dict[str, float | bool | None]:
    """The straight line through values in order: change over all of them as a share of their mean, and whether it is significant (5 %).

    Neighbours are alike (a machine is slow for a while, not for a chunk), so the line is laid through means of up to 60 stretches.
    """
    if len(values) < 8:
        return {"share": None, "t": None, "is_significant": None}
    measured = np.asarray(_thinned(values[2:], statistics.fmean, 60), dtype=np.float64)  # the first chunks are cold
    places = np.arange(len(measured), dtype=np.float64)
    centred = places - places.mean()
    gain = float(centred @ measured / (centred @ centred))
    left = measured - measured.mean() - gain * centred
    error = math.sqrt(float(left @ left) / (len(measured) - 2) / float(centred @ centred))
    t = gain / error if error else 0.0
    share = gain * (len(measured) - 1) / float(measured.mean())
    return {"share": round(share, 4), "t": round(t, 2), "is_significant": abs(t) > 1.96 + 2.4 / (len(measured) - 2)}


def _thinned(
    values: Sequence[float], middle: Callable[[Sequence[float]], float], most: int = _MOST_POINTS
) -> list[float]:
    """At most so many values, each the middle of a stretch."""
    if len(values) <= most:
        return list(values)
    edges = [round(len(values) * number / most) for number in range(most + 1)]
    return [middle(values[start:end]) for start, end in itertools.pairwise(edges)]
