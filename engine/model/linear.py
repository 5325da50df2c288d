"""Linear layers of the transformer; in float32 on a processor with AVX-512 they go through oneDNN.

Called by the parts of a block. It must not know what its rows mean.

Torch gives float32 products to MKL, which keeps to AVX2 on processors that are not Intel's. oneDNN's take AVX-512 wherever it is:
about twice as fast there (512 to 512, 2048 and back, 1536 rows), and its sums differ from MKL's by rounding alone. Gradients and
autocast stay with torch: what is trained is trained in bfloat16, which torch gives to oneDNN itself.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

HAS_WIDE_ONEDNN: Final = (
    torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    and "AVX512" in torch.backends.cpu.get_cpu_capability()
)
"""Whether torch came with oneDNN and this processor has AVX-512."""


class Linear(nn.Linear):
    """`nn.Linear` with the same weights under the same names."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        if not _is_for_onednn(input, self.weight):
            return super().forward(input)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")
        return out


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


if HAS_WIDE_ONEDNN:
    register_flop_formula(torch.ops.mkldnn._linear_pointwise)(_flops)
