"""How far the session works ahead of playback (paper 5.3): as far as a chunk's pictures are waited for, a little more, and never a backlog.

Fed with the time that chunks took, asked before each chunk. Pure arithmetic: it must not know clocks or threads.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from engine.shapes import FRAME_RATE_HZ

_LAYING_DOWN_FRAMES: Final = 1  # what a worker is at when it is called upon takes so long, mostly


@dataclass(frozen=True, kw_only=True)
class LookaheadConfig:
    """Bounds in frames; `margin_frames` covers a late wake-up of the player (tens of milliseconds on a busy machine)."""

    least_frames: int = 2
    most_frames: int = 36
    margin_frames: int = 2
    safety: float = 1.2
    memory_chunks: int = 16
    memory_answers: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.least_frames <= self.most_frames:
            raise ValueError(f"lookahead between {self.least_frames} and {self.most_frames} frames is no range")


@dataclass(frozen=True, kw_only=True)
class WaitedFor:
    """How long a chunk's pictures are waited for, each less the time that it is played after the first.

    work_s: from the chunk's beginning. alone_s: of work on this chunk, without waiting for others.
    """

    work_s: float
    alone_s: float

    def or_longer(self, other: "WaitedFor") -> "WaitedFor":
        """The longer of both, each."""
        return WaitedFor(work_s=max(self.work_s, other.work_s), alone_s=max(self.alone_s, other.alone_s))


class Lookahead:
    """When the next chunk should begin, in frames that are still to be shown."""

    def __init__(self, config: LookaheadConfig) -> None:
        self.config = config
        self._work_s: deque[float] = deque(maxlen=config.memory_chunks)
        self._alone_s: deque[float] = deque(maxlen=config.memory_chunks)
        self._answers_s: deque[float] = deque(maxlen=config.memory_answers)

    @property
    def work_frames(self) -> int:
        """Frames that play until a chunk's pictures come, by the slowest but one of the last chunks; 0 before the first."""
        if not self._work_s:
            return 0
        ordered = sorted(self._work_s)
        slow_s = ordered[-2] if len(ordered) >= 8 else ordered[-1]  # one hiccup in a while does not count
        return math.ceil(slow_s * FRAME_RATE_HZ)

    @property
    def answer_frames(self) -> int:
        """Frames that play until the pictures of a chunk come that all other work gives way to, once it has ended its step.

        As for the last answers, or for the quickest of the last chunks: the others were held up by each other. Never more than
        `work_frames`; 0 before the first chunk.
        """
        if not self._alone_s:
            return 0
        alone_s = min([*self._alone_s, *self._answers_s])
        return min(math.ceil(alone_s * FRAME_RATE_HZ) + _LAYING_DOWN_FRAMES, self.work_frames)

    @property
    def target_frames(self) -> int:
        """The next chunk begins when no more than so many frames are ahead of playback."""
        wanted = math.ceil(self.work_frames * self.config.safety) + self.config.margin_frames
        return min(max(wanted, self.config.least_frames), self.config.most_frames)

    def observe(self, waited: WaitedFor, is_answer: bool = False) -> None:
        """A chunk came; an answer says how soon answers come, and nothing of chunks that share the machine."""
        if is_answer:
            self._answers_s.append(waited.alone_s)
        else:
            self._work_s.append(waited.work_s)
            self._alone_s.append(waited.alone_s)
