"""Weights stored as int8 with a scale for each output channel: half of bfloat16's bytes, and computed with as float32 again.

    scale[o] = max |w[o]| / 127,    q[o] = round(w[o] / scale[o]),    w[o] ~ scale[o] * q[o]

Called by `engine.packs` where files are written and read. Vectors and small tensors stay as they are: they are few and matter most.
"""

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

SCALE_SUFFIX: Final = "__scale"
_LEAST_NUMBERS: Final = 1024
_LARGEST: Final = 127


def packed(tensors: Mapping[str, Tensor], kept: torch.dtype = torch.bfloat16) -> dict[str, Tensor]:
    """Large matrices and kernels as int8 beside their scales [O]; other floats as `kept`. `ValueError` for what is not finite."""
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
        scale_O = tensors.get(name + SCALE_SUFFIX)
        if scale_O is None:
            found[name] = tensor.float()
            continue
        if tensor.dtype != torch.int8 or scale_O.shape != tensor.shape[:1] or not scale_O.isfinite().all():
            raise ValueError(f"{name} and its scales do not fit each other")
        found[name] = tensor.float() * _along_first(scale_O.float(), tensor.ndim)
    return found


def error_db(tensors: Mapping[str, Tensor]) -> float:
    """What storing these as int8 changes: the error's power against the weights', in dB below them; infinite where nothing changes."""
    as_stored = unpacked(packed(tensors, kept=torch.float32))
    floats = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
    error = sum(float((tensors[name].float() - as_stored[name]).square().sum()) for name in floats)
    power = sum(float(tensors[name].float().square().sum()) for name in floats)
    return 10 * math.log10(power / error) if error else math.inf


def _rounded(name: str, tensor: Tensor) -> tuple[Tensor, Tensor]:
    if not tensor.isfinite().all():
        raise ValueError(f"{name} holds numbers that are not finite")
    scale_O = (tensor.flatten(1).abs().amax(dim=1) / _LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
    rounded = (tensor / _along_first(scale_O, tensor.ndim)).round().clamp(-_LARGEST, _LARGEST)
    return rounded.to(torch.int8), scale_O


def _along_first(scale_O: Tensor, ndim: int) -> Tensor:
    return scale_O.reshape(-1, *[1] * (ndim - 1))
