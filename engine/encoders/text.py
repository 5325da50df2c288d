"""The small text encoder: a direction in words (bytes, so any language) to 32 feature rows.

It is to `tiny` what UMT5 is to the larger presets: trained beforehand to read captions, then frozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

PAD_BYTE = 0


@dataclass(frozen=True, kw_only=True)
class TextEncoderConfig:
    """`max_bytes` of UTF-8 are read, folded by `bytes_per_token`."""

    max_bytes: int = 128
    bytes_per_token: int = 4
    width: int = 192
    num_layers: int = 3
    num_heads: int = 4

    def __post_init__(self) -> None:
        if self.max_bytes % self.bytes_per_token or self.width % self.num_heads:
            raise ValueError("max_bytes must fold into whole tokens and width into whole heads")

    @property
    def num_tokens(self) -> int:
        """Feature rows of any text."""
        return self.max_bytes // self.bytes_per_token


def text_bytes(texts: Sequence[str], max_bytes: int) -> Tensor:
    """UTF-8 bytes [B, max_bytes] as int64, cut at a whole character and padded with zero."""
    rows = []
    for text in texts:
        encoded = text.strip().lower().encode()[:max_bytes].decode(errors="ignore").encode()
        rows.append(list(encoded) + [PAD_BYTE] * (max_bytes - len(encoded)))
    return torch.tensor(rows, dtype=torch.int64)


class TextLayer(nn.Module):
    """A pre-norm transformer layer over all rows."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm, self.ffn_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.attention_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.ffn_in, self.ffn_out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Same shape out as in."""
        qkv_BL3NK = self.qkv(self.attention_norm(x_BLD)).unflatten(-1, (3, self.num_heads, -1))
        q_BNLK, k_BNLK, v_BNLK = qkv_BL3NK.permute(2, 0, 3, 1, 4)
        attended_BNLK = functional.scaled_dot_product_attention(q_BNLK, k_BNLK, v_BNLK)
        x_BLD = x_BLD + self.attention_out(attended_BNLK.transpose(1, 2).flatten(-2))
        return x_BLD + cast(Tensor, self.ffn_out(functional.gelu(self.ffn_in(self.ffn_norm(x_BLD)))))


class TextEncoder(nn.Module):
    """Bytes [B, max_bytes] to features [B, num_tokens, width]. Satisfies `TextRows`."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(256, config.width // 2)
        self.mix = nn.Conv1d(config.width // 2, config.width, 7, padding=3)
        self.fold = nn.Conv1d(config.width, config.width, config.bytes_per_token, stride=config.bytes_per_token)
        self.positions = nn.Parameter(torch.randn(config.num_tokens, config.width) * 0.02)
        self.layers = nn.ModuleList(TextLayer(config.width, config.num_heads) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.width)

    @property
    def num_tokens(self) -> int:
        """Rows of any text."""
        return self.config.num_tokens

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.config.width

    def forward(self, bytes_BL: Tensor) -> Tensor:
        """Feature rows of each text."""
        x_BDL = functional.gelu(self.mix(self.embedding(bytes_BL).transpose(1, 2)))
        x_BLD = self.fold(x_BDL).transpose(1, 2) + self.positions
        for layer in self.layers:
            x_BLD = layer(x_BLD)
        return cast(Tensor, self.norm(x_BLD))

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Feature rows [B, num_tokens, width] of texts; no text is zeros, as in the training of the base model."""
        bytes_BL = text_bytes(texts, self.config.max_bytes).to(self.positions.device)
        return cast(Tensor, self(bytes_BL)) * (bytes_BL != PAD_BYTE).any(dim=1)[:, None, None]
