"""The only door to attention kernels.

Called by self- and cross-attention. It must not know positions, modulation or what the tokens are.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor


def attend(q_BLNK: Tensor, k_BSNK: Tensor, v_BSNK: Tensor, allowed_BS: Tensor | None = None) -> Tensor:
    """Softmax attention of each query to all keys, or to the keys where `allowed_BS` is True (at least one each)."""
    q, k, v = (rearrange(x, "b l n k -> b n l k") for x in (q_BLNK, k_BSNK, v_BSNK))
    mask = None if allowed_BS is None else rearrange(allowed_BS, "b s -> b 1 1 s")
    out_BNLK = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return rearrange(out_BNLK, "b n l k -> b l n k")
