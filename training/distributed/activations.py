"""What the forward pass keeps for the backward pass: operator-level selective checkpointing, with offload (paper 5.1).

Under `cheap` a block keeps what its products of matrices, attention kernels and collectives gave, and computes norms, modulation,
activations and rotations again. A share of what is kept can wait in the host's memory: it leaves on a stream of its own while the
forward pass goes on, and comes back one tensor ahead of the backward pass. The gradients are bit for bit those of plain autograd.
"""

from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.checkpoint import checkpoint

COSTLY_NAMES: Final = frozenset(
    {
        "aten::mm",
        "aten::addmm",
        "aten::bmm",
        "aten::baddbmm",
        "aten::_scaled_dot_product_flash_attention",
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "aten::_scaled_dot_product_efficient_attention",
        "aten::_scaled_dot_product_cudnn_attention",
        "_c10d_functional::all_to_all_single",
        "_c10d_functional::wait_tensor",
        "_c10d_functional_autograd::all_to_all_single",
    }
)


def recompute_cheap(block: nn.Module, offload_share: float) -> None:
    """`block` keeps the results of its costly operators only, `offload_share` of them in the host's memory."""
    contexts = partial(_keep_and_replay, offload_share)
    block.forward = partial(
        checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
    )


def recompute_all(block: nn.Module) -> None:
    """`block` keeps its inputs only."""
    block.forward = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)


def _keep_and_replay(offload_share: float) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    tape = _Tape(offload_share=offload_share)
    return _Keep(tape), _Replay(tape)


def _is_costly(func: Any) -> bool:
    # Variants that write into a given tensor return nothing that could be kept.
    return func._schema.name in COSTLY_NAMES and "out" not in func._schema.overload_name


class _Keep(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The forward pass: every costly result onto the tape."""

    def __init__(self, tape: "_Tape") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tape = tape

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if _is_costly(func):
            self.tape.put(result)
        return result


class _Replay(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The second forward pass, within the backward pass: costly results from the tape."""

    def __init__(self, tape: "_Tape") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tape = tape

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.tape.take() if _is_costly(func) else func(*args, **(kwargs or {}))


@dataclass
class _Tape:
    """Results in the order in which they were computed, which is the order in which they are needed again."""

    offload_share: float
    results: deque[Any] = field(default_factory=deque)
    _owed: float = 0.0

    def put(self, result: Any) -> None:
        """Keep one operator's result, a tensor or several; shares are met evenly over the tape."""
        self._owed += self.offload_share
        goes = self._owed >= 1.0 - 1e-9
        self._owed -= goes
        self.results.append(tree_map(_leave if goes else _stay, result))

    def take(self) -> Any:
        """The next result, where it was computed; the one after it sets out."""
        result = tree_map(_arrive, self.results.popleft())
        if self.results:
            self.results[0] = tree_map(_set_out, self.results[0])
        return result


def _stay(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


@dataclass
class _Away:
    """A tensor in the host's memory, or on its way there or back."""

    host: Tensor
    device: torch.device
    done: torch.cuda.Event | None
    back: Tensor | None = None


def _leave(value: Any) -> Any:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return _stay(value)
    if value.device.type != "cuda":
        return _Away(host=value.detach().clone(), device=value.device, done=None)
    stream = _copy_stream(value.device)
    stream.wait_stream(torch.cuda.current_stream(value.device))
    host = torch.empty_like(value, device="cpu", pin_memory=True)
    with torch.cuda.stream(stream):
        host.copy_(value.detach(), non_blocking=True)
        done = stream.record_event()
    value.record_stream(stream)
    return _Away(host=host, device=value.device, done=done)


def _set_out(value: Any) -> Any:
    if isinstance(value, _Away) and value.done is not None and value.back is None:
        stream = _copy_stream(value.device)
        with torch.cuda.stream(stream):
            value.back = value.host.to(value.device, non_blocking=True)
            value.done = stream.record_event()
    return value


def _arrive(value: Any) -> Any:
    if not isinstance(value, _Away):
        return value
    if value.done is None:
        return value.host
    _set_out(value)
    assert value.back is not None
    current = torch.cuda.current_stream(value.device)
    current.wait_event(value.done)
    value.back.record_stream(current)
    return value.back


_COPY_STREAMS: dict[torch.device, torch.cuda.Stream] = {}


def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    """The one side stream of a device on which tensors leave and come back."""
    if device not in _COPY_STREAMS:
        _COPY_STREAMS[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return _COPY_STREAMS[device]
