"""Opening a stranger's sound file at its own rate: soundfile for WAV, FLAC, Ogg, MP3 and AIFF, PyAV for MP4 and WebM.

Called only by `sound.py`, which mixes limits, resampling and checks on top. Each source yields blocks, so that no file is ever
in memory as a whole.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.sniff import SOUND_CONTAINERS, Container, sniff
from engine.media.untrusted import FFMPEG_FORMATS, open_untrusted

_BLOCK_SAMPLES: Final = 1 << 15
_MAX_CHANNELS: Final = 32
_RATES_HZ: Final = (2_000, 768_000)
_UNKNOWN_LENGTH: Final = 1 << 62
_SNDFILE_FORMATS: Final = {
    Container.WAV: {"WAV", "WAVEX", "RF64"},
    Container.FLAC: {"FLAC"},
    Container.OGG: {"OGG"},
    Container.MP3: {"MP3"},
    Container.AIFF: {"AIFF"},
}


@dataclass(frozen=True, kw_only=True)
class SoundSource:
    """An open sound at its own rate; `num_samples` is what the header claims, `None` where it claims nothing."""

    rate_hz: int
    num_samples: int | None
    blocks: Iterator[NDArray[np.float32]]  # mono


@contextlib.contextmanager
def open_source(path: Path) -> Iterator[SoundSource]:
    """Open a sound file as the kind its bytes say it is; `BadInputError` in one line for anything that is not sound."""
    container = sniff(path, SOUND_CONTAINERS, "a sound file")
    opener = _open_with_av if container in FFMPEG_FORMATS else _open_with_soundfile
    try:
        with opener(path, container) as source:
            yield source
    except (soundfile.SoundFileError, av.error.FFmpegError, EOFError, ValueError, OSError) as error:
        raise BadInputError(
            f"{path}: the sound cannot be decoded ({_reason(error)}); export it again, best as WAV"
        ) from None


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split()).rstrip(".") or "damaged"


def _check_header(path: Path, rate_hz: int, num_channels: int) -> None:
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
        raise BadInputError(f"{path}: a sampling rate of {rate_hz} Hz cannot be used; export it with 16000 to 48000 Hz")
    if not 1 <= num_channels <= _MAX_CHANNELS:
        raise BadInputError(f"{path}: {num_channels} channels cannot be used; export it as mono or stereo")


@contextlib.contextmanager
def _open_with_soundfile(path: Path, container: Container) -> Iterator[SoundSource]:
    with soundfile.SoundFile(path, "r") as file:
        if file.format not in _SNDFILE_FORMATS[container]:
            raise BadInputError(
                f"{path}: begins like {container.value} but holds {file.format}; export it again, best as WAV"
            )
        _check_header(path, file.samplerate, file.channels)
        known = file.frames < _UNKNOWN_LENGTH
        yield SoundSource(
            rate_hz=file.samplerate, num_samples=file.frames if known else None, blocks=_soundfile_blocks(file)
        )


def _soundfile_blocks(file: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    while True:
        block_SC = file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)
        if not len(block_SC):
            return
        yield block_SC.mean(axis=1, dtype=np.float32) if block_SC.shape[1] > 1 else block_SC[:, 0]


@contextlib.contextmanager
def _open_with_av(path: Path, container: Container) -> Iterator[SoundSource]:
    with open_untrusted(path, container) as media:
        if not media.streams.audio:
            raise BadInputError(f"{path}: the file has no sound in it; choose one that has")
        stream = media.streams.audio[0]
        _check_header(path, stream.codec_context.sample_rate, stream.codec_context.channels)
        rate_hz = stream.codec_context.sample_rate
        claimed = None
        if stream.duration is not None and stream.time_base is not None:
            claimed = int(stream.duration * stream.time_base * rate_hz)
        yield SoundSource(rate_hz=rate_hz, num_samples=claimed, blocks=_av_blocks(media, stream))


def _av_blocks(
    media: av.container.InputContainer, stream: av.audio.stream.AudioStream
) -> Iterator[NDArray[np.float32]]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=stream.codec_context.sample_rate)
    for frame in media.decode(stream):
        for piece in resampler.resample(frame):
            yield piece.to_ndarray().reshape(-1).astype(np.float32, copy=False)
    for piece in resampler.resample(None):
        yield piece.to_ndarray().reshape(-1).astype(np.float32, copy=False)
