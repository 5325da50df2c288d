"""One block of the transformer: self-attention, multi-modal cross-attention, feed-forward (paper 3.1).

Called by the transformer. It must not know its own layer number: the transformer hands it the sound of its layer.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.model.cross_attention import CrossAttention, WindowIndex
from engine.model.feed_forward import feed_forward
from engine.model.modulation import gated_residual, modulated_norm, split_modulation
from engine.model.rotary import Rotation
from engine.model.self_attention import SelfAttention
from engine.model_config import DitConfig


@dataclass(frozen=True, kw_only=True)
class LayerConditions:
    """What one layer is told: text, the sound of its parity, timesteps, positions."""

    text_BSD: Tensor
    audio_BAD: Tensor
    windows: WindowIndex
    time_BGMD: Tensor
    rotation: Rotation
    allowed_BL: Tensor | None
    num_video_tokens: int


class Block(nn.Module):
    """AdaLN self-attention, cross-attention behind an affine norm and without gate, AdaLN feed-forward (Wan2.1)."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.norm_eps = config.norm_eps
        self.self_attn = SelfAttention(config)
        self.norm3 = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.cross_attn = CrossAttention(config)
        self.ffn = feed_forward(config)
        self.modulation = nn.Parameter(torch.randn(1, 6, config.dim) / config.dim**0.5)

    def forward(self, x_BLD: Tensor, conditions: LayerConditions) -> Tensor:
        """Video tokens first, reference tokens behind them; returns the same sequence."""
        attention, feed_forward = split_modulation(self.modulation.unsqueeze(1).float() + conditions.time_BGMD)
        normed_BLD = modulated_norm(x_BLD, attention.shift_BGD, attention.scale_BGD, self.norm_eps)
        attended_BLD = self.self_attn(normed_BLD, conditions.rotation, conditions.allowed_BL)
        x_BLD = gated_residual(x_BLD, attended_BLD, attention.gate_BGD)

        video_BLD, references_BLD = x_BLD.tensor_split([conditions.num_video_tokens], dim=1)
        told_BLD = self.cross_attn(self.norm3(video_BLD), conditions.text_BSD, conditions.audio_BAD, conditions.windows)
        x_BLD = torch.cat([video_BLD + told_BLD, references_BLD], dim=1)

        normed_BLD = modulated_norm(x_BLD, feed_forward.shift_BGD, feed_forward.scale_BGD, self.norm_eps)
        return gated_residual(x_BLD, self.ffn(normed_BLD), feed_forward.gate_BGD)
