"""Clocks that playback follows: the sound card where there is one, otherwise the computer's own clock.

The sound is the master: the picture shows the frame that the sound has reached. Called by the player; knows no Qt.
"""

import importlib
import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from studio.project.timecode import SOUND_RATE_HZ

_log = logging.getLogger(__name__)


class Clock(Protocol):
    """Tells how far playback has come, in samples at 24 kHz."""

    def position_samples(self) -> int:
        """The sample that is heard now."""

    def stop(self) -> None:
        """Fall silent at once and let the device go."""


class SilentClock:
    """Counts samples by the computer's monotonic clock, at any speed and in both directions."""

    def __init__(self, start_sample: int, speed: float = 1.0, now: Callable[[], float] = time.monotonic) -> None:
        """Start now."""
        self._start_sample = start_sample
        self._speed = speed
        self._now = now
        self._started_s = now()

    def position_samples(self) -> int:
        """The sample that would be heard now."""
        return round(self._start_sample + (self._now() - self._started_s) * self._speed * SOUND_RATE_HZ)

    def stop(self) -> None:
        """Nothing is held."""


class SoundClock:
    """Plays samples through the sound card and tells which one is heard."""

    def __init__(self, sounddevice: Any, samples_S: NDArray[np.float32], start_sample: int) -> None:
        """Open the default device and start; raises what sounddevice raises where that fails."""
        self._start_sample = start_sample
        self._rate_hz = _device_rate_hz(sounddevice)
        rest_S = samples_S[start_sample:]
        self._samples_S = (
            rest_S if self._rate_hz == SOUND_RATE_HZ else soxr.resample(rest_S, SOUND_RATE_HZ, self._rate_hz)
        )
        self._written = 0
        self._block: tuple[int, float] | None = None  # first sample of the newest block, the moment when it is heard
        self._stream = sounddevice.OutputStream(
            samplerate=self._rate_hz, channels=1, dtype="float32", latency="low", callback=self._fill
        )
        self._stream.start()

    def _fill(self, out: NDArray[np.float32], num_samples: int, when: Any, status: object) -> None:
        del status
        delay_s = max(when.outputBufferDacTime - when.currentTime, 0.0) if when.outputBufferDacTime else 0.0
        self._block = (self._written, time.monotonic() + delay_s)
        piece_S = self._samples_S[self._written : self._written + num_samples]
        out[: len(piece_S), 0] = piece_S
        out[len(piece_S) :, 0] = 0.0
        self._written += num_samples

    def position_samples(self) -> int:
        """The sample that is heard now; it waits at the start until the device has begun."""
        if self._block is None:
            return self._start_sample
        first, heard_s = self._block
        heard = first + (time.monotonic() - heard_s) * self._rate_hz
        heard = min(max(heard, 0.0), float(self._written))
        return self._start_sample + round(heard * SOUND_RATE_HZ / self._rate_hz)

    def stop(self) -> None:
        """Fall silent at once and close the stream."""
        self._stream.abort()
        self._stream.close()


def _device_rate_hz(sounddevice: Any) -> int:
    try:
        sounddevice.check_output_settings(samplerate=SOUND_RATE_HZ, channels=1, dtype="float32")
    except sounddevice.PortAudioError:
        return int(sounddevice.query_devices(kind="output")["default_samplerate"])
    return SOUND_RATE_HZ


@lru_cache(maxsize=1)
def load_sounddevice() -> Any:
    """The sound library, or None where the system's PortAudio is missing; looked for once, for looking is slow."""
    try:
        return importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:
        _log.info("no sound library: %s", error)
        return None


def open_clock(samples_S: NDArray[np.float32] | None, start_sample: int) -> Clock:
    """A clock that sounds if there is anything to hear and a device to hear it from, otherwise a silent one."""
    sounddevice = load_sounddevice()
    if samples_S is None or sounddevice is None:
        return SilentClock(start_sample)
    try:
        return SoundClock(sounddevice, samples_S, start_sample)
    except Exception as error:  # PortAudio reports a missing or failing device in several kinds of exception
        _log.info("playing without sound: %s", error)
        return SilentClock(start_sample)


def has_sound_device() -> bool:
    """Whether this machine can be heard. Looking takes a while the first time: ask on a background thread."""
    sounddevice = load_sounddevice()
    if sounddevice is None:
        return False
    try:
        sounddevice.query_devices(kind="output")
    except Exception:  # as in open_clock
        return False
    return True
