"""Media as bytes: sounds as FLAC, reference pictures as PNG, rendered frames as JPEG.

Called by the store, the render plan and imports. Bytes that come out of a project file may come from a stranger, so the
header is read before anything is decoded and the size is bounded. Knows no Qt and no SQLite.
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.picture_headers import DamagedPictureError, check_whole, picture_size
from engine.media.sniff import Container, identify
from studio.project.timecode import MAX_FRAMES, SAMPLES_PER_FRAME, SOUND_RATE_HZ

MAX_PICTURE_PX: Final = 4096
JPEG_QUALITY: Final = 96
BLOCK_SAMPLES: Final = 10 * SOUND_RATE_HZ
PictureFormat = Literal["PNG", "JPEG"]


def content_hash(content: bytes) -> str:
    """The name of a medium: the SHA-256 of its bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def encode_sound(samples_S: NDArray[np.float32]) -> bytes:
    """Mono sound at 24 kHz as 16 bit FLAC."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples_S, -1.0, 1.0), SOUND_RATE_HZ, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def decode_sound(content: bytes) -> NDArray[np.float32]:
    """Mono float32 at 24 kHz from FLAC bytes; `BadInputError` for anything else."""
    with _opened_sound(content) as file:
        samples_S: NDArray[np.float32] = file.read(dtype="float32")
    return samples_S


def sound_blocks(content: bytes, start_sample: int, end_sample: int) -> Iterator[NDArray[np.float32]]:
    """A stretch of FLAC bytes as mono float32 at 24 kHz, in blocks of at most ten seconds; it ends where the sound does.

    `BadInputError` as from `decode_sound`.
    """
    with _opened_sound(content) as file:
        file.seek(min(start_sample, file.frames))
        left = end_sample - start_sample
        while left > 0 and len(block_S := file.read(min(left, BLOCK_SAMPLES), dtype="float32")):
            yield block_S
            left -= len(block_S)


@contextmanager
def _opened_sound(content: bytes) -> Iterator[soundfile.SoundFile]:
    if not content.startswith(b"fLaC"):
        raise BadInputError("a sound in this project is not FLAC; the project is damaged")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            is_ours = file.samplerate == SOUND_RATE_HZ and file.channels == 1 and file.format == "FLAC"
            if not is_ours or file.frames > MAX_FRAMES * SAMPLES_PER_FRAME:
                raise BadInputError("a sound in this project is not mono 24 kHz of at most two hours")
            yield file
    except soundfile.LibsndfileError as error:
        raise BadInputError(f"a sound in this project cannot be read ({error})") from error


def encode_picture(picture_HWC: NDArray[np.uint8], picture_format: PictureFormat = "PNG") -> bytes:
    """An RGB picture as PNG (exact) or JPEG (small, full colour resolution)."""
    options: list[int] = []
    if picture_format == "JPEG":
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    is_done, content = cv2.imencode(f".{picture_format.lower()}", picture_HWC[..., ::-1], options)
    assert is_done, "OpenCV encodes every uint8 RGB picture"
    return content.tobytes()


def decode_picture(content: bytes, picture_format: PictureFormat = "PNG") -> NDArray[np.uint8]:
    """RGB uint8 [H, W, 3] from PNG or JPEG bytes; `BadInputError` for damage or more than 4096 pixels a side."""
    container = Container.PNG if picture_format == "PNG" else Container.JPEG
    if identify(content[:64]) is not container:
        raise BadInputError(f"a picture in this project is not {picture_format}; the project is damaged")
    try:
        size = picture_size(content, container)
        check_whole(content, container)
    except DamagedPictureError as error:
        raise BadInputError(f"a picture in this project is damaged: {error}") from error
    if max(size.width_px, size.height_px) > MAX_PICTURE_PX:
        raise BadInputError(f"a picture in this project has {size.width_px}x{size.height_px} pixels")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise BadInputError("a picture in this project cannot be read")
    return np.asarray(picture, dtype=np.uint8)
