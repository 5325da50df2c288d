"""Attention written out as products of matrices, for processors: torch's fused kernel is slower there in bfloat16.

With gradients (tiny preset, bfloat16) 6 ms a sample against 16. Without, 1.9 to 3 times as fast as the fused kernel in bfloat16
(1536 tokens in 8 heads on one core: 29 ms against 63), but only 0.8 times in float32. Scores are made for so many samples, heads and
queries at once as stay in the processor's cache, so without gradients memory does not grow with the square of the sequence.
"""

import torch
from einops import rearrange
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

SCORES_IN_CACHE = 2**21
"""Scores (heads x queries x keys) computed at once; 4 MiB in bfloat16."""


def explicit_attention(q_BNLK: Tensor, k_BNSK: Tensor, v_BNSK: Tensor, allowed_BS: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(K)) v over the keys where `allowed_BS`; with gradients the attention weights are kept for the backward pass."""
    if not (torch.is_grad_enabled() and any(x.requires_grad for x in (q_BNLK, k_BNSK, v_BNSK))):
        return _in_blocks(q_BNLK, k_BNSK, v_BNSK, allowed_BS)
    scaled_BNLK = (q_BNLK * q_BNLK.shape[-1] ** -0.5).contiguous()
    bias_BS = _bias(allowed_BS, q_BNLK)
    out: Tensor = _ExplicitAttention.apply(scaled_BNLK, k_BNSK.contiguous(), v_BNSK.contiguous(), bias_BS)  # type: ignore[no-untyped-call]
    return out


def _bias(allowed_BS: Tensor | None, like: Tensor) -> Tensor | None:
    """What is added to the scores: 0 where a key is allowed, minus infinity elsewhere."""
    if allowed_BS is None:
        return None
    return torch.zeros(allowed_BS.shape, dtype=like.dtype, device=like.device).masked_fill_(~allowed_BS, -torch.inf)


def _in_blocks(q_BNLK: Tensor, k_BNSK: Tensor, v_BNSK: Tensor, allowed_BS: Tensor | None) -> Tensor:
    """Without gradients: block after block of heads and queries, whose scores are forgotten at once."""
    _, heads, queries, width = q_BNLK.shape
    q_XLK, k_XSK, v_XSK = (_heads(x.contiguous()) for x in (q_BNLK * width**-0.5, k_BNSK, v_BNSK))
    bias_BS = _bias(allowed_BS, q_BNLK)
    out_XLK = torch.empty_like(q_XLK)
    queries_at_once = min(queries, max(SCORES_IN_CACHE // max(k_XSK.shape[1], 1), 1))
    heads_at_once = max(SCORES_IN_CACHE // max(queries_at_once * k_XSK.shape[1], 1), 1)
    for first_head in range(0, len(q_XLK), heads_at_once):
        some = slice(first_head, min(first_head + heads_at_once, len(q_XLK)))
        for first_query in range(0, queries, queries_at_once):
            block = slice(first_query, first_query + queries_at_once)
            scores_XLS = torch.bmm(q_XLK[some, block], k_XSK[some].mT)
            if bias_BS is not None:
                samples = torch.arange(some.start, some.stop, device=bias_BS.device) // heads
                scores_XLS += bias_BS[samples].unsqueeze(1)
            out_XLK[some, block] = torch.bmm(torch.softmax(scores_XLS, dim=-1), v_XSK[some])
    return out_XLK.view(q_BNLK.shape)


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
