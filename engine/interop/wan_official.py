"""Key map from the official Wan2.1 checkpoints to `engine.model.transformer.Transformer`.

Called by `lpm models convert` and by the oracle tests. It must not know files.
"""

from collections.abc import Mapping

import torch
from einops import rearrange
from torch import Tensor

_ROTATED = ("self_attn.q.weight", "self_attn.q.bias", "self_attn.k.weight", "self_attn.k.bias")
_ROTATED_NORMS = ("self_attn.norm_q.weight", "self_attn.norm_k.weight")


def from_wan_official(weights: Mapping[str, Tensor], num_heads: int) -> dict[str, Tensor]:
    """Official tensors under our names.

    The names are the same. Two things differ: the patch convolution is a matrix here, and the rows of rotated
    projections go from interleaved pairs to half-split pairs (see `engine.model.rotary`).
    """
    converted: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if name == "patch_embedding.weight":
            tensor = rearrange(tensor, "d c t h w -> d (c t h w)")
        elif name.endswith(_ROTATED + _ROTATED_NORMS):
            tensor = tensor[half_split_order(tensor.shape[0], num_heads)]
        converted[name] = tensor
    return converted


def half_split_order(dim: int, num_heads: int) -> Tensor:
    """Rows of interleaved pairs in half-split order: of every head first the real, then the imaginary parts."""
    return rearrange(torch.arange(dim), "(n pair part) -> (n part pair)", n=num_heads, part=2)
