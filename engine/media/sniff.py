"""What a file from a stranger really is: told by its first bytes, never by its name.

Every reader in this folder asks here first and then opens the file as exactly that kind, so that a script, a playlist or an
archive that calls itself `.mp4` is refused before any decoder sees it.
"""

import stat
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Final

from engine.errors import BadInputError

_HEAD_BYTES: Final = 64


class Container(StrEnum):
    """The file formats that are read; anything else is refused."""

    WAV = "WAV"
    FLAC = "FLAC"
    OGG = "Ogg"
    MP3 = "MP3"
    AIFF = "AIFF"
    MP4 = "MP4"
    MATROSKA = "WebM or Matroska"
    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WebP"


SOUND_CONTAINERS: Final = frozenset(
    {
        Container.WAV,
        Container.FLAC,
        Container.OGG,
        Container.MP3,
        Container.AIFF,
        Container.MP4,
        Container.MATROSKA,
    }
)
FILM_CONTAINERS: Final = frozenset({Container.MP4, Container.MATROSKA})
PICTURE_CONTAINERS: Final = frozenset({Container.PNG, Container.JPEG, Container.WEBP})


def identify(head: bytes) -> Container | None:
    """The container that begins with these bytes, or `None` for one that is not read."""
    starts = (
        (b"fLaC", Container.FLAC),
        (b"OggS", Container.OGG),
        (b"ID3", Container.MP3),
        (b"\x1a\x45\xdf\xa3", Container.MATROSKA),
        (b"\x89PNG\r\n\x1a\n", Container.PNG),
        (b"\xff\xd8\xff", Container.JPEG),
    )
    for magic, container in starts:
        if head.startswith(magic):
            return container
    kinds_of_riff = {b"WAVE": Container.WAV, b"WEBP": Container.WEBP}
    if head[:4] in (b"RIFF", b"RF64"):
        return kinds_of_riff.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Container.AIFF
    if head[4:8] == b"ftyp":
        return Container.MP4
    return Container.MP3 if _is_mpeg_audio_frame(head) else None


def _is_mpeg_audio_frame(head: bytes) -> bool:
    """An MP3 without a tag starts with a frame header: eleven set bits, layer III, a valid bit rate and sampling rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, sampling = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bit_rate not in (0, 15) and sampling != 3


def require_file(path: Path, max_bytes: int | None = None) -> int:
    """The size of an ordinary, non-empty file in bytes; `BadInputError` in one line for anything else."""
    if not isinstance(path, Path):
        raise TypeError(
            f"a path must be a pathlib.Path, not {type(path).__name__}: a text could name a network address"
        )
    try:
        status = path.stat()
    except FileNotFoundError:
        raise BadInputError(f"{path}: there is no such file; check the spelling and the folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInputError(f"{path}: cannot be opened ({reason})") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file"
        raise BadInputError(f"{path}: this is {kind}; give the file itself")
    if status.st_size == 0:
        raise BadInputError(f"{path}: the file is empty; export or record it again")
    if max_bytes is not None and status.st_size > max_bytes:
        raise BadInputError(f"{path}: {status.st_size / 2**20:.0f} MB is too large; at most {max_bytes // 2**20} MB")
    return status.st_size


def sniff(path: Path, allowed: Collection[Container], wanted: str) -> Container:
    """The container of a file, one of `allowed`; `wanted` names the kind for the person, such as "a sound file"."""
    require_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror or error})") from None
    container = identify(head)
    if container is None or container not in allowed:
        found = f"this is {container.value}" if container else "its content is of no known kind"
        choices = ", ".join(sorted(kind.value for kind in allowed))
        raise BadInputError(f"{path}: not {wanted} ({found}); use one of {choices}")
    return container
