"""Every way to compute attention that the door knows: what it needs, and how it is called.

All take queries [B, L, N, K], keys and values [B, S, N, K] and optionally `allowed_BS` (keys that a sample has), and all compute the
same: a test holds each to `math`, the plain one. FlashAttention cannot mask, so absent keys are packed away instead.
"""

import functools
import importlib.util
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine.model.attention.explicit import explicit_attention

LARGEST_EXPLICIT_SCORES = 2**23
"""Scores of one sample beyond which keeping them for the backward pass costs more memory than it saves time."""

HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is asked for: sizes, format, place, and whether keys are masked and gradients wanted."""

    queries: int
    keys: int
    heads: int
    width: int
    dtype: torch.dtype
    device: torch.device
    is_masked: bool
    needs_gradients: bool

    @classmethod
    def of(cls, q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None) -> "Task":
        """The task that these tensors are."""
        return cls(
            queries=q_BLNK.shape[1],
            keys=k_BSNK.shape[1],
            heads=q_BLNK.shape[2],
            width=q_BLNK.shape[3],
            dtype=q_BLNK.dtype,
            device=q_BLNK.device,
            is_masked=allowed_BS is not None,
            needs_gradients=torch.is_grad_enabled() and any(x.requires_grad for x in (q_BLNK, k_BSNK, v_BSNK)),
        )


_CHOOSING: Final = threading.Lock()
"""Torch keeps the choice of a kernel for the whole process, not for a thread. Two that chose at once would restore each other's choice
and leave it for good; and MATH is always allowed beside the one chosen, for what other threads compute meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One way to compute attention. `refusal` says why it cannot do a task, or None where it can."""

    name: str
    refusal: Callable[[Task], str | None]
    compute: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


def _by_head(attention: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]) -> Callable[..., Tensor]:
    """A kernel that wants heads before tokens."""

    def compute(q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None) -> Tensor:
        q, k, v = (rearrange(x, "b l n k -> b n l k") for x in (q_BLNK, k_BSNK, v_BSNK))
        return rearrange(attention(q, k, v, allowed_BS), "b n l k -> b l n k")

    return compute


def _sdpa(backend: SDPBackend) -> Callable[..., Tensor]:
    def attention(q_BNLK: Tensor, k_BNSK: Tensor, v_BNSK: Tensor, allowed_BS: Tensor | None) -> Tensor:
        mask = None if allowed_BS is None else rearrange(allowed_BS, "b s -> b 1 1 s")
        if backend is SDPBackend.FLASH_ATTENTION and q_BNLK.device.type == "cpu":  # torch's own choice there
            return F.scaled_dot_product_attention(q_BNLK, k_BNSK, v_BNSK, attn_mask=mask)
        with _CHOOSING, sdpa_kernel([backend, SDPBackend.MATH], set_priority=True):
            return F.scaled_dot_product_attention(q_BNLK, k_BNSK, v_BNSK, attn_mask=mask)

    return _by_head(attention)


def _flex(q_BNLK: Tensor, k_BNSK: Tensor, v_BNSK: Tensor, allowed_BS: Tensor | None) -> Tensor:
    from torch.nn.attention.flex_attention import create_block_mask

    blocks = None
    if allowed_BS is not None:
        batch, queries, keys = q_BNLK.shape[0], q_BNLK.shape[2], k_BNSK.shape[2]
        blocks = create_block_mask(
            lambda b, n, i, j: allowed_BS[b, j], batch, None, queries, keys, device=str(q_BNLK.device)
        )
    attention = _flex_attention(is_compiled=q_BNLK.device.type == "cuda")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="flex_attention called without torch.compile")
        return attention(q_BNLK, k_BNSK, v_BNSK, block_mask=blocks)


@functools.cache
def _flex_attention(is_compiled: bool) -> Callable[..., Tensor]:
    """Compiled where a compiler for the device is sure to be there; imported only when asked for, since that costs seconds."""
    from torch.nn.attention import flex_attention

    eager: Any = flex_attention.flex_attention
    return torch.compile(eager, dynamic=True) if is_compiled else eager


def _flash_package(q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None) -> Tensor:
    if allowed_BS is not None:
        return packed_over_allowed(flash_package_packed, q_BLNK, k_BSNK, v_BSNK, allowed_BS)
    from flash_attn import flash_attn_func

    out: Tensor = flash_attn_func(q_BLNK, k_BSNK, v_BSNK)
    return out


def flash_package_packed(
    q_XNK: Tensor, k_XNK: Tensor, v_XNK: Tensor, query_starts: Tensor, key_starts: Tensor, longest: tuple[int, int]
) -> Tensor:
    """Packed sequences through FlashAttention; sample i has rows `starts[i]:starts[i + 1]`."""
    from flash_attn import flash_attn_varlen_func

    out: Tensor = flash_attn_varlen_func(q_XNK, k_XNK, v_XNK, query_starts, key_starts, *longest)
    return out


def packed_over_allowed(
    attend_packed: Callable[..., Tensor], q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor
) -> Tensor:
    """A masked batch for a kernel without masks: the keys that are there stand one sample behind the other."""
    batch, queries = q_BLNK.shape[:2]
    counts_B = allowed_BS.sum(dim=1, dtype=torch.int32)
    key_starts = F.pad(counts_B.cumsum(0, dtype=torch.int32), (1, 0))
    query_starts = torch.arange(0, (batch + 1) * queries, queries, dtype=torch.int32, device=q_BLNK.device)
    longest = (queries, int(counts_B.max()))
    out_XNK = attend_packed(
        q_BLNK.flatten(0, 1), k_BSNK[allowed_BS], v_BSNK[allowed_BS], query_starts, key_starts, longest
    )
    return out_XNK.view(q_BLNK.shape)


def _needs_cuda(task: Task) -> str | None:
    return None if task.device.type == "cuda" else f"needs an NVIDIA GPU, this is {task.device.type}"


def _explicit_refusal(task: Task) -> str | None:
    if task.device.type != "cpu":
        return "is made for processors"
    if task.needs_gradients and task.heads * task.queries * task.keys > LARGEST_EXPLICIT_SCORES:
        return "would keep too many scores for the backward pass"
    return None


def _flash_refusal(task: Task) -> str | None:
    if task.device.type == "cuda" and (task.dtype not in HALF or task.is_masked):
        return "takes bfloat16 or float16 without a mask on a GPU"
    if task.device.type not in ("cuda", "cpu"):
        return f"is not there on {task.device.type}"
    return None


def _cudnn_refusal(task: Task) -> str | None:
    if refusal := _needs_cuda(task):
        return refusal
    if not torch.backends.cudnn.is_available():  # type: ignore[no-untyped-call]
        return "this torch has no cuDNN"
    if task.dtype not in HALF or task.width % 8 or task.width > 128:
        return "takes bfloat16 or float16 with heads of at most 128, a multiple of 8"
    return None


def _flash_package_refusal(task: Task) -> str | None:
    if refusal := _needs_cuda(task):
        return refusal
    if importlib.util.find_spec("flash_attn") is None:
        return "the package flash-attn is not installed (pip install lpm-studio[gpu])"
    if torch.cuda.get_device_capability(task.device) < (8, 0):
        return "needs an NVIDIA GPU of compute capability 8.0 or newer"
    if task.dtype not in HALF or task.width % 8 or task.width > 256:
        return "takes bfloat16 or float16 with heads of at most 256, a multiple of 8"
    return None


def _flex_refusal(task: Task) -> str | None:
    if task.device.type == "cpu" and task.needs_gradients:
        return "has no backward pass on a CPU"
    if task.device.type not in ("cuda", "cpu"):
        return f"is not there on {task.device.type}"
    if task.device.type == "cuda" and importlib.util.find_spec("triton") is None:
        return "needs the package triton on a GPU"
    return None


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel(name="explicit", refusal=_explicit_refusal, compute=_by_head(explicit_attention)),
        Kernel(name="flash-attn", refusal=_flash_package_refusal, compute=_flash_package),
        Kernel(name="cudnn", refusal=_cudnn_refusal, compute=_sdpa(SDPBackend.CUDNN_ATTENTION)),
        Kernel(name="flash", refusal=_flash_refusal, compute=_sdpa(SDPBackend.FLASH_ATTENTION)),
        Kernel(name="efficient", refusal=_needs_cuda, compute=_sdpa(SDPBackend.EFFICIENT_ATTENTION)),
        Kernel(name="flex", refusal=_flex_refusal, compute=_by_head(_flex)),
        Kernel(name="math", refusal=lambda task: None, compute=_sdpa(SDPBackend.MATH)),
    )
}
"""By name; `math` is the plain one, which does everything everywhere."""
