"""AdaLN: the norm, shift, scale and gate through which the timestep steers a block (Wan2.1).

Called by the blocks and the head. It must not know attention.

Tokens come in segments of P tokens that share one timestep (a latent frame, a reference), so a modulation is a table
[B, segments, D] and never a tensor as long as the sequence.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Modulation:
    """Shift, scale and gate of one branch, float32 [B, segments, D]."""

    shift_BGD: Tensor
    scale_BGD: Tensor
    gate_BGD: Tensor


def split_modulation(table_BGMD: Tensor) -> tuple[Modulation, Modulation]:
    """Six vectors in Wan's order: shift, scale, gate of the attention, then of the feed-forward network."""
    shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = table_BGMD.unbind(dim=2)
    return (
        Modulation(shift_BGD=shift_1, scale_BGD=scale_1, gate_BGD=gate_1),
        Modulation(shift_BGD=shift_2, scale_BGD=scale_2, gate_BGD=gate_2),
    )


def modulated_norm(x_BLD: Tensor, shift_BGD: Tensor, scale_BGD: Tensor, eps: float) -> Tensor:
    """LayerNorm without weights, then `(1 + scale) * x + shift` with each segment's own vectors."""
    normed_BLD = F.layer_norm(x_BLD, x_BLD.shape[-1:], eps=eps)
    normed_BGPD = rearrange(normed_BLD, "b (g p) d -> b g p d", g=shift_BGD.shape[1])
    modulated_BGPD = normed_BGPD * (1 + scale_BGD.unsqueeze(2)) + shift_BGD.unsqueeze(2)
    return rearrange(modulated_BGPD, "b g p d -> b (g p) d")


def gated_residual(x_BLD: Tensor, branch_BLD: Tensor, gate_BGD: Tensor) -> Tensor:
    """`x + gate * branch` with each segment's own gate; x stays in its (float32) precision."""
    branch_BGPD = rearrange(branch_BLD, "b (g p) d -> b g p d", g=gate_BGD.shape[1])
    gated_BGPD = branch_BGPD * gate_BGD.unsqueeze(2)
    return x_BLD + rearrange(gated_BGPD, "b g p d -> b (g p) d")
