"""Reading films back: what a file holds, and its frames one after the other.

Called by the studio's viewer, by evaluation and by tests. Films from strangers are opened as what their bytes say they are, within
limits of size, length and frame rate, and are never in memory as a whole.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import av.container
import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.sniff import FILM_CONTAINERS, sniff
from engine.media.untrusted import MAX_SIDE_PX, open_untrusted

MAX_FILM_S: Final = 2 * 3600
_MAX_FRAME_RATE_HZ: Final = 120
_BICUBIC_ACCURATE: Final = 0x4 | 0x40000 | 0x2000  # swscale's flags; its fast default costs 16 dB


@dataclass(frozen=True, kw_only=True)
class FilmFacts:
    """What a film's header says; the sound's fields are zero for a film without sound."""

    width_px: int
    height_px: int
    num_frames: int
    frame_rate_hz: float
    video_s: float
    sound_s: float
    sound_rate_hz: int
    num_channels: int
    video_codec: str
    sound_codec: str


def probe_film(path: Path) -> FilmFacts:
    """What this film holds; `BadInputError` in one line for a file that is no film or is beyond the limits."""
    with open_film(path) as (media, facts):
        del media
        return facts


def read_film_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Each frame as uint8 RGB [H, W, 3], in order; raises as `probe_film` does."""
    with open_film(path) as (media, facts):
        for number, frame in enumerate(media.decode(video=0)):
            if max(frame.width, frame.height) > MAX_SIDE_PX or number > MAX_FILM_S * _MAX_FRAME_RATE_HZ:
                raise BadInputError(f"{path}: the film is larger than its header says; export it again")
            yield _rgb(frame, facts)


def _rgb(frame: av.VideoFrame, facts: FilmFacts) -> NDArray[np.uint8]:
    untagged = frame.colorspace in (0, 2)
    space = ("ITU709" if facts.height_px >= 720 else "ITU601") if untagged else None
    picture = frame.reformat(
        format="rgb24", interpolation=_BICUBIC_ACCURATE, src_colorspace=space, dst_color_range="JPEG"
    )
    return np.asarray(picture.to_ndarray(), dtype=np.uint8)


@contextlib.contextmanager
def open_film(path: Path) -> Iterator[tuple[av.container.InputContainer, FilmFacts]]:
    """A film as PyAV has it, and its facts; raises as `probe_film` does, also for what goes wrong while it is open."""
    container = sniff(path, FILM_CONTAINERS, "a film")
    try:
        with open_untrusted(path, container) as media:
            if not media.streams.video:
                raise BadInputError(f"{path}: the file has no picture in it; choose a film")
            facts = _facts(media)
            _check_limits(path, facts)
            yield media, facts
    except (av.error.FFmpegError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInputError(f"{path}: the film cannot be decoded ({reason}); export it again") from None


def _facts(media: av.container.InputContainer) -> FilmFacts:
    video = media.streams.video[0]
    sound = media.streams.audio[0] if media.streams.audio else None
    return FilmFacts(
        width_px=video.codec_context.width,
        height_px=video.codec_context.height,
        num_frames=video.frames,
        frame_rate_hz=float(video.average_rate or video.guessed_rate or 0),
        video_s=_stream_s(video, media),
        sound_s=_stream_s(sound, media) if sound else 0.0,
        sound_rate_hz=sound.codec_context.sample_rate if sound else 0,
        num_channels=sound.codec_context.channels if sound else 0,
        video_codec=video.codec_context.name,
        sound_codec=sound.codec_context.name if sound else "",
    )


def _stream_s(stream: av.stream.Stream, media: av.container.InputContainer) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(media.duration or 0) / av.time_base


def _check_limits(path: Path, facts: FilmFacts) -> None:
    if not (1 <= facts.width_px <= MAX_SIDE_PX and 1 <= facts.height_px <= MAX_SIDE_PX):
        raise BadInputError(
            f"{path}: the film is {facts.width_px} x {facts.height_px}; at most {MAX_SIDE_PX} x {MAX_SIDE_PX}"
        )
    if facts.frame_rate_hz > _MAX_FRAME_RATE_HZ:
        raise BadInputError(
            f"{path}: {facts.frame_rate_hz:.0f} frames a second are too many; at most {_MAX_FRAME_RATE_HZ}"
        )
    if max(facts.video_s, facts.sound_s) > MAX_FILM_S:
        raise BadInputError(f"{path}: {facts.video_s / 3600:.1f} h of film is too long; at most {MAX_FILM_S // 3600} h")
