"""Sound ports made of files and of a clock: for machines without devices, for trying out, and for tests."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.sound import read_sound, write_wav
from engine.shapes import SOUND_RATE_HZ
from studio.live.sound_ports import MicrophoneChoice

Now = Callable[[], float]
MOST_QUEUED_S: Final = 0.5


class FileMicrophone:
    """A sound file that arrives at the pace of a microphone, and silence after its end."""

    rate_hz: Final = SOUND_RATE_HZ

    def __init__(self, path: Path, now: Now = time.monotonic) -> None:
        """Read the file; `BadInputError` where it holds no sound. Its clock starts with `begin`, at the latest with the first reading."""
        self._sound_S = read_sound(path)
        self._now = now
        self._began_s: float | None = None
        self._position = 0

    def begin(self) -> None:
        """Play it from its beginning."""
        self._began_s, self._position = self._now(), 0

    def read(self) -> NDArray[np.float32]:
        """What a microphone would have heard since the last reading."""
        now_s = self._now()
        if self._began_s is None:
            self._began_s = now_s
        start, end = self._position, round((now_s - self._began_s) * SOUND_RATE_HZ)
        self._position = end
        heard_S = np.zeros(end - start, np.float32)
        piece_S = self._sound_S[start:end]
        heard_S[: len(piece_S)] = piece_S
        return heard_S

    def close(self) -> None:
        """Nothing is held."""


def file_microphone(path: Path) -> MicrophoneChoice:
    """A sound file as something to pick."""
    return MicrophoneChoice(name=path.name, open=lambda: FileMicrophone(path), hears_room=False)


class SilentLoudspeaker:
    """Keeps time like a loudspeaker: what it is given is over after its own length."""

    latency_s: Final = 0.0

    def __init__(self, now: Now = time.monotonic) -> None:
        """Begin with nothing to play."""
        self._now = now
        self._ends_s = now()

    @property
    def queued_s(self) -> float:
        """Seconds of sound that are not over yet."""
        return max(self._ends_s - self._now(), 0.0)

    def play(self, sound_S: NDArray[np.float32]) -> None:
        """Let the time of this sound pass."""
        self._ends_s = max(self._ends_s, self._now()) + len(sound_S) / SOUND_RATE_HZ

    def fall_silent(self) -> None:
        """Nothing is left to play."""
        self._ends_s = self._now()

    def close(self) -> None:
        """Nothing is held."""


class FileLoudspeaker(SilentLoudspeaker):
    """Writes what would have been heard to a WAV file when it is closed."""

    def __init__(self, path: Path, now: Now = time.monotonic) -> None:
        """`path` is written by `close`."""
        super().__init__(now)
        self._path = path
        self._heard: list[NDArray[np.float32]] = []

    def play(self, sound_S: NDArray[np.float32]) -> None:
        """Append to the file."""
        super().play(sound_S)
        self._heard.append(sound_S)

    def fall_silent(self) -> None:
        """What was not heard yet is not in the file."""
        unheard = round(self.queued_s * SOUND_RATE_HZ)
        super().fall_silent()
        heard_S = np.concatenate(self._heard) if self._heard else np.zeros(0, np.float32)
        self._heard = [heard_S[: max(len(heard_S) - unheard, 0)]]

    def close(self) -> None:
        """Write the file."""
        if self._heard:
            write_wav(self._path, np.concatenate(self._heard))
