"""What the live loop needs of sound: a microphone that is read, a loudspeaker that is filled, and somebody who knows which there are.

The sound card is one implementation (`sound_card`), files are the other (`sound_files`). Ports are opened, used and closed by one
thread, the live loop's; nothing in here waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import LpmError


class DeviceLostError(LpmError):
    """A device that was in use is gone; the message names it."""


class Microphone(Protocol):
    """A voice that arrives by and by."""

    @property
    def rate_hz(self) -> int:
        """Samples a second of what `read` gives."""

    def begin(self) -> None:
        """What was heard until now is past: the next reading gives what comes from now on."""

    def read(self) -> NDArray[np.float32]:
        """All that was heard since the last reading, mono [S], perhaps nothing; `DeviceLostError` where nothing comes any more."""

    def close(self) -> None:
        """Let the device go."""


class Loudspeaker(Protocol):
    """Plays what it is given, one piece after another."""

    @property
    def queued_s(self) -> float:
        """Seconds of sound that wait to be given to the device."""

    @property
    def latency_s(self) -> float:
        """What the device itself takes until it is heard."""

    def play(self, sound_S: NDArray[np.float32]) -> None:
        """Append mono sound at 24 kHz."""

    def fall_silent(self) -> None:
        """Forget at once what was not heard yet."""

    def close(self) -> None:
        """Let the device go."""


@dataclass(frozen=True, kw_only=True)
class MicrophoneChoice:
    """A microphone that can be picked. `hears_room`: whether the loudspeaker's sound reaches it; not that of a file.

    `open` raises `BadInputError` in one line where it cannot be used.
    """

    name: str
    open: Callable[[], Microphone]
    hears_room: bool = True


class SoundPorts(Protocol):
    """The devices of a machine."""

    def microphones(self) -> tuple[MicrophoneChoice, ...]:
        """Those that there are now; the system's own choice comes first."""

    def open_loudspeaker(self) -> Loudspeaker:
        """The system's loudspeaker; where there is none, one that is silent and keeps time."""
