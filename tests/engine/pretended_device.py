"""A device that is not there, pretended on a processor, so that the way through the engine can be held to one without having it.

Tensors on it say that they are, and hold their numbers on the processor, so results are real. As on the real thing, an operation on
tensors of two devices raises, numbers leave it by an explicit copy only, and mps knows no float64. Each time the program waits for a
number of the device (`.item()`, `bool(...)`) is counted. Modules have to be frozen and gradients off. What it cannot tell is whether
the device's own kernels take these shapes and formats.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
READS = (Tensor.item, Tensor.__bool__, Tensor.__int__, Tensor.__float__, Tensor.__index__, Tensor.tolist)
ENTERING = (functional.scaled_dot_product_attention, Tensor.__getitem__, Tensor.__setitem__, Tensor.contiguous)
"""What enters the device in torch's own bindings, before any operation could be taken over."""
MAKERS_FROM_NUMBERS = (torch.tensor, torch.as_tensor)


class Elsewhere(Tensor):
    """A tensor of a pretended device."""

    device_of_class: ClassVar[torch.device]

    @staticmethod
    def __new__(cls, held: Tensor) -> "Elsewhere":
        if cls.device_of_class.type == "mps" and held.dtype in (torch.float64, torch.complex128):
            raise TypeError("mps has no float64")
        made: Elsewhere = Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=cls.device_of_class,
        )  # fmt: skip
        made.held = held
        return made

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    def __deepcopy__(self, memo: object) -> "Elsewhere":
        return type(self)(self.held.clone())

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(cls, func, args, kwargs or {})


def _held(value: Any) -> Any:
    return value.held if isinstance(value, Elsewhere) else value


def _computed(kind: type[Elsewhere], func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The operation on the numbers themselves; its results are where torch would put them."""
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    elsewhere = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    strays = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.ndim]
    if elsewhere and strays and func not in COPIES:
        raise RuntimeError(
            f"{func}: expected all tensors on {kind.device_of_class}, one of {tuple(strays[0].shape)} is on cpu"
        )
    wanted = kwargs.get("device")
    if wanted is not None and torch.device(wanted).type == "meta":
        return func(*args, **kwargs)
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    result = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if func is torch.ops.aten.copy_.default:
        return args[0]
    if not elsewhere if wanted is None else torch.device(wanted).type == "cpu":
        return result
    given = {id(tensor.held): tensor for tensor in elsewhere}
    return tree_map(lambda value: given.get(id(value), kind(value)) if isinstance(value, Tensor) else value, result)


class _Operations(TorchDispatchMode):
    """Makes new tensors there that are asked for there."""

    def __init__(self, kind: type[Elsewhere]) -> None:
        super().__init__()
        self.kind = kind

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(self.kind, func, args, kwargs or {})


class _Calls(TorchFunctionMode):
    """What torch decides before it asks for operations: fused attention, tensors of numbers, and numbers that are read."""

    def __init__(self, kind: type[Elsewhere], waits: Counter[str]) -> None:
        super().__init__()
        self.kind, self.waits = kind, waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in MAKERS_FROM_NUMBERS and torch.device(kwargs.get("device") or "cpu").type != "cpu":
            return func(*args, **{**kwargs, "device": "cpu"}).to(self.kind.device_of_class)
        if func is Tensor.copy_ and isinstance(args[0], Elsewhere):
            args[0].held.copy_(_held(args[1]))
            return args[0]
        if func in ENTERING and any(isinstance(value, Elsewhere) for value in args):
            with sdpa_kernel(SDPBackend.MATH):
                return _computed(self.kind, func, args, kwargs)
        if (func in READS or func is torch.equal) and isinstance(args[0], Elsewhere):
            self.waits[func.__name__] += 1
            return func(*tree_map(_held, args), **kwargs)
        return func(*args, **kwargs)


@contextmanager
def pretended(name: str, monkeypatch: pytest.MonkeyPatch, memory_bytes: int = 2**34) -> Iterator[Counter[str]]:
    """While it lasts there is cuda:0 or mps:0, with so much memory; counts how often its numbers were waited for, by call."""
    device = torch.device(name)
    kind = type("Elsewhere", (Elsewhere,), {"device_of_class": device})
    waits: Counter[str] = Counter()
    stream = SimpleNamespace(synchronize=lambda: None)
    here: dict[Any, dict[str, Callable[..., Any]]] = {
        torch.cuda: {
            "_lazy_init": lambda: None,
            "is_available": lambda: device.type == "cuda",
            "device_count": lambda: int(device.type == "cuda"),
            "current_device": lambda: 0,
            "current_stream": lambda _: stream,
            "get_device_capability": lambda _=None: (8, 9),
            "get_device_name": lambda _=None: "Pretended",
            "get_device_properties": lambda _=None: SimpleNamespace(total_memory=memory_bytes, name="Pretended"),
            "is_bf16_supported": lambda *_, **__: True,
        },
        torch.backends.mps: {"is_available": lambda: device.type == "mps"},
        torch.mps: {"synchronize": lambda: None},
    }
    was_overwriting = torch.__future__.get_overwrite_module_params_on_conversion()
    with monkeypatch.context() as patch:
        for module, functions in here.items():
            for function, instead in functions.items():
                patch.setattr(module, function, instead)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            with torch.no_grad(), _Operations(kind), _Calls(kind, waits):
                yield waits
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(was_overwriting)
