"""The size of a picture read from its header alone, before any decoder is let near it.

Called by `pictures.py`. PNG, JPEG and WebP are walked as far as needed to know the size, and to know that the file was not cut off:
decoders differ in what they make of half a picture, a person wants to be told.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from engine.media.sniff import Container

_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start-of-frame markers
_JPEG_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


@dataclass(frozen=True, kw_only=True)
class PictureSize:
    """Columns and rows as the header says."""

    width_px: int
    height_px: int


class DamagedPictureError(ValueError):
    """The header does not hold together; the text says how, for the reader's one line."""


def picture_size(content: bytes, container: Container) -> PictureSize:
    """The size in the header; `DamagedPictureError` for a picture that is cut off or contradicts itself."""
    readers = {Container.PNG: _png_size, Container.JPEG: _jpeg_size, Container.WEBP: _webp_size}
    try:
        size = readers[container](content)
    except (struct.error, IndexError):
        raise DamagedPictureError("it is cut off") from None
    if size.width_px < 1 or size.height_px < 1:
        raise DamagedPictureError("its header gives no size")
    return size


def _png_size(content: bytes) -> PictureSize:
    width_px, height_px = struct.unpack_from(">II", content, 16)
    if content[12:16] != b"IHDR":
        raise DamagedPictureError("its header is missing")
    return PictureSize(width_px=width_px, height_px=height_px)


def check_whole(content: bytes, container: Container) -> None:
    """`DamagedPictureError` for a file that ends too early; called once the size is known to be sane."""
    if container is Container.PNG:
        _check_png_chunks(content)
        return
    if container is Container.JPEG:
        is_whole = b"\xff\xd9" in content[-1024:]
    else:
        is_whole = len(content) >= 8 + struct.unpack_from("<I", content, 4)[0]
    if not is_whole:
        raise DamagedPictureError("it is cut off")


def _check_png_chunks(content: bytes) -> None:
    offset = 8
    while offset + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, offset)
        end = offset + 12 + length
        if end > len(content):
            break
        if zlib.crc32(content[offset + 4 : end - 4]) != struct.unpack_from(">I", content, end - 4)[0]:
            raise DamagedPictureError("a part of it does not match its checksum")
        if kind == b"IEND":
            return
        offset = end
    raise DamagedPictureError("it is cut off")


def _jpeg_size(content: bytes) -> PictureSize:
    offset = 2
    while True:
        if content[offset] != 0xFF:
            raise DamagedPictureError("its header does not hold together")
        marker = content[offset + 1]
        if marker == 0xFF:  # padding
            offset += 1
        elif marker in _JPEG_ALONE:
            offset += 2
        elif marker in _JPEG_SIZES:
            height_px, width_px = struct.unpack_from(">HH", content, offset + 5)
            return PictureSize(width_px=width_px, height_px=height_px)
        elif marker in (0xD9, 0xDA):
            raise DamagedPictureError("its header gives no size")
        else:
            offset += 2 + max(2, struct.unpack_from(">H", content, offset + 2)[0])


def _webp_size(content: bytes) -> PictureSize:
    kind = content[12:16]
    if kind == b"VP8X":
        width_px = 1 + int.from_bytes(content[24:27], "little")
        height_px = 1 + int.from_bytes(content[27:30], "little")
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", content, 21)[0]
        width_px, height_px = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width_px, height_px = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    else:
        raise DamagedPictureError("its header does not hold together")
    return PictureSize(width_px=width_px, height_px=height_px)
