"""Linear layers of the transformer: under autocast frozen weights are rounded once; float32 with AVX-512 goes through oneDNN.

Called by the parts of a block. It must not know what its rows mean.

Autocast rounds the weights of frozen layers anew at every call, since it keeps only those of layers that are trained. Where there are few
rows, as in a plan of motion, that is as much work as the product itself, so a frozen layer keeps its rounded weights beside its own; no
bit of a result differs.

Torch gives float32 products to MKL, which keeps to AVX2 on processors that are not Intel's. oneDNN's take AVX-512 wherever it is:
about twice as fast there (512 to 512, 2048 and back, 1536 rows), and its sums differ from MKL's by rounding alone. On Intel's own MKL is
as fast with many rows and twice as fast with a dozen. Gradients and autocast stay with torch: what is trained is trained in bfloat16,
which torch gives to oneDNN itself.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

from engine.processor import is_intel, processor_facts

HAS_WIDE_ONEDNN: Final = (
    torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and "AVX512" in torch.backends.cpu.get_cpu_capability()
    and not is_intel(processor_facts())
)
"""Whether torch came with oneDNN, and this processor has AVX-512 that MKL does not use."""


@dataclass(frozen=True, kw_only=True)
class RoundedWeights:
    """Weights in the precision of autocast, and what they were rounded from."""

    origin: tuple[int, int, torch.dtype]
    weight: Tensor
    bias: Tensor | None


class Linear(nn.Linear):
    """`nn.Linear` with the same weights under the same names."""

    _rounded: RoundedWeights | None = None

    def forward(self, input: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        if _is_for_rounding(input, self.weight):
            rounded = self._rounded_weights(torch.get_autocast_dtype("cpu"))
            return functional.linear(input, rounded.weight, rounded.bias)
        if not _is_for_onednn(input, self.weight):
            return super().forward(input)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")
        return out

    def _rounded_weights(self, dtype: torch.dtype) -> RoundedWeights:
        origin = (self.weight.data_ptr(), self.weight._version, dtype)
        rounded = self._rounded
        if rounded is None or rounded.origin != origin:  # at first, and after other weights were loaded
            bias = None if self.bias is None else self.bias.detach().to(dtype)
            rounded = RoundedWeights(origin=origin, weight=self.weight.detach().to(dtype), bias=bias)
            self._rounded = rounded
        return rounded


def _is_for_rounding(x: Tensor, weight: Tensor) -> bool:
    """Whether autocast would round weights that nobody changes; on GPUs it costs next to nothing and memory is dearer."""
    return (
        not weight.requires_grad
        and weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and not weight.is_inference()
    )


def _is_for_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        HAS_WIDE_ONEDNN
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.numel() > 0
        and not torch.is_autocast_enabled("cpu")
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
    )


def _flops(x_shape: torch.Size, weight_shape: torch.Size, *_: object, **__: object) -> int:
    """Two for each weight and row."""
    return 2 * math.prod(x_shape[:-1]) * math.prod(weight_shape)


if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
    register_flop_formula(torch.ops.mkldnn._linear_pointwise)(_flops)
