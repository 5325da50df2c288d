"""The player: one playhead for the whole window, moved by the sound while it plays.

Views call `play`, `pause`, `seek` and `shuttle`, and follow `frame_changed`. It knows the document's length and sound through
two callables, and no widget.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from studio.playback.clocks import Clock, SilentClock, open_clock
from studio.project.timecode import SAMPLES_PER_FRAME

TICK_MS: Final = 12
SPEEDS: Final = (1.0, 2.0, 4.0, 8.0)
Mix = Callable[[], NDArray[np.float32] | None]
OpenClock = Callable[[NDArray[np.float32] | None, int], Clock]


class Player(QObject):
    """Plays the timeline between 0 and its end, or in a loop between in and out."""

    frame_changed = Signal(int)
    playing_changed = Signal(bool)
    loop_changed = Signal(bool)

    def __init__(self, mix: Mix, open_sound: OpenClock = open_clock, parent: QObject | None = None) -> None:
        """`mix` gives what is to be heard of the timeline, `open_sound` a clock that plays it."""
        super().__init__(parent)
        self._mix = mix
        self._open_sound = open_sound
        self._clock: Clock | None = None
        self._speed = 0.0
        self._frame = 0
        self._num_frames = 1
        self._range = (0, 1)
        self._is_looping = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)

    @property
    def frame(self) -> int:
        """Where the playhead is."""
        return self._frame

    @property
    def is_playing(self) -> bool:
        """Whether the playhead moves by itself."""
        return self._clock is not None

    @property
    def is_looping(self) -> bool:
        """Whether playback begins again at its end."""
        return self._is_looping

    @property
    def speed(self) -> float:
        """1 forwards, -1 backwards, more when shuttling, 0 at rest."""
        return self._speed

    def set_timeline(self, num_frames: int, in_frame: int | None, out_frame: int | None) -> None:
        """Tell how long the timeline is and which stretch of it is played."""
        self._num_frames = max(num_frames, 1)
        self._range = (in_frame or 0, out_frame or self._num_frames)
        if self._frame >= self._num_frames:
            self.seek(self._num_frames - 1)

    def set_looping(self, is_looping: bool) -> None:
        """Begin again at the end, or stop there."""
        if is_looping != self._is_looping:
            self._is_looping = is_looping
            self.loop_changed.emit(is_looping)

    def toggle(self) -> None:
        """Play or pause."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Play forwards with sound; from the start if the playhead stands at the end."""
        start, end = self._range
        if self._frame >= end - 1 or self._frame < start:
            self._show(start)
        self._start(1.0)

    def pause(self) -> None:
        """Stand still; the sound stops at once."""
        if self._clock is None:
            return
        self._clock.stop()
        self._clock = None
        self._speed = 0.0
        self._timer.stop()
        self.playing_changed.emit(False)

    def shuttle(self, direction: int) -> None:
        """J and L: play that way, and faster with each press; only plain forward playback has sound."""
        speed = SPEEDS[0]
        if self._speed * direction > 0:
            speed = SPEEDS[min(SPEEDS.index(abs(self._speed)) + 1, len(SPEEDS) - 1)]
        self._start(speed * direction)

    def seek(self, frame: int) -> None:
        """Put the playhead on a frame; playback goes on from there."""
        frame = min(max(frame, 0), self._num_frames - 1)
        speed = self._speed
        self._show(frame)
        if self.is_playing:
            self._start(speed)

    def refresh_sound(self) -> None:
        """The timeline changed: what is playing is taken up again with the new sound."""
        if self._speed == SPEEDS[0]:
            self._start(self._speed)

    def _start(self, speed: float) -> None:
        was_playing = self.is_playing
        if self._clock is not None:
            self._clock.stop()
        start_sample = self._frame * SAMPLES_PER_FRAME
        if speed == SPEEDS[0]:
            self._clock = self._open_sound(self._mix(), start_sample)
        else:
            self._clock = SilentClock(start_sample, speed)
        self._speed = speed
        self._timer.start()
        if not was_playing:
            self.playing_changed.emit(True)

    def _show(self, frame: int) -> None:
        if frame != self._frame:
            self._frame = frame
            self.frame_changed.emit(frame)

    def _tick(self) -> None:
        if self._clock is None:
            return
        frame = self._clock.position_samples() // SAMPLES_PER_FRAME
        start, end = self._range
        if frame >= end and self._speed > 0:
            if self._is_looping:
                self._show(start)
                self._start(self._speed)
            else:
                self._show(end - 1)
                self.pause()
        elif frame < 0:
            self._show(0)
            self.pause()
        else:
            self._show(min(frame, self._num_frames - 1))
