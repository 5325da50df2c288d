"""Pictures at other sizes. Called by what poses and retouches.

Half and double, over and over, are written out, because films are shown larger than they are decoded and pay for it in every frame: on a
processor they take a seventh of what pooling and interpolating from the library take.
"""

import torch
from torch import Tensor
from torch.nn import functional

NEARER = 0.25  # a doubled pixel lies a quarter of the way from the middle of its own to that of its neighbour


def size_of(picture_BCHW: Tensor) -> tuple[int, int]:
    """Height and width of pictures."""
    height, width = picture_BCHW.shape[-2:]
    return height, width


def smoothly_resized(pictures_NCHW: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Pictures of any such height and width: each pixel means over all it covers. In float32, as processors know this only there."""
    resized_NCHW = functional.interpolate(pictures_NCHW.float(), size_px, mode="bilinear", antialias=True)
    return resized_NCHW.to(pictures_NCHW)


def shrunk(pictures_NCHW: Tensor, times: int) -> Tensor:
    """Pictures at so many times less of their size, a power of two: means over squares."""
    while times > 1:
        rows_NCHW = pictures_NCHW[..., 0::2, :] + pictures_NCHW[..., 1::2, :]
        pictures_NCHW = (rows_NCHW[..., 0::2] + rows_NCHW[..., 1::2]).mul_(0.25)
        times //= 2
    return pictures_NCHW


def enlarged(pictures_NCHW: Tensor, times: int) -> Tensor:
    """Pictures so many times as large, a power of two: each doubling bilinear, the outermost pixels going on beyond their middles."""
    while times > 1:
        pictures_NCHW = _doubled(_doubled(pictures_NCHW, 3), 2)
        times //= 2
    return pictures_NCHW


def _doubled(pictures_NCHW: Tensor, axis: int) -> Tensor:
    """Twice as long along one axis."""
    length, shape = pictures_NCHW.shape[axis], list(pictures_NCHW.shape)
    doubled = pictures_NCHW.new_empty([*shape[:axis], length, 2, *shape[axis + 1 :]])
    parts = doubled.unbind(axis + 1)
    first, last = pictures_NCHW.narrow(axis, 0, length - 1), pictures_NCHW.narrow(axis, 1, length - 1)
    for part, own, other, start, edge in ((parts[0], last, first, 1, 0), (parts[1], first, last, 0, length - 1)):
        torch.lerp(own, other, NEARER, out=part.narrow(axis, start, length - 1))
        part.select(axis, edge).copy_(pictures_NCHW.select(axis, edge))
    return doubled.flatten(axis, axis + 1)
