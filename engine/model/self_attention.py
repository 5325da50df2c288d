"""Self-attention over the video tokens and the reference tokens behind them (paper 3.1, stage 1 of a block).

Called by the block. It must not know timesteps or conditions.
"""

from einops import rearrange
from torch import Tensor, nn

from engine.model.attend import attend
from engine.model.rms_norm import RMSNorm
from engine.model.rotary import Rotation, rotate
from engine.model_config import DitConfig


class SelfAttention(nn.Module):
    """Attention with RMSNorm of queries and keys over the whole width and 3D RoPE."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.q = nn.Linear(config.dim, config.dim)
        self.k = nn.Linear(config.dim, config.dim)
        self.v = nn.Linear(config.dim, config.dim)
        self.o = nn.Linear(config.dim, config.dim)
        self.norm_q = RMSNorm(config.dim, config.norm_eps)
        self.norm_k = RMSNorm(config.dim, config.norm_eps)

    def forward(self, x_BLD: Tensor, rotation: Rotation, allowed_BL: Tensor | None) -> Tensor:
        """Attend from every token to every allowed token; `allowed_BL` None allows all."""
        q_BLNK, k_BLNK, v_BLNK = (
            rearrange(x, "b l (n k) -> b l n k", n=self.num_heads)
            for x in (self.norm_q(self.q(x_BLD)), self.norm_k(self.k(x_BLD)), self.v(x_BLD))
        )
        rotation = rotation.to(q_BLNK.dtype)
        out_BLNK = attend(rotate(q_BLNK, rotation), rotate(k_BLNK, rotation), v_BLNK, allowed_BL)
        return self.o(rearrange(out_BLNK, "b l n k -> b l (n k)"))  # type: ignore[no-any-return]
