"""How long after an interruption the mouth is closed and stays so, and whether the picture jumps where it goes on.

Called by `lpm bench stream` with what was played around each cut and how far the mouth is open in it, as the benchmark's eye reads it.
"""

import math
import time
from collections import deque
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.benchmarks.reaction import Recording, Shown
from engine.online.figures import percentile
from engine.online.live import LiveFrame
from engine.shapes import FRAME_RATE_HZ

BEFORE_S: Final = 1.0
AFTER_S: Final = 2.0
OPEN_SHARE: Final = 0.15
"""Of the range of the session's speech, above the closed mouth: what counts as open (as for false lips)."""

_STAYS_S: Final = 0.4
_MARGIN_S: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One interruption: when it came, and the frames that were played around it."""

    at_s: float
    shown: tuple[Shown, ...]


class CutPictures:
    """Keeps what is shown around each interruption of a recording that is being made, and nothing else."""

    def __init__(self, recording: Recording) -> None:
        self.by_frame: dict[int, NDArray[np.uint8]] = {}
        self._recording = recording
        self._lately: deque[LiveFrame] = deque(maxlen=round((BEFORE_S + _MARGIN_S) * FRAME_RATE_HZ))

    def see(self, frame: LiveFrame) -> None:
        """The next frame was shown."""
        self._lately.append(frame)
        cuts_s = self._recording.changes_s
        if cuts_s and time.perf_counter() - cuts_s[-1] <= AFTER_S + _MARGIN_S:
            self.by_frame |= {one.index: one.picture_HWC for one in self._lately}
            self._lately.clear()


def cuts_of(recording: Recording, frames: Container[int]) -> list[Cut]:
    """The interruptions of a recording, with the frames around them that were kept."""
    return [
        Cut(
            at_s=at_s,
            shown=tuple(
                one for one in recording.shown if at_s - BEFORE_S <= one.at_s <= at_s + AFTER_S and one.index in frames
            ),
        )
        for at_s in recording.changes_s
    ]


def closing_figures(cuts: Sequence[Cut], opening_by_frame: Mapping[int, float]) -> dict[str, Any]:
    """Percentiles of the time until the mouth is closed, over the cuts that met an open mouth.

    The closed mouth is the median of what is seen in each cut's last second, the range of speech the 95th percentile of what was before.
    """
    before = [opening_by_frame[one.index] for cut in cuts for one in cut.shown if one.at_s < cut.at_s]
    rested = [opening_by_frame[one.index] for cut in cuts for one in cut.shown if one.at_s > cut.at_s + AFTER_S / 2]
    if not before or not rested:
        return {"not_measured": "nothing was played around the cuts"}
    closed = float(np.median(rested))
    limit = closed + OPEN_SHARE * max(float(np.quantile(before, 0.95)) - closed, 0.0)
    times = [_closed_after_s(cut, opening_by_frame, limit) for cut in cuts]
    met = [seconds for seconds in times if seconds is not None]
    return {
        "cuts": len(cuts),
        "met_an_open_mouth": len(met),
        "open_above": round(limit, 4),
        "closed_p50_s": _finite(percentile(met, 0.5)),
        "closed_p95_s": _finite(percentile(met, 0.95)),
        "never_closed": sum(map(math.isinf, met)),
    }


def join_figures(recording: Recording, pictures: Mapping[int, NDArray[np.uint8]]) -> dict[str, float | None]:
    """How far the picture steps where the first chunk after a cut begins, as a multiple of what frames of that speech differ by.

    Pictures that were shown again do not count: they differ by nothing.
    """
    jobs = sorted(recording.jobs, key=lambda job: job.began_s)
    repeated = {one.index for one in recording.shown if one.is_repeat}
    new = pictures.keys() - repeated
    ratios = []
    for at_s in recording.changes_s:
        join = next((job.first_frame for job in jobs if job.began_s >= at_s), -1)
        before = [
            index
            for index in range(join - round(BEFORE_S * FRAME_RATE_HZ), join)
            if index in new and index - 1 in pictures
        ]
        if join in new and join - 1 in pictures and before:
            usual = float(np.mean([_step(pictures, index) for index in before]))
            ratios.append(_step(pictures, join) / max(usual, 1e-6))
    return {"join_step_p50": _finite(percentile(ratios, 0.5)), "join_step_p95": _finite(percentile(ratios, 0.95))}


def _step(pictures: Mapping[int, NDArray[np.uint8]], index: int) -> float:
    return float(np.abs(pictures[index].astype(np.int16) - pictures[index - 1]).mean())


def _closed_after_s(cut: Cut, opening_by_frame: Mapping[int, float], limit: float) -> float | None:
    """None where the mouth was closed throughout the last quarter of a second before the cut and after it."""
    after = [one for one in cut.shown if one.at_s >= cut.at_s]
    around = [one for one in cut.shown if cut.at_s - 0.25 <= one.at_s <= cut.at_s + 0.1]
    if not any(opening_by_frame[one.index] > limit for one in around):
        return None
    for place, one in enumerate(after):
        stays = [later for later in after[place:] if later.at_s <= one.at_s + _STAYS_S]
        if all(opening_by_frame[later.index] <= limit for later in stays):
            return one.at_s - cut.at_s
    return math.inf


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
