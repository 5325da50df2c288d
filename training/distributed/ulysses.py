"""A sequence shared by processes: Ulysses (Jacobs et al. 2023; paper 5.1).

Each process holds a part of the tokens of every segment (a latent frame or a reference), so norms, modulation, feed-forward and
the queries of cross-attention need nobody else; keys and values of text and sound are short and everywhere. Only around
self-attention tokens are exchanged for heads, all to all, and back.

`split_sequence` changes a transformer in place, names of weights included in what stays. Every process is given the same
inputs and gets the same output. Its gradients are those of the mean of these equal losses once they are averaged over all
processes, which the trainer does anyway: that is what the collectives' own backward passes amount to.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed._functional_collectives import all_gather_tensor_autograd, all_to_all_single_autograd
from torch.distributed.device_mesh import DeviceMesh

from engine.model.attend import attend
from engine.model.block import Block, LayerConditions
from engine.model.rotary import Rotation, rotate
from engine.model.self_attention import SelfAttention
from engine.model.transformer import Transformer


def split_sequence(transformer: Transformer, mesh: DeviceMesh, observed_layers: Collection[int] = ()) -> None:
    """Shares the tokens of `transformer` over the mesh; after the observed layers, as after the last, the sequence is whole.

    `ValueError` where heads do not divide.
    """
    size = mesh.size()
    if transformer.config.num_heads % size:
        raise ValueError(f"{transformer.config.num_heads} heads cannot be shared by {size} processes")
    part = _Part(group=mesh.get_group(), rank=mesh.get_local_rank(), size=size)
    whole_after = {*observed_layers, len(transformer.blocks) - 1}
    for layer, block in enumerate(transformer.blocks):
        assert isinstance(block, Block)
        block.self_attn = UlyssesAttention(block.self_attn, part)  # type: ignore[assignment]
        block.register_forward_pre_hook(part.enter)
        if layer in whole_after:
            block.register_forward_hook(part.leave)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One process's part of every segment."""

    group: ProcessGroup
    rank: int
    size: int

    def enter(self, block: nn.Module, args: tuple[Tensor, LayerConditions]) -> tuple[Tensor, LayerConditions]:
        """A block's arguments: the sequence cut if it is whole, positions always (the transformer gives them whole)."""
        x_BLD, conditions = args
        num_segments, num_tokens = conditions.time_BGMD.shape[1], conditions.rotation.cos_BLNK.shape[1]
        if (num_tokens // num_segments) % self.size:
            tokens = num_tokens // num_segments
            raise ValueError(f"{tokens} tokens of a frame or reference cannot be shared by {self.size} processes")
        rotation = Rotation(
            cos_BLNK=self._cut(conditions.rotation.cos_BLNK, num_segments),
            sin_BLNK=self._cut(conditions.rotation.sin_BLNK, num_segments),
        )
        allowed_BL = conditions.allowed_BL
        if allowed_BL is not None:  # in the order in which tokens arrive from the processes
            allowed_BL = rearrange(allowed_BL, "b (g r p) -> b (r g p)", g=num_segments, r=self.size)
        own = replace(
            conditions,
            rotation=rotation,
            allowed_BL=allowed_BL,
            num_video_tokens=conditions.num_video_tokens // self.size,
        )
        return (self._cut(x_BLD, num_segments) if x_BLD.shape[1] == num_tokens else x_BLD), own

    def leave(self, block: nn.Module, args: tuple[Tensor, LayerConditions], x_BLD: Tensor) -> Tensor:
        """The whole sequence again, on every process."""
        num_segments = args[1].time_BGMD.shape[1]
        everyone = all_gather_tensor_autograd(x_BLD.contiguous(), gather_dim=0, group=self.group)
        whole_BLD: Tensor = rearrange(everyone, "(r b) (g p) d -> b (g r p) d", r=self.size, g=num_segments)
        return whole_BLD

    def _cut(self, x_BL: Tensor, num_segments: int) -> Tensor:
        x_BGRP = rearrange(x_BL, "b (g r p) ... -> b g r p ...", g=num_segments, r=self.size)
        own_BL: Tensor = x_BGRP[:, :, self.rank].flatten(1, 2)
        return own_BL


class UlyssesAttention(nn.Module):
    """`SelfAttention` on a part of the tokens: the same weights under the same names."""

    def __init__(self, whole: SelfAttention, part: _Part) -> None:
        super().__init__()
        self.part = part
        self.num_heads = whole.num_heads
        self.q, self.k, self.v, self.o = whole.q, whole.k, whole.v, whole.o
        self.norm_q, self.norm_k = whole.norm_q, whole.norm_k

    def forward(self, x_BLD: Tensor, rotation: Rotation, allowed_BL: Tensor | None) -> Tensor:
        """Own tokens in, attended to by the tokens of all processes; `allowed_BL` covers them in their order."""
        q_BLNK, k_BLNK, v_BLNK = (
            rearrange(x, "b l (n k) -> b l n k", n=self.num_heads)
            for x in (self.norm_q(self.q(x_BLD)), self.norm_k(self.k(x_BLD)), self.v(x_BLD))
        )
        rotation = rotation.to(q_BLNK.dtype)
        stacked = torch.stack([rotate(q_BLNK, rotation), rotate(k_BLNK, rotation), v_BLNK.to(q_BLNK.dtype)])
        q_BSNK, k_BSNK, v_BSNK = self._heads_for_tokens(stacked)
        out_BLNK = self._tokens_for_heads(attend(q_BSNK, k_BSNK, v_BSNK, allowed_BL))
        return self.o(rearrange(out_BLNK, "b l n k -> b l (n k)"))  # type: ignore[no-any-return]

    def _heads_for_tokens(self, stacked_3BLNK: Tensor) -> Tensor:
        """[3, B, own tokens, all heads, K] to [3, B, all tokens, own heads, K]."""
        sent = rearrange(stacked_3BLNK, "t b l (r n) k -> r t b l n k", r=self.part.size)
        return rearrange(self._exchange(sent), "r t b l n k -> t b (r l) n k")

    def _tokens_for_heads(self, out_BSNK: Tensor) -> Tensor:
        """[B, all tokens, own heads, K] to [B, own tokens, all heads, K]."""
        sent = rearrange(out_BSNK, "b (r l) n k -> r b l n k", r=self.part.size)
        return rearrange(self._exchange(sent), "r b l n k -> b l (r n) k")

    def _exchange(self, sent: Tensor) -> Tensor:
        received: Tensor = all_to_all_single_autograd(sent.contiguous(), None, None, self.part.group)
        return received
