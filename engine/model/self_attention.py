"""Self-attention over the video tokens and the reference tokens behind them (paper 3.1, stage 1 of a block).

Called by the block. It must not know timesteps or conditions.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from engine.model.attend import attend
from engine.model.chunk import KeysValues
from engine.model.linear import Linear
from engine.model.rms_norm import RMSNorm
from engine.model.rotary import Rotation, rotate
from engine.model_config import DitConfig


class SelfAttention(nn.Module):
    """Attention with RMSNorm of queries and keys over the whole width and 3D RoPE."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.q = Linear(config.dim, config.dim)
        self.k = Linear(config.dim, config.dim)
        self.v = Linear(config.dim, config.dim)
        self.o = Linear(config.dim, config.dim)
        self.norm_q = RMSNorm(config.dim, config.norm_eps)
        self.norm_k = RMSNorm(config.dim, config.norm_eps)

    def forward(self, x_BLD: Tensor, rotation: Rotation, allowed_BL: Tensor | None) -> Tensor:
        """Attend from every token to every allowed token; `allowed_BL` None allows all."""
        q_BLNK, k_BLNK, v_BLNK = self._project(x_BLD)
        rotation = rotation.to(q_BLNK.dtype)
        return self._out(attend(rotate(q_BLNK, rotation), rotate(k_BLNK, rotation), v_BLNK, allowed_BL))

    def forward_chunk(
        self, x_BLD: Tensor, rotation: Rotation, context: KeysValues, allowed_BS: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        """Attend from a chunk to itself and to a context of rotated keys; also returns the chunk's keys before RoPE.

        `allowed_BS` masks the context; within the chunk every token sees every other (paper 4.2).
        """
        q_BLNK, k_BLNK, v_BLNK = self._project(x_BLD)
        rotation = rotation.to(q_BLNK.dtype)
        keys_BSNK = torch.cat([context.k_BSNK.to(k_BLNK.dtype), rotate(k_BLNK, rotation)], dim=1)
        values_BSNK = torch.cat([context.v_BSNK.to(v_BLNK.dtype), v_BLNK], dim=1)
        if allowed_BS is not None:
            allowed_BS = torch.cat([allowed_BS, allowed_BS.new_ones(x_BLD.shape[:2])], dim=1)
        attended_BLD = self._out(attend(rotate(q_BLNK, rotation), keys_BSNK, values_BSNK, allowed_BS))
        return attended_BLD, KeysValues(k_BSNK=k_BLNK, v_BSNK=v_BLNK)

    def forward_references(
        self, x_BLD: Tensor, rotation: Rotation, allowed_BL: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        """Attend among reference tokens alone; also returns their rotated keys and their values, for the context of chunks."""
        q_BLNK, k_BLNK, v_BLNK = self._project(x_BLD)
        rotation = rotation.to(q_BLNK.dtype)
        k_BLNK = rotate(k_BLNK, rotation)
        attended_BLD = self._out(attend(rotate(q_BLNK, rotation), k_BLNK, v_BLNK, allowed_BL))
        return attended_BLD, KeysValues(k_BSNK=k_BLNK, v_BSNK=v_BLNK)

    def _project(self, x_BLD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values by head, not yet rotated."""
        q_BLD, k_BLD, v_BLD = self.norm_q(self.q(x_BLD)), self.norm_k(self.k(x_BLD)), self.v(x_BLD)
        return self._heads(q_BLD), self._heads(k_BLD), self._heads(v_BLD)

    def _heads(self, x_BLD: Tensor) -> Tensor:
        return rearrange(x_BLD, "b l (n k) -> b l n k", n=self.num_heads)

    def _out(self, attended_BLNK: Tensor) -> Tensor:
        return self.o(rearrange(attended_BLNK, "b l n k -> b l (n k)"))  # type: ignore[no-any-return]
