"""The only door to attention kernels.

Called by self- and cross-attention. It must not know positions, modulation or what the tokens are.

`attend` picks the kernel that is fastest for the task among those that are here; `chosen` says which, `using` tells it, `report`
lists all with what keeps each from being used. On GPUs of compute capability 9 cuDNN comes before the package flash-attn (whose second
version does not use what is new there), before that after it; torch's own come last.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.model.attention.kernels import HALF, KERNELS, Kernel, Task, flash_package_packed

_told: ContextVar[str | None] = ContextVar("attention kernel", default=None)


@dataclass(frozen=True, kw_only=True)
class KernelReport:
    """One kernel: whether it can do the task, why not, and whether it is the one that would be used."""

    name: str
    refusal: str | None
    is_chosen: bool


def attend(q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None = None) -> Tensor:
    """Softmax attention of each query to all keys, or to the keys where `allowed_BS` is True (at least one each)."""
    task = Task.of(q_BLNK, k_BSNK, v_BSNK, allowed_BS)
    return _choose(task).compute(q_BLNK, k_BSNK, v_BSNK, allowed_BS)


def attend_packed(
    q_XNK: Tensor, k_XNK: Tensor, v_XNK: Tensor, query_lengths: Sequence[int], key_lengths: Sequence[int]
) -> Tensor:
    """Samples of different lengths, one behind the other without padding: sample i's queries attend to sample i's keys.

    `ValueError` where the lengths do not add up.
    """
    if len(query_lengths) != len(key_lengths) or min(key_lengths, default=1) < 1:
        raise ValueError(
            f"packed samples need at least one key each, not {list(key_lengths)} for {list(query_lengths)}"
        )
    if sum(query_lengths) != q_XNK.shape[0] or sum(key_lengths) != k_XNK.shape[0]:
        raise ValueError(
            f"lengths {list(query_lengths)} and {list(key_lengths)} do not add up to {q_XNK.shape[0]} queries and "
            f"{k_XNK.shape[0]} keys"
        )
    task = Task.of(q_XNK[None], k_XNK[None], v_XNK[None], None)
    if _choose(task).name == "flash-attn":
        query_starts, key_starts = (
            torch.tensor([0, *lengths], dtype=torch.int32, device=q_XNK.device).cumsum(0, dtype=torch.int32)
            for lengths in (query_lengths, key_lengths)
        )
        longest = (max(query_lengths), max(key_lengths))
        return flash_package_packed(q_XNK, k_XNK, v_XNK, query_starts, key_starts, longest)
    q_parts = torch.split(q_XNK, list(query_lengths))
    k_parts, v_parts = (torch.split(x, list(key_lengths)) for x in (k_XNK, v_XNK))
    return torch.cat([attend(q[None], k[None], v[None])[0] for q, k, v in zip(q_parts, k_parts, v_parts)])


def chosen(q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None = None) -> str:
    """The name of the kernel that `attend` would use for these tensors."""
    return _choose(Task.of(q_BLNK, k_BSNK, v_BSNK, allowed_BS)).name


def report(task: Task) -> list[KernelReport]:
    """Every kernel there is, with what keeps it from this task."""
    name = _choose(task).name
    return [
        KernelReport(name=kernel.name, refusal=kernel.refusal(task), is_chosen=kernel.name == name)
        for kernel in KERNELS.values()
    ]


@contextmanager
def using(name: str) -> Iterator[None]:
    """Inside the block `attend` uses this kernel and no other; `ValueError` where it is not known, or cannot do what is asked."""
    if name not in KERNELS:
        raise ValueError(f"there is no attention kernel {name!r}; known: {', '.join(KERNELS)}")
    token = _told.set(name)
    try:
        yield
    finally:
        _told.reset(token)


def _choose(task: Task) -> Kernel:
    told = _told.get()
    if told is not None:
        if refusal := KERNELS[told].refusal(task):
            raise ValueError(f"attention kernel {told!r} {refusal}")
        return KERNELS[told]
    return next(KERNELS[name] for name in _preference(task) if KERNELS[name].refusal(task) is None)


def _preference(task: Task) -> tuple[str, ...]:
    """Kernels from the fastest on: measured on processors, as published for graphics cards, where it has not been tried yet."""
    if task.device.type == "cpu":
        is_explicit_faster = task.needs_gradients or task.dtype in HALF
        return ("explicit", "flash", "math") if is_explicit_faster else ("flash", "math")
    if task.device.type == "cuda" and torch.cuda.get_device_capability(task.device) >= (9, 0):
        return ("cudnn", "flash-attn", "flash", "efficient", "math")
    return ("flash-attn", "cudnn", "flash", "efficient", "math")
