"""RMSNorm over the whole width, with its backward pass written out.

Called by self- and cross-attention on queries and keys. It must not know heads.

Torch composes this norm from many elementwise passes when the weight is float32 and the input bfloat16, and their
automatic backward costs three times as much; written out, both passes stay in float32 between reading and writing.
Where no gradient is wanted the forward is called by itself: what stands around it costs as much as a small norm.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable


class RMSNorm(nn.Module):
    """`x / sqrt(mean(x^2) + eps) * weight`, computed in float32 or better, returned in the input's precision."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return rms_norm(x, self.weight, self.eps)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """See `RMSNorm`."""
    if not torch.is_grad_enabled():
        return _normed(x, weight, eps)[0]
    out: Tensor = _RmsNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return out


def at_least_float32(x: Tensor) -> Tensor:
    """The precision in which norms and modulations are computed."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _normed(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """What comes out, and the inverse root of the mean square; nothing here that autocast would round (a dot product, say)."""
    wide = at_least_float32(x)
    inverse_rms = wide.square().mean(dim=-1, keepdim=True).add_(eps).rsqrt_()
    normed: Tensor = (wide * inverse_rms).mul_(weight)
    return normed.to(x.dtype), inverse_rms


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        normed, inverse_rms = _normed(x, weight, eps)
        ctx.save_for_backward(x, weight, inverse_rms)
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, out_grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse_rms = ctx.saved_tensors  # type: ignore[attr-defined]
        wide_grad = at_least_float32(out_grad)
        normed = at_least_float32(x) * inverse_rms
        product = (wide_grad * normed).flatten(0, -2)
        mean = (product @ (weight / x.shape[-1]).to(product.dtype)).reshape(inverse_rms.shape)
        x_grad = (wide_grad * weight).addcmul_(normed, mean, value=-1).mul_(inverse_rms)
        return x_grad.to(x.dtype), product.sum(dim=0).to(weight.dtype), None
