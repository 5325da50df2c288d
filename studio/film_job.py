"""One film from a job: the engine's pieces go into the file as they come, and what it cost goes into a report.

Called by `lpm perform` and `lpm render`. Memory does not grow with the film's length. It knows no Qt and no command line; the engine
is given as a callable, so that tests can put a small one in its place.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import FilmPiece, PerformJob
from engine.base.seams import SeamFigures, SeamMeter
from engine.media.film import FilmWriter
from engine.media.film_sound import FilmSound
from engine.media.rates import SAMPLES_PER_FRAME
from engine.media.samples import Stretch
from engine.media.whole_files import whole_file
from engine.memory import memory_mb, peak_memory_mb
from engine.shapes import FRAME_RATE_HZ


@dataclass(kw_only=True)
class WindowCount:
    """How many windows were made and how many had been made before; memory after the first one made and after the last."""

    num_made: int = 0
    num_reused: int = 0
    first_memory_mb: float | None = None
    last_memory_mb: float | None = None

    def add(self, *, is_reused: bool) -> None:
        """Count one."""
        self.num_reused += is_reused
        self.num_made += not is_reused
        self.last_memory_mb = memory_mb()
        if self.first_memory_mb is None and self.num_made:
            self.first_memory_mb = self.last_memory_mb

    def memory_table(self) -> dict[str, float | None]:
        """Resident memory when the first window was made, and at the end."""
        ends = {"first": self.first_memory_mb, "last": self.last_memory_mb}
        return {name: None if value is None else round(value, 1) for name, value in ends.items()}


@dataclass(frozen=True, kw_only=True)
class FilmReport:
    """What a film is and what it cost; `real_time_factor` is seconds of work per second of film, loading not counted."""

    seconds: float
    frames: int
    real_time_factor: float
    work_s: float
    load_s: float
    peak_memory_mb: float
    stages_s: Mapping[str, float]
    windows: WindowCount
    seams: SeamFigures
    join_frames: tuple[int, ...]
    details: Mapping[str, Any]

    def as_json(self) -> str:
        """The report as a file holds it: the details lie beside the figures."""
        figures = {
            "seconds": round(self.seconds, 4),
            "frames": self.frames,
            "real_time_factor": round(self.real_time_factor, 4),
            "work_s": round(self.work_s, 4),
            "load_s": round(self.load_s, 4),
            "peak_memory_mb": round(self.peak_memory_mb, 1),
            "memory_mb": self.windows.memory_table(),
            "stages_s": {name: round(value, 4) for name, value in self.stages_s.items()},
            "windows": {"made": self.windows.num_made, "reused": self.windows.num_reused},
            "seams": self.seams.as_table(),
            "join_frames": list(self.join_frames),
        }
        return json.dumps(figures | dict(self.details), indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Write the report, whole or not at all."""
        with whole_file(path) as temporary:
            temporary.write_text(self.as_json(), encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class FilmTarget:
    """Where the film goes, which of its frames, and the figures that its report begins with."""

    path: Path
    size_px: int
    load_s: float
    details: Mapping[str, Any]
    frames: tuple[int, int] | None = None  # the stretch that is kept; None keeps all


def make_film(
    job: PerformJob, pieces: Iterator[FilmPiece], target: FilmTarget, report_progress: Callable[[int, int], None]
) -> FilmReport:
    """Write every piece as it comes and commit at the end; any error or interrupt leaves nothing under the final name."""
    start, end = target.frames or (0, job.num_frames)
    windows, seams = WindowCount(), SeamMeter()
    stages_s: dict[str, float] = defaultdict(float)
    began_s = time.perf_counter()
    with FilmWriter(target.path, size_px=target.size_px, sound=_sound_of(job, start, end)) as film:
        report_progress(0, end)
        for piece in pieces:
            for name, value in piece.stages_s.items():
                stages_s[name] += value
            windows.add(is_reused=piece.is_reused)
            seams.add(piece.frames_THWC, piece.join_frames)
            write_began_s = time.perf_counter()
            first = max(start - piece.start_frame, 0)
            frames_THWC = piece.frames_THWC[first : max(end - piece.start_frame, 0)]
            if len(frames_THWC):
                film.append(frames_THWC)
            stages_s["write"] += time.perf_counter() - write_began_s
            report_progress(min(piece.start_frame + len(piece.frames_THWC), end), end)
            if film.num_frames == end - start:
                break
        commit_began_s = time.perf_counter()
        assert film.num_frames == end - start, f"the engine gave {film.num_frames} frames of {end - start}"
        film.commit()
        stages_s["write"] += time.perf_counter() - commit_began_s
    work_s, seconds = time.perf_counter() - began_s, (end - start) / FRAME_RATE_HZ
    return FilmReport(
        seconds=seconds,
        frames=end - start,
        real_time_factor=work_s / seconds,
        work_s=work_s,
        load_s=target.load_s,
        peak_memory_mb=peak_memory_mb(),
        stages_s=dict(stages_s),
        windows=windows,
        seams=seams.figures(),
        join_frames=seams.join_frames,
        details=target.details,
    )


def _sound_of(job: PerformJob, start_frame: int, end_frame: int) -> FilmSound:
    first, last = start_frame * SAMPLES_PER_FRAME, end_frame * SAMPLES_PER_FRAME
    speak_S, listen_S = (
        None if track_S is None else Stretch(track_S, first, last)
        for track_S in (job.track("speak"), job.track("listen"))
    )
    return FilmSound(speak_S=speak_S, listen_S=listen_S)
