"""The transformer once more in plain PyTorch, as one would first write it: the benchmark's yardstick beside diffusers' model.

Same weights, same numbers (a test holds them together), nothing fused or written out: norms of torch, rotation by complex numbers, torch's
attention, modulation spread over all tokens. Text to video alone: no references, and no sound, which leaves the numbers untouched.
"""

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from engine.model.embeddings import patchify, sinusoid, unpatchify
from engine.model.rotary import grid_angles
from engine.model.transformer import DitInputs, Transformer


class PlainTwin(nn.Module):
    """Computes from a `Transformer`'s weights what it computes of latents, timesteps and text."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.config = model.config
        self.model: Any = model

    def forward(self, inputs: DitInputs) -> Tensor:
        """The output [B, F, C, H, W]; references and sound in `inputs` are not looked at."""
        model, patch = self.model, self.config.patch_size
        _, frames, _, height, width = inputs.latents_BFCHW.shape
        rows, columns = height // patch[1], width // patch[2]
        x_BLD = model.patch_embedding(patchify(inputs.latents_BFCHW, patch)).float()
        with torch.autocast(x_BLD.device.type, enabled=False):
            sinusoid_BFK = sinusoid(inputs.timestep_BF, self.config.frequency_dim)
            time_BFD = model.time_embedding(sinusoid_BFK.to(model.patch_embedding.weight.dtype))
            table_BFMD = rearrange(model.time_projection(time_BFD), "b f (m d) -> b f m d", m=6).float()
        table_BLMD = table_BFMD.repeat_interleave(rows * columns, dim=1)
        angles_BLK = grid_angles(torch.arange(frames, device=x_BLD.device)[None], rows, columns, self.config)
        turn_BLNK = torch.polar(torch.ones_like(angles_BLK), angles_BLK).unsqueeze(2).to(torch.complex64)
        text_BSD = model.text_embedding(inputs.text_BSD)
        for block in model.blocks:
            x_BLD = self._block(block, x_BLD, block.modulation.unsqueeze(1) + table_BLMD, turn_BLNK, text_BSD)
        vectors_BLMD = (model.head.modulation + time_BFD.unsqueeze(2)).repeat_interleave(rows * columns, dim=1)
        shift_BLD, scale_BLD = vectors_BLMD.unbind(dim=2)
        patches_BLC = model.head.head(self._norm(x_BLD) * (1 + scale_BLD) + shift_BLD)
        return unpatchify(patches_BLC, patch, frames, rows).float()

    def _block(self, block: Any, x_BLD: Tensor, table_BLMD: Tensor, turn_BLNK: Tensor, text_BSD: Tensor) -> Tensor:
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = table_BLMD.unbind(dim=2)
        normed_BLD = self._norm(x_BLD) * (1 + scale_1) + shift_1
        x_BLD = x_BLD + gate_1 * self._attention(block.self_attn, normed_BLD, normed_BLD, turn_BLNK)
        x_BLD = x_BLD + self._attention(block.cross_attn, block.norm3(x_BLD), text_BSD, None)
        wide_BLD = _linear(block.ffn[0], self._norm(x_BLD) * (1 + scale_2) + shift_2)
        return x_BLD + gate_2 * _linear(block.ffn[2], F.gelu(wide_BLD, approximate="tanh"))

    def _attention(self, part: Any, x_BLD: Tensor, told_BSD: Tensor, turn_BLNK: Tensor | None) -> Tensor:
        v = _linear(part.v, told_BSD)
        q, k = (
            self._rms(_linear(layer, rows_BSD), norm)
            for layer, rows_BSD, norm in ((part.q, x_BLD, part.norm_q), (part.k, told_BSD, part.norm_k))
        )
        q, k, v = (rearrange(x, "b l (n k) -> b l n k", n=self.config.num_heads) for x in (q, k, v))
        if turn_BLNK is not None:
            q, k = _turned(q, turn_BLNK), _turned(k, turn_BLNK)
        q, k, v = (rearrange(x.to(v.dtype), "b l n k -> b n l k") for x in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)
        return _linear(part.o, rearrange(out, "b n l k -> b l (n k)"))

    def _norm(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], eps=self.config.norm_eps)

    def _rms(self, x: Tensor, norm: Any) -> Tensor:
        return F.rms_norm(x.float(), x.shape[-1:], norm.weight, self.config.norm_eps)


def _linear(layer: Any, x_BLD: Tensor) -> Tensor:
    """Torch's own product, also where the engine takes another."""
    return F.linear(x_BLD, layer.weight, layer.bias)


def _turned(x_BLNK: Tensor, turn_BLNK: Tensor) -> Tensor:
    """Each pair (half a head apart) as a complex number, times its token's turn."""
    pairs = torch.complex(*x_BLNK.float().chunk(2, dim=-1)) * turn_BLNK
    return torch.cat([pairs.real, pairs.imag], dim=-1)
