"""What a session has cost and how soon it reacted, in bounded memory. Fed by the conductor; must not know how anything is made."""

import heapq
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Final

from engine.online.live import ChunkReport
from engine.shapes import FRAME_RATE_HZ

_MOST_REMEMBERED: Final = 4096
_MOST_REPORTS: Final = 512


class SessionFigures:
    """Counts, sums and the last few thousand latencies.

    The reaction to sound is the time from the push of a packet to the showing of the first frame that this sound belongs to;
    to a direction, from its setting to the showing of the first frame made under it. Sound that waits for its turn behind other
    sound is no matter of reaction and is not to be told.
    """

    def __init__(self) -> None:
        self.shown_frames = self.repeated_frames = self.dropped_frames = self.withdrawn_frames = 0
        self.skipped_listen_samples = 0
        self.made_frames = self.num_chunks = 0
        self.opened_s = 0.0
        self.first_frame_s: float | None = None
        self.stages_s: dict[str, float] = defaultdict(float)
        self.cpu_stages_s: dict[str, float] = defaultdict(float)
        self.busiest_s = 0.0
        self.chunk_latencies_s: deque[float] = deque(maxlen=_MOST_REMEMBERED)
        self.reactions_s: deque[float] = deque(maxlen=_MOST_REMEMBERED)
        self.chunks: deque[ChunkReport] = deque(maxlen=_MOST_REPORTS)
        self._waiting: list[tuple[int, float]] = []  # a heap: frame that will show it, when it came
        self._prompts_s: list[float] = []

    def sound_pushed(self, frame: int, now_s: float) -> None:
        """Sound that begins in `frame` was pushed."""
        self._await(frame, now_s)

    def prompt_set(self, now_s: float) -> None:
        """A direction was given; the next chunk is the first under it."""
        self._prompts_s = [*self._prompts_s, now_s][-_MOST_REMEMBERED:]

    def prompt_reaches(self, frame: int) -> None:
        """A chunk begins at `frame` under the directions given so far."""
        for set_s in self._prompts_s:
            self._await(frame, set_s)
        self._prompts_s = []

    def chunk_made(self, report: ChunkReport, busiest_s: float) -> None:
        """A chunk is ready; `busiest_s` is how long it kept the worker that it kept longest."""
        self.num_chunks += 1
        self.made_frames += report.num_frames
        self.busiest_s += busiest_s
        for stage, seconds in report.stages_s.items():
            self.stages_s[stage] += seconds
        for stage, seconds in report.cpu_stages_s.items():
            self.cpu_stages_s[stage] += seconds
        self.chunk_latencies_s.append(report.latency_s)
        self.chunks.append(report)

    def frame_shown(self, index: int, is_repeat: bool, now_s: float) -> None:
        """A frame was pulled."""
        self.shown_frames += 1
        self.repeated_frames += is_repeat
        if is_repeat:
            return
        if self.first_frame_s is None:
            self.first_frame_s = now_s - self.opened_s
        while self._waiting and self._waiting[0][0] <= index:
            self.reactions_s.append(now_s - heapq.heappop(self._waiting)[1])

    def _await(self, frame: int, came_s: float) -> None:
        if len(self._waiting) < _MOST_REMEMBERED:
            heapq.heappush(self._waiting, (frame, came_s))

    @property
    def made_s(self) -> float:
        """Seconds of film made."""
        return self.made_frames / FRAME_RATE_HZ


def percentile(values: Sequence[float] | deque[float], share: float) -> float:
    """The value below which `share` of all lie (nearest rank); NaN without any."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
