"""Sound that need not be in memory: what a long job reads piece by piece.

An array is such a sound, so is a file on disk (`SpooledSound`), and so is another sound seen through mutes (`Silenced`) or from
a later start (`Stretch`). Called by performing, by film writing and by the command line. Knows nothing of what the sound is for.
"""

import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.whole_files import advice_for

BYTES_PER_SAMPLE = 4
BLOCK_SAMPLES = 1 << 20


class Samples(Protocol):
    """Mono float32 sound [S] at 24 kHz that is read by slices without a step, as an array is."""

    @property
    def ndim(self) -> int:
        """Axes: one."""

    def __len__(self) -> int:
        """Samples in all."""

    def __getitem__(self, cut: slice, /) -> NDArray[np.float32]:
        """The samples of a slice that counts from the beginning; past the end there are none."""


def excerpt(sound_S: Samples | None, start: int, end: int) -> NDArray[np.float32]:
    """Samples [start, end) of a sound that is silent before its first sample, after its last, and where there is none."""
    piece_S = np.zeros(end - start, dtype=np.float32)
    if sound_S is not None and end > 0:
        first = max(start, 0)
        found_S = sound_S[first:end]
        piece_S[first - start : first - start + len(found_S)] = found_S
    return piece_S


def blocks(sound_S: Samples) -> Iterator[NDArray[np.float32]]:
    """The whole sound in blocks of about four megabytes."""
    for start in range(0, len(sound_S), BLOCK_SAMPLES):
        yield sound_S[start : start + BLOCK_SAMPLES]


class SpooledSound:
    """A sound in a file without a name, which vanishes with this object; only the slices that are read are in memory."""

    ndim = 1

    def __init__(self, pieces: Iterable[NDArray[np.float32]] = ()) -> None:
        """Write the pieces one after another; `BadInputError` where the disk does not take them."""
        self._length = 0
        try:
            self._file = tempfile.TemporaryFile(prefix="lpm-sound-")  # noqa: SIM115 - it lives as long as this object
        except OSError as error:
            raise _no_room(error) from None
        weakref.finalize(self, self._file.close)
        for piece_S in pieces:
            self.append(piece_S)

    def append(self, piece_S: NDArray[np.float32]) -> None:
        """Write a piece behind what is there; `BadInputError` where the disk does not take it."""
        try:
            self._file.seek(self._length * BYTES_PER_SAMPLE)
            self._file.write(np.ascontiguousarray(piece_S, dtype=np.float32).data)
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from None
        self._length += len(piece_S)

    def __len__(self) -> int:
        """Samples in all."""
        return self._length

    def __getitem__(self, cut: slice) -> NDArray[np.float32]:
        """The samples of a slice, read from disk."""
        start, end, step = cut.indices(self._length)
        assert step == 1, "sound is read in its own order"
        self._file.seek(start * BYTES_PER_SAMPLE)
        return np.frombuffer(self._file.read(max(end - start, 0) * BYTES_PER_SAMPLE), dtype=np.float32)


def _no_room(error: OSError) -> BadInputError:
    reason = error.strerror or error
    return BadInputError(f"{tempfile.gettempdir()}: sound cannot be laid down here ({reason}); {advice_for(error)}")


@dataclass(frozen=True)
class Stretch:
    """The samples [start, end) of another sound, as a sound of its own."""

    sound_S: Samples
    start: int
    end: int

    @property
    def ndim(self) -> int:
        """Axes: one."""
        return 1

    def __len__(self) -> int:
        """Samples in all."""
        return max(min(self.end, len(self.sound_S)) - self.start, 0)

    def __getitem__(self, cut: slice) -> NDArray[np.float32]:
        """The samples of a slice that counts from the stretch's own start."""
        first, last, step = cut.indices(len(self))
        assert step == 1, "sound is read in its own order"
        return self.sound_S[self.start + first : self.start + max(first, last)]


@dataclass(frozen=True)
class Silenced:
    """Another sound with silence in some spans [start, end) of samples."""

    sound_S: Samples
    spans: Sequence[tuple[int, int]]

    @property
    def ndim(self) -> int:
        """Axes: one."""
        return 1

    def __len__(self) -> int:
        """Samples in all."""
        return len(self.sound_S)

    def __getitem__(self, cut: slice) -> NDArray[np.float32]:
        """The samples of a slice; the other sound stays as it is."""
        first, last, step = cut.indices(len(self))
        assert step == 1, "sound is read in its own order"
        piece_S = np.array(self.sound_S[first:last], dtype=np.float32)
        for start, end in self.spans:
            piece_S[max(start - first, 0) : max(end - first, 0)] = 0.0
        return piece_S
