"""Pictures of the project as Qt images. Called by models and views; the decoding, with its checks, is the project's own."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from engine.errors import LpmError
from studio.project.blobs import PictureFormat, decode_picture


def image_of(content: bytes | None, picture_format: PictureFormat) -> QImage:
    """A picture from its bytes; an empty image where there are none or they are damaged."""
    if content is None:
        return QImage()
    try:
        return image_from_array(decode_picture(content, picture_format))
    except LpmError:
        return QImage()


def image_from_array(picture_HWC: NDArray[np.uint8]) -> QImage:
    """A copy of RGB uint8 [H, W, 3]: Qt's image owns its pixels."""
    pixels = np.ascontiguousarray(picture_HWC)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
