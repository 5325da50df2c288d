"""Sound in and out: any sound file from a stranger becomes mono float32 at 24 kHz, and arrays become WAV files.

`read_sound` gives the whole sound; `spool_sound` the same on disk and `stream_sound` in blocks, both with constant memory. Called
by the command line, the studio's import and the training data; knows nothing of what the sound is for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.samples import SpooledSound
from engine.media.sound_sources import SoundSource, open_source
from engine.media.whole_files import whole_file
from engine.shapes import SOUND_RATE_HZ

MAX_SOUND_S: Final = 2 * 3600
_MAX_AMPLITUDE: Final = 8.0  # a float file may overshoot 1 a little; far beyond, its numbers mean something else


def spool_sound(path: Path, max_samples: int | None = None) -> SpooledSound:
    """As `read_sound`, but laid down on disk: a long sound takes no memory."""
    return SpooledSound(_first_samples(path, max_samples))


def read_sound(path: Path, max_samples: int | None = None) -> NDArray[np.float32]:
    """The whole sound, or its first `max_samples` at 24 kHz; mono float32 in [-1, 1].

    `BadInputError`, one line naming file and mend: no such file, not a sound file, empty, damaged, longer than 2 h, NaN or inf.
    """
    return np.concatenate(list(_first_samples(path, max_samples)))


def _first_samples(path: Path, max_samples: int | None) -> Iterator[NDArray[np.float32]]:
    num_samples = 0
    for block_S in stream_sound(path):
        yield block_S if max_samples is None else block_S[: max_samples - num_samples]
        num_samples += len(block_S)
        if max_samples is not None and num_samples >= max_samples:
            return


def stream_sound(path: Path) -> Iterator[NDArray[np.float32]]:
    """The sound in blocks of mono float32 at 24 kHz, in order and gapless; raises as `read_sound` does."""
    with open_source(path) as source:
        if source.num_samples is not None:
            _check_length(path, source.num_samples / source.rate_hz)
        yield from _resampled(path, source)


def sound_length_s(path: Path) -> float:
    """How long the sound is, from the header where it says so and by reading it where it does not."""
    with open_source(path) as source:
        if source.num_samples:
            seconds = source.num_samples / source.rate_hz
            _check_length(path, seconds)
            return seconds
    return sum(len(block) for block in stream_sound(path)) / SOUND_RATE_HZ


def write_wav(path: Path, sound_S: NDArray[np.float32], rate_hz: int = SOUND_RATE_HZ) -> None:
    """Write mono sound as 16-bit WAV, whole or not at all."""
    if sound_S.ndim != 1:
        raise ValueError(f"sound must be mono, [samples], not {sound_S.shape}")
    with whole_file(path) as temporary:
        soundfile.write(temporary, np.clip(sound_S, -1.0, 1.0), rate_hz, subtype="PCM_16", format="WAV")


def _check_length(path: Path, seconds: float) -> None:
    if seconds > MAX_SOUND_S:
        raise BadInputError(
            f"{path}: {_clock(seconds)} of sound is too long; at most {_clock(MAX_SOUND_S)}, so cut it into parts"
        )


def _clock(seconds: float) -> str:
    minutes = int(seconds) // 60
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _check_block(path: Path, block_S: NDArray[np.float32]) -> None:
    peak = float(np.max(np.abs(block_S), initial=0.0))  # NaN and inf come through the maximum
    if not np.isfinite(peak):
        raise BadInputError(f"{path}: the sound contains values that are not numbers (NaN or inf); export it again")
    if peak > _MAX_AMPLITUDE:
        raise BadInputError(
            f"{path}: the sound has values up to {peak:.0f} where 1 is full scale; export it as 16-bit WAV"
        )


def _resampled(path: Path, source: SoundSource) -> Iterator[NDArray[np.float32]]:
    resampler = soxr.ResampleStream(source.rate_hz, SOUND_RATE_HZ, 1, dtype="float32", quality="HQ")
    num_in = num_out = 0
    for block_S in source.blocks:
        num_in += len(block_S)
        _check_length(path, num_in / source.rate_hz)
        _check_block(path, block_S)
        out_S = np.clip(resampler.resample_chunk(block_S), -1.0, 1.0)
        num_out += len(out_S)
        if len(out_S):
            yield out_S
    wanted = round(num_in * SOUND_RATE_HZ / source.rate_hz) - num_out
    if wanted + num_out < 1:
        raise BadInputError(f"{path}: the file has no sound in it; export or record it again")
    rest_S = np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1.0, 1.0)[: max(wanted, 0)]
    if wanted > 0:
        yield np.pad(rest_S, (0, wanted - len(rest_S)))
