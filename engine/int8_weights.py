"""Weights stored as int8 with a scale for each block of an output channel: half of bfloat16's bytes, and computed with as float32 again.

    scale[o, b] = max |w[o, b, :]| / 127,    q[o, b, i] = round(w[o, b, i] / scale[o, b]),    w ~ scale q

`b` counts blocks of 64 along an output channel's weights in their order, the last one shorter. Called by `engine.packs` where files are
written and read. Vectors and small tensors stay as they are: they are few and matter most.
"""

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

SCALE_SUFFIX: Final = "__scale"
BLOCK: Final = 64
_LEAST_NUMBERS: Final = 1024
_LARGEST: Final = 127


def packed(tensors: Mapping[str, Tensor], kept: torch.dtype = torch.bfloat16) -> dict[str, Tensor]:
    """Large matrices and kernels as int8 beside their scales [O, blocks]; other floats as `kept`. `ValueError` for what is not finite."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            found[name] = tensor
        elif tensor.ndim < 2 or tensor.numel() < _LEAST_NUMBERS:
            found[name] = tensor.to(kept)
        else:
            found[name], found[name + SCALE_SUFFIX] = _rounded(name, tensor.detach().float())
    return found


def unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All floats as float32; `ValueError` where a scale and its weights do not fit each other."""
    found = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE_SUFFIX):
            if name.removesuffix(SCALE_SUFFIX) not in tensors:
                raise ValueError(f"{name} scales nothing")
            continue
        scale_OB = tensors.get(name + SCALE_SUFFIX)
        if scale_OB is None:
            found[name] = tensor.float()
            continue
        fits = tensor.dtype == torch.int8 and tensor.ndim > 1 and scale_OB.shape == _scales_shape(tensor)
        if not fits or not scale_OB.isfinite().all():
            raise ValueError(f"{name} and its scales do not fit each other")
        found[name] = tensor.float() * _spread(scale_OB.float(), tensor)
    return found


def error_db(tensors: Mapping[str, Tensor], as_stored: Mapping[str, Tensor]) -> float:
    """What storing changed: the error's power against the weights', in dB below them; infinite where nothing did."""
    floats = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
    error = sum(float((tensors[name].float() - as_stored[name].float()).square().sum()) for name in floats)
    power = sum(float(tensors[name].float().square().sum()) for name in floats)
    return 10 * math.log10(power / error) if error else math.inf


def _rounded(name: str, tensor: Tensor) -> tuple[Tensor, Tensor]:
    if not tensor.isfinite().all():
        raise ValueError(f"{name} holds numbers that are not finite")
    rows_OI = tensor.flatten(1)
    blocks_OBI = functional.pad(rows_OI, (0, -rows_OI.shape[1] % BLOCK)).reshape(len(rows_OI), -1, BLOCK)
    scale_OB = (blocks_OBI.abs().amax(dim=2) / _LARGEST).to(torch.bfloat16)
    scale_OB = scale_OB.clamp_min(torch.finfo(torch.bfloat16).tiny)
    rounded = (tensor / _spread(scale_OB.float(), tensor)).round().clamp(-_LARGEST, _LARGEST)
    return rounded.to(torch.int8), scale_OB


def _scales_shape(tensor: Tensor) -> tuple[int, int]:
    return tensor.shape[0], -(-tensor[0].numel() // BLOCK)


def _spread(scale_OB: Tensor, like: Tensor) -> Tensor:
    """Each block's scale at each of its weights."""
    spread_OI = scale_OB.repeat_interleave(BLOCK, dim=1)[:, : like[0].numel()]
    return spread_OI.reshape(like.shape)
