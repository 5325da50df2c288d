"""AdaLN: the norm, shift, scale and gate through which the timestep steers a block (Wan2.1).

Called by the blocks and the head. It must not know attention.

Tokens come in segments of P tokens that share one timestep (a latent frame, a reference), so a modulation is a table
[B, segments, D] and never a tensor as long as the sequence. All arithmetic is float32; what goes into the matrix
products is rounded once, to the precision of autocast where that is on. The backward passes are written out, because
the automatic ones cast and copy the whole sequence several times more. Where no gradient is wanted the forward is called by itself.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from engine.model.rms_norm import at_least_float32


@dataclass(frozen=True, kw_only=True)
class Modulation:
    """Shift, scale and gate of one branch, float32 [B, segments, D]."""

    shift_BGD: Tensor
    scale_BGD: Tensor
    gate_BGD: Tensor


def modulation_table(num_vectors: int, dim: int) -> nn.Parameter:
    """A learned table [1, num_vectors, D] of vectors about one long; on the meta device nothing is drawn, because asking
    torch to costs seconds of imports.
    """
    table_1MD = torch.empty(1, num_vectors, dim)
    return nn.Parameter(table_1MD if table_1MD.is_meta else torch.randn_like(table_1MD) / dim**0.5)


def split_modulation(table_BGMD: Tensor) -> tuple[Modulation, Modulation]:
    """Six vectors in Wan's order: shift, scale, gate of the attention, then of the feed-forward network."""
    shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = table_BGMD.unbind(dim=2)
    return (
        Modulation(shift_BGD=shift_1, scale_BGD=scale_1, gate_BGD=gate_1),
        Modulation(shift_BGD=shift_2, scale_BGD=scale_2, gate_BGD=gate_2),
    )


def modulated_norm(x_BLD: Tensor, shift_BGD: Tensor, scale_BGD: Tensor, eps: float) -> Tensor:
    """LayerNorm without weights, then `(1 + scale) * x + shift` with each segment's own vectors."""
    dtype = working_dtype(x_BLD)
    if not torch.is_grad_enabled():
        return _modulated(x_BLD, shift_BGD, scale_BGD, eps, dtype).out
    out: Tensor = _ModulatedNorm.apply(x_BLD, shift_BGD, scale_BGD, eps, dtype)  # type: ignore[no-untyped-call]
    return out


def gated_residual(x_BLD: Tensor, branch_BLD: Tensor, gate_BGD: Tensor) -> Tensor:
    """`x + gate * branch` with each segment's own gate; x stays in its (float32) precision."""
    if not torch.is_grad_enabled():
        return _gated(x_BLD, branch_BLD, gate_BGD)
    out: Tensor = _GatedResidual.apply(x_BLD, branch_BLD, gate_BGD)  # type: ignore[no-untyped-call]
    return out


def working_dtype(x: Tensor) -> torch.dtype:
    """The precision of matrix products here: autocast's, or the tensor's own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def _segments(x_BLD: Tensor, table_BGD: Tensor) -> Tensor:
    return rearrange(x_BLD, "b (g p) d -> b g p d", g=table_BGD.shape[1])


@dataclass(frozen=True, kw_only=True)
class _Modulated:
    """What comes out, and what its backward pass needs."""

    out: Tensor
    normed: Tensor
    mean: Tensor
    inverse_std: Tensor
    factor_BG1D: Tensor


def _modulated(x: Tensor, shift_BGD: Tensor, scale_BGD: Tensor, eps: float, dtype: torch.dtype) -> _Modulated:
    normed, mean, inverse_std = torch.native_layer_norm(x, x.shape[-1:], None, None, eps)
    factor_BG1D = (scale_BGD + 1).unsqueeze(2)
    out_BGPD = torch.addcmul(shift_BGD.unsqueeze(2), _segments(normed, scale_BGD), factor_BG1D)
    out = rearrange(out_BGPD, "b g p d -> b (g p) d").to(dtype)
    return _Modulated(out=out, normed=normed, mean=mean, inverse_std=inverse_std, factor_BG1D=factor_BG1D)


def _gated(x: Tensor, branch: Tensor, gate_BGD: Tensor) -> Tensor:
    branch_BGPD = _segments(at_least_float32(branch), gate_BGD)
    out_BGPD = torch.addcmul(_segments(x, gate_BGD), branch_BGPD, gate_BGD.unsqueeze(2))
    return rearrange(out_BGPD, "b g p d -> b (g p) d")


class _ModulatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, shift_BGD: Tensor, scale_BGD: Tensor, eps: float, dtype: torch.dtype
    ) -> Tensor:
        made = _modulated(x, shift_BGD, scale_BGD, eps, dtype)
        ctx.save_for_backward(x, made.normed, made.mean, made.inverse_std, made.factor_BG1D)
        return made.out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, out_grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, normed, mean, inverse_std, factor_BG1D = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_BGPD = _segments(at_least_float32(out_grad), factor_BG1D)
        scale_grad_BGD = (grad_BGPD * _segments(normed, factor_BG1D)).sum(dim=2)
        normed_grad = (grad_BGPD * factor_BG1D).reshape(x.shape)
        x_grad = torch.ops.aten.native_layer_norm_backward(
            normed_grad, x, x.shape[-1:], mean, inverse_std, None, None, [True, False, False]
        )[0]
        return x_grad, grad_BGPD.sum(dim=2), scale_grad_BGD, None, None


class _GatedResidual(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, branch: Tensor, gate_BGD: Tensor) -> Tensor:
        ctx.save_for_backward(branch, gate_BGD)
        return _gated(x, branch, gate_BGD)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, out_grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        branch, gate_BGD = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_BGPD = _segments(out_grad, gate_BGD)
        branch_grad = (grad_BGPD * gate_BGD.unsqueeze(2)).to(branch.dtype).reshape(branch.shape)
        gate_grad_BGD = (grad_BGPD * _segments(at_least_float32(branch), gate_BGD)).sum(dim=2)
        return out_grad, branch_grad, gate_grad_BGD
