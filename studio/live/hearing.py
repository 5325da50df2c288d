"""What of a microphone reaches the session: as the partner's voice, or held back a little as the character's own."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.shapes import FRAME_RATE_HZ

SPEAK_MARGIN_S: Final = 0.25
ECHO_S: Final = 0.4
"""How long a loudspeaker's sound may still come back from the room."""

_SPOKEN_LEVEL: Final = 10 ** (-45 / 20)
_FADE: Final = 0.5  # of the shown level, for each frame


class HeldBack:
    """Holds the beginning of a voice back, then lets it through unbroken.

    A chunk takes the sound of a whole chunk when it begins. A voice that is given as it arrives would be torn into pieces with
    silence between; held back by a chunk and a margin for late packets, there is always enough of it.
    """

    def __init__(self, chunk_frames: int, rate_hz: int) -> None:
        """`rate_hz` is the microphone's."""
        self._hold_samples = round((chunk_frames / FRAME_RATE_HZ + SPEAK_MARGIN_S) * rate_hz)
        self._held: list[NDArray[np.float32]] | None = []

    def through(self, packet_S: NDArray[np.float32]) -> NDArray[np.float32]:
        """What may be given to the session now that this has arrived."""
        if self._held is None:
            return packet_S
        self._held.append(packet_S)
        if sum(map(len, self._held)) < self._hold_samples:
            return packet_S[:0]
        held_S, self._held = np.concatenate(self._held), None
        return held_S

    def begin_again(self) -> None:
        """The voice was cut: what comes now is held back anew."""
        self._held = []


class EchoGuard:
    """Says when a microphone in the room hears the character itself, where the person wears no headphones."""

    def __init__(self, is_needed: bool) -> None:
        """Without need it never says so."""
        self._is_needed = is_needed
        self._until_s = -1.0

    def played(self, sound_S: NDArray[np.float32], heard_at_s: float) -> None:
        """The loudspeaker will have played this by then."""
        if len(sound_S) and float(np.sqrt(np.mean(np.square(sound_S)))) >= _SPOKEN_LEVEL:
            self._until_s = heard_at_s + ECHO_S

    def is_echo(self, now_s: float) -> bool:
        """Whether what arrives now may be the loudspeaker's."""
        return self._is_needed and now_s < self._until_s


class LevelMeter:
    """The level of a voice as a meter shows it: up at once, down slowly."""

    def __init__(self) -> None:
        """Silent."""
        self._level = 0.0

    def hear(self, packet_S: NDArray[np.float32]) -> None:
        """The sound of about a frame."""
        level = float(np.sqrt(np.mean(np.square(packet_S)))) if len(packet_S) else 0.0
        self._level = max(level, _FADE * self._level)

    @property
    def db(self) -> float:
        """Relative to full scale, at least -90."""
        return 20.0 * float(np.log10(max(self._level, 10 ** (-90 / 20))))
