"""The only door to attention kernels.

Called by self- and cross-attention. It must not know positions, modulation or what the tokens are.

On a CPU torch's fused attention takes 3 times as long as the plain product of matrices once gradients are wanted (tiny
preset, bfloat16: 16 ms against 6 ms a sample), so there the products are written out, a few samples at a time so that
their scores stay in the processor's cache. Elsewhere, and where the scores would be large, torch's kernel is used. Both
are the same mathematics and a test holds them together.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

SCORES_IN_CACHE = 2**21
"""Scores (heads x queries x keys) computed at once; 4 MiB in bfloat16."""

LARGEST_EXPLICIT_SCORES = 2**23
"""Scores of one sample beyond which the fused kernel saves more memory than it costs time."""


def attend(q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None = None) -> Tensor:
    """Softmax attention of each query to all keys, or to the keys where `allowed_BS` is True (at least one each)."""
    q, k, v = (rearrange(x, "b l n k -> b n l k") for x in (q_BLNK, k_BSNK, v_BSNK))
    num_scores = q.shape[1] * q.shape[2] * k.shape[2]
    if q.device.type == "cpu" and num_scores <= LARGEST_EXPLICIT_SCORES:
        return rearrange(explicit_attention(q, k, v, allowed_BS), "b n l k -> b l n k")
    return rearrange(fused_attention(q, k, v, allowed_BS), "b n l k -> b l n k")


def fused_attention(q_BNLK: Tensor, k_BNSK: Tensor, v_BNSK: Tensor, allowed_BS: Tensor | None) -> Tensor:
    """Torch's own kernel: the plain twin of `explicit_attention`."""
    mask = None if allowed_BS is None else rearrange(allowed_BS, "b s -> b 1 1 s")
    return F.scaled_dot_product_attention(q_BNLK, k_BNSK, v_BNSK, attn_mask=mask)


def explicit_attention(q_BNLK: Tensor, k_BNSK: Tensor, v_BNSK: Tensor, allowed_BS: Tensor | None) -> Tensor:
    """The products written out, forward and backward; keeps the attention weights for the backward pass."""
    scaled_BNLK = (q_BNLK * q_BNLK.shape[-1] ** -0.5).contiguous()
    bias_BS = None
    if allowed_BS is not None:
        bias_BS = torch.zeros(allowed_BS.shape, dtype=q_BNLK.dtype).masked_fill_(~allowed_BS, -torch.inf)
    out: Tensor = _ExplicitAttention.apply(scaled_BNLK, k_BNSK.contiguous(), v_BNSK.contiguous(), bias_BS)  # type: ignore[no-untyped-call]
    return out


class _ExplicitAttention(torch.autograd.Function):
    """softmax(q k^T + bias) v on contiguous [B, N, L or S, K]; the queries are already scaled."""

    @staticmethod
    def forward(ctx: FunctionCtx, q: Tensor, k: Tensor, v: Tensor, bias_BS: Tensor | None) -> Tensor:
        weights = q.new_empty(*q.shape[:3], k.shape[2])
        out = torch.empty_like(q)
        scores = q.new_empty(_samples_at_once(weights), *weights.shape[1:])
        for some in _slices(weights):
            part = scores[: some.stop - some.start]
            torch.bmm(_heads(q[some]), _heads(k[some]).transpose(1, 2), out=_heads(part))
            if bias_BS is not None:
                part += rearrange(bias_BS[some], "b s -> b 1 1 s")
            torch.softmax(part, dim=-1, out=weights[some])
            torch.bmm(_heads(weights[some]), _heads(v[some]), out=_heads(out[some]))
        ctx.save_for_backward(q, k, v, weights)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, out_grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, weights = ctx.saved_tensors  # type: ignore[attr-defined]
        out_grad = out_grad.contiguous()
        q_grad, k_grad, v_grad = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        weights_grad = q.new_empty(_samples_at_once(weights), *weights.shape[1:])
        scores_grad = torch.empty_like(weights_grad)
        for some in _slices(weights):
            count = some.stop - some.start
            of_weights, of_scores = weights_grad[:count], scores_grad[:count]
            torch.bmm(_heads(weights[some]).transpose(1, 2), _heads(out_grad[some]), out=_heads(v_grad[some]))
            torch.bmm(_heads(out_grad[some]), _heads(v[some]).transpose(1, 2), out=_heads(of_weights))
            torch._softmax_backward_data(of_weights, weights[some], -1, q.dtype, grad_input=of_scores)
            torch.bmm(_heads(of_scores), _heads(k[some]), out=_heads(q_grad[some]))
            torch.bmm(_heads(of_scores).transpose(1, 2), _heads(q[some]), out=_heads(k_grad[some]))
        return q_grad, k_grad, v_grad, None


def _heads(x_BNLK: Tensor) -> Tensor:
    return x_BNLK.flatten(0, 1)


def _samples_at_once(weights_BNLS: Tensor) -> int:
    per_sample = max(weights_BNLS[0].numel(), 1)
    return min(weights_BNLS.shape[0], max(SCORES_IN_CACHE // per_sample, 1))


def _slices(weights_BNLS: Tensor) -> list[slice]:
    count = _samples_at_once(weights_BNLS)
    return [slice(start, min(start + count, len(weights_BNLS))) for start in range(0, len(weights_BNLS), count)]
