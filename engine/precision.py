"""Which number format is fast on a device, and the context that computes in it.

Called by whoever runs a model. bfloat16 pays on NVIDIA cards that have units for it (from compute capability 8.0 on) and on processors
with bf16 instructions (AMX, or AVX-512 BF16); other devices compute in float32, and any does where the environment says
LPM_NUMBER_FORMAT=float32. Never set by a model itself.
"""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import torch

FORMAT_VARIABLE: Final = "LPM_NUMBER_FORMAT"


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 beat float32 on this device, and nobody asked for float32."""
    if os.environ.get(FORMAT_VARIABLE) == "float32":
        return False
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    capabilities = torch.backends.cpu.get_cpu_capability()
    if "AVX512" not in capabilities and "AMX" not in capabilities:
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fast_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Autocast to bfloat16 where that is fast, nothing elsewhere."""
    if has_fast_bfloat16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def number_format(device: torch.device) -> str:
    """The format that `fast_autocast` computes in, such as `cpu bfloat16`: another one gives slightly other results."""
    return f"{device.type} {'bfloat16' if has_fast_bfloat16(device) else 'float32'}"
