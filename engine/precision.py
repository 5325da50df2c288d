"""Which number format is fast on a device, and the context that computes in it.

Called by whoever runs a model. bfloat16 pays on NVIDIA cards that have units for it (from compute capability 8.0 on), on processors with
AMX, and on others with AVX-512 BF16 (AMD's). Intel's have that too, but multiply no more numbers with it than with float32's, and the
rounding comes on top: without AMX (many virtual machines hide it) a live session costs them half as much again in bfloat16. Other devices
compute in float32, and any does where the environment says LPM_NUMBER_FORMAT=float32. Never set by a model itself.
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch

from engine.processor import is_intel, processor_facts

FORMAT_VARIABLE: Final = "LPM_NUMBER_FORMAT"


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 beat float32 on this device, and nobody asked for float32."""
    if os.environ.get(FORMAT_VARIABLE) == "float32":
        return False
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and multiplies_bfloat16_faster(processor_facts())


def multiplies_bfloat16_faster(processor: Mapping[str, object]) -> bool:
    """Whether a processor of these capabilities, as `processor_facts` tells them, has units that beat float32's."""
    return bool(processor.get("amx_bf16")) or (bool(processor.get("avx512_bf16")) and not is_intel(processor))


def fast_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Autocast to bfloat16 where that is fast, nothing elsewhere."""
    if has_fast_bfloat16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def number_format(device: torch.device) -> str:
    """The format that `fast_autocast` computes in, such as `cpu bfloat16`: another one gives slightly other results."""
    return f"{device.type} {'bfloat16' if has_fast_bfloat16(device) else 'float32'}"
