"""One block of the transformer: self-attention, multi-modal cross-attention, feed-forward (paper 3.1).

Called by the transformer. It must not know its own layer number: the transformer hands it the sound of its layer.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.model.chunk import KeysValues
from engine.model.cross_attention import CrossAttention, WindowIndex
from engine.model.feed_forward import feed_forward
from engine.model.modulation import Modulation, gated_residual, modulated_norm, modulation_table, split_modulation
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
        self.modulation = modulation_table(6, config.dim)

    def forward(self, x_BLD: Tensor, conditions: LayerConditions) -> Tensor:
        """Video tokens first, reference tokens behind them; returns the same sequence."""
        attention, feed_forward = self._modulations(conditions.time_BGMD)
        normed_BLD = modulated_norm(x_BLD, attention.shift_BGD, attention.scale_BGD, self.norm_eps)
        attended_BLD = self.self_attn(normed_BLD, conditions.rotation, conditions.allowed_BL)
        x_BLD = gated_residual(x_BLD, attended_BLD, attention.gate_BGD)

        video_BLD, references_BLD = x_BLD.tensor_split([conditions.num_video_tokens], dim=1)
        x_BLD = torch.cat([self._told(video_BLD, conditions), references_BLD], dim=1)
        return self._fed_forward(x_BLD, feed_forward)

    def forward_chunk(
        self, x_BLD: Tensor, conditions: LayerConditions, context: KeysValues
    ) -> tuple[Tensor, KeysValues]:
        """Video tokens of one chunk, which also attend to `context`; returns them, and their keys before RoPE with values.

        Here `conditions.allowed_BL` masks the context.
        """
        attention, feed_forward = self._modulations(conditions.time_BGMD)
        normed_BLD = modulated_norm(x_BLD, attention.shift_BGD, attention.scale_BGD, self.norm_eps)
        attended_BLD, own = self.self_attn.forward_chunk(
            normed_BLD, conditions.rotation, context, conditions.allowed_BL
        )
        x_BLD = self._told(gated_residual(x_BLD, attended_BLD, attention.gate_BGD), conditions)
        return self._fed_forward(x_BLD, feed_forward), own

    def forward_references(
        self, x_BLD: Tensor, time_BGMD: Tensor, rotation: Rotation, allowed_BL: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        """Reference tokens among themselves; returns them, and their rotated keys with values."""
        attention, feed_forward = self._modulations(time_BGMD)
        normed_BLD = modulated_norm(x_BLD, attention.shift_BGD, attention.scale_BGD, self.norm_eps)
        attended_BLD, own = self.self_attn.forward_references(normed_BLD, rotation, allowed_BL)
        x_BLD = gated_residual(x_BLD, attended_BLD, attention.gate_BGD)
        return self._fed_forward(x_BLD, feed_forward), own

    def _modulations(self, time_BGMD: Tensor) -> tuple[Modulation, Modulation]:
        return split_modulation(self.modulation.unsqueeze(1).float() + time_BGMD)

    def _told(self, video_BLD: Tensor, conditions: LayerConditions) -> Tensor:
        """Video tokens after the cross-attention."""
        told_BLD = self.cross_attn(self.norm3(video_BLD), conditions.text_BSD, conditions.audio_BAD, conditions.windows)
        return video_BLD + told_BLD  # type: ignore[no-any-return]

    def _fed_forward(self, x_BLD: Tensor, modulation: Modulation) -> Tensor:
        normed_BLD = modulated_norm(x_BLD, modulation.shift_BGD, modulation.scale_BGD, self.norm_eps)
        return gated_residual(x_BLD, self.ffn(normed_BLD), modulation.gate_BGD)
