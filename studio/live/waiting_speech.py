"""Speech that the session has no room for yet. It goes in as room is made, in the order in which it was asked for."""

from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.shapes import SOUND_RATE_HZ

PIECE_S: Final = 30.0
"""A session refuses a packet that does not fit beside what waits already; in pieces of this length a line of any length fits."""


class WaitingSpeech:
    """Mono sound at 24 kHz, cut into pieces."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._pieces: deque[NDArray[np.float32]] = deque()

    def add(self, sound_S: NDArray[np.float32]) -> None:
        """This comes after all that wait."""
        piece_samples = round(PIECE_S * SOUND_RATE_HZ)
        self._pieces.extend(sound_S[start : start + piece_samples] for start in range(0, len(sound_S), piece_samples))

    def give(self, push: Callable[[NDArray[np.float32]], None]) -> None:
        """Push as much as is taken; `push` refuses with `BadInputError` what has no room, and it stays."""
        while self._pieces:
            try:
                push(self._pieces[0])
            except BadInputError:
                return
            self._pieces.popleft()

    def forget(self) -> None:
        """Nothing of it is to be said any more."""
        self._pieces.clear()
