"""What to give up when the machine cannot keep up, in order: answering soon, then work on each chunk, then pictures.

More lookahead absorbs what is only unsteady. Pictures without their finest details are missed least; after them come the cheaper chunks
that the generator offers (its `efforts`). If that is not enough, pictures are shown again while the sound goes on, and every chunk begins
where playback will be when it is ready, so that neither sync nor a queue is ever lost. Fed after each chunk; each level is judged by the
chunks that were begun under it. Must not know clocks or threads.
"""

from collections import deque

FULL = "full"
MORE_LOOKAHEAD = "more lookahead"
SOFTER = "softer pictures"
REPEATS = "frames are repeated"

_TOO_SLOW = 0.95
_COMFORTABLE = 0.6  # so that the dearer chunks are not too dear
_STEADY = 0.85  # on average: no chunk is dearer for answering soon, and one that takes long is what lookahead is for
_CHUNKS_TO_JUDGE = 3
_CHUNKS_TO_TRUST = 24
_CHUNKS_IN_TIME = 12


class Pace:
    """The present level; 0 gives up nothing."""

    def __init__(self, efforts: tuple[str, ...]) -> None:
        self.levels = (FULL, MORE_LOOKAHEAD, *efforts[1:], REPEATS)
        self.level = 0
        self.history: deque[str] = deque(maxlen=64)
        self._load: deque[float] = deque(maxlen=_CHUNKS_TO_TRUST)
        self._late_chunks = self._chunks_in_time = 0

    @property
    def name(self) -> str:
        """The present level in words."""
        return self.levels[self.level]

    @property
    def effort(self) -> int:
        """How far along what chunks may cost a chunk is."""
        return max(0, min(self.level - 1, len(self.levels) - 3))

    @property
    def has_more_lookahead(self) -> bool:
        """Whether the session works as far ahead as it may."""
        return self.level >= 1

    def observe(self, load: float, was_late: bool, frame: int) -> None:
        """A chunk kept the busiest worker busy for `load` of its duration, and did or did not come too late."""
        self._load.append(load)
        self._late_chunks = self._late_chunks + 1 if was_late else 0
        self._chunks_in_time = 0 if was_late else self._chunks_in_time + 1
        lately = list(self._load)[-_CHUNKS_TO_JUDGE:]
        is_too_slow = len(lately) == _CHUNKS_TO_JUDGE and min(lately) > _TOO_SLOW
        if (is_too_slow or self._late_chunks >= _CHUNKS_TO_JUDGE) and self.level < len(self.levels) - 1:
            self._change(self.level + 1, frame)
        elif self.name == REPEATS and self._chunks_in_time >= _CHUNKS_IN_TIME:
            self._change(self.level - 1, frame)  # no chunk costs more for it: what is said is what is seen
        elif self.level and self._chunks_in_time >= _CHUNKS_TO_TRUST and self._has_room:
            self._change(self.level - 1, frame)

    @property
    def _has_room(self) -> bool:
        """Whether what was given up last can be had again, by the chunks under the present level."""
        if self.name == MORE_LOOKAHEAD:
            return sum(self._load) / len(self._load) < _STEADY
        return max(self._load) < _COMFORTABLE

    def _change(self, level: int, frame: int) -> None:
        self.level = level
        self.history.append(f"frame {frame}: {self.name}")
        self._load.clear()
        self._late_chunks = self._chunks_in_time = 0
