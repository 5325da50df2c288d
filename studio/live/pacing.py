"""When the next frame is due: 24 times a second by the loudspeaker's own clock, which is never quite the computer's.

The loudspeaker's queue tells the difference: where it grows, frames come a little later, where it runs dry, a little sooner. Sound
is then neither piled up nor torn, however long the session lasts.
"""

from typing import Final

from engine.shapes import FRAME_RATE_HZ

TARGET_QUEUED_S: Final = 2.5 / FRAME_RATE_HZ
_CORRECTION: Final = 0.05
_MOST_CORRECTION_S: Final = 0.004
_STALLED_S: Final = 0.5


class FramePace:
    """The time at which the next frame is due."""

    def __init__(self, now_s: float) -> None:
        """The first frame is due now."""
        self.due_s = now_s

    def advance(self, now_s: float, queued_s: float) -> None:
        """A frame was taken, and `queued_s` of sound waits at the loudspeaker.

        After a stall of more than half a second (a computer that slept) it goes on from now and does not race.
        """
        correction_s = _CORRECTION * (queued_s - TARGET_QUEUED_S)
        self.due_s += 1 / FRAME_RATE_HZ + min(max(correction_s, -_MOST_CORRECTION_S), _MOST_CORRECTION_S)
        if now_s - self.due_s > _STALLED_S:
            self.due_s = now_s
