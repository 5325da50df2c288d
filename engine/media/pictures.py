"""Pictures in and out: PNG, JPEG and WebP from strangers become RGB arrays, arrays become PNG files.

Called by characters, first frames and the studio's import. The size is read from the header and limited before decoding; what comes
out is always uint8 RGB [rows, columns, 3].
"""

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.picture_headers import DamagedPictureError, PictureSize, check_whole, picture_size
from engine.media.sniff import PICTURE_CONTAINERS, require_file, sniff
from engine.media.whole_files import whole_file

MAX_SIDE_PX: Final = 4096
_MAX_FILE_BYTES: Final = 96 * 2**20
_BACKDROP: Final = 255  # what shows through a transparent picture: white


def read_picture(path: Path, size_px: int | None = None) -> NDArray[np.uint8]:
    """A picture as uint8 RGB [H, W, 3]; with `size_px` its middle square, scaled to that side.

    `BadInputError`, one line naming file and mend: no such file, not a picture, damaged, larger than 4096 x 4096.
    """
    content, _ = _checked_content(path)
    picture_HWC = _decode(path, content)
    return picture_HWC if size_px is None else square_crop(picture_HWC, size_px)


def read_picture_size(path: Path) -> PictureSize:
    """The size of a picture from its header; the same limits and errors as `read_picture`, without decoding."""
    return _checked_content(path)[1]


def square_crop(picture_HWC: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """The largest square from the middle, scaled to `size_px`."""
    side = min(picture_HWC.shape[:2])
    top, left = (picture_HWC.shape[0] - side) // 2, (picture_HWC.shape[1] - side) // 2
    square_HWC = picture_HWC[top : top + side, left : left + side]
    if side == size_px:
        return np.ascontiguousarray(square_HWC)
    interpolation = cv2.INTER_AREA if side > size_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square_HWC, (size_px, size_px), interpolation=interpolation), dtype=np.uint8)


def write_picture(path: Path, picture_HWC: NDArray[np.uint8]) -> None:
    """Write uint8 RGB [H, W, 3] as PNG, whole or not at all."""
    if picture_HWC.dtype != np.uint8 or picture_HWC.ndim != 3 or picture_HWC.shape[2] != 3:
        raise ValueError(f"a picture must be uint8 [rows, columns, 3], not {picture_HWC.dtype} {picture_HWC.shape}")
    done, content = cv2.imencode(".png", picture_HWC[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert done, "OpenCV always has a PNG encoder"
    with whole_file(path) as temporary:
        temporary.write_bytes(content.tobytes())


def _checked_content(path: Path) -> tuple[bytes, PictureSize]:
    require_file(path, _MAX_FILE_BYTES)
    container = sniff(path, PICTURE_CONTAINERS, "a picture")
    try:
        content = path.read_bytes()
        size = picture_size(content, container)
        if max(size.width_px, size.height_px) > MAX_SIDE_PX:
            raise BadInputError(
                f"{path}: the picture is {size.width_px} x {size.height_px}; at most {MAX_SIDE_PX} x {MAX_SIDE_PX}, "
                "so make it smaller first"
            )
        check_whole(content, container)
    except DamagedPictureError as error:
        raise BadInputError(f"{path}: the picture is damaged ({error}); export it again") from None
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror or error})") from None
    return content, size


def _decode(path: Path, content: bytes) -> NDArray[np.uint8]:
    data = np.frombuffer(content, np.uint8)
    try:
        raw = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if raw is not None and (raw.ndim == 2 or raw.shape[2] != 4):
            raw = cv2.imdecode(data, cv2.IMREAD_COLOR)  # follows the camera's rotation and gives eight bits
    except cv2.error as error:
        raise BadInputError(f"{path}: the picture cannot be decoded ({error.err}); export it again") from None
    if raw is None:
        raise BadInputError(f"{path}: the picture cannot be decoded; export it again")
    if raw.shape[2] == 4:
        raw = _over_backdrop(raw)
    return np.ascontiguousarray(raw[:, :, ::-1])


def _over_backdrop(raw: NDArray[np.integer[Any] | np.floating[Any]]) -> NDArray[np.uint8]:
    scale = 65535.0 if raw.dtype == np.uint16 else 255.0
    alpha_HW1 = raw[:, :, 3:].astype(np.float32) / scale
    colour_HWC = raw[:, :, :3].astype(np.float32) * (255.0 / scale)
    return np.asarray(np.rint(colour_HWC * alpha_HW1 + _BACKDROP * (1.0 - alpha_HW1)), dtype=np.uint8)
