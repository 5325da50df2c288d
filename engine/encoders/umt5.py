"""UMT5: token numbers to rows, the network of the text encoder of Wan2.1 (Chung et al. 2023, arXiv 2304.09151).

A T5 encoder whose every layer has its own table of relative positions. Its logits are not scaled by the head's width, nothing
has a bias. It must not know tokenizers (`engine.encoders.umt5_text`) or checkpoints (`engine.interop`).
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Umt5Config:
    """Defaults are those of UMT5-XXL as Wan2.1 uses it: the rows of a text are padded to `num_tokens` by zeros.

    `tokenizer_sha256` is the hash of the pack's file `tokenizer.json`.
    """

    vocabulary: int = 256_384
    width: int = 4096
    attention_width: int = 4096
    ffn_width: int = 10_240
    num_heads: int = 64
    num_layers: int = 24
    num_buckets: int = 32
    max_distance: int = 128
    norm_eps: float = 1e-6
    num_tokens: int = 512
    tokenizer_sha256: str = ""

    def __post_init__(self) -> None:
        """Refuse sizes that do not divide."""
        if self.attention_width % self.num_heads:
            raise ValueError(f"attention_width {self.attention_width} must divide into {self.num_heads} heads")
        if self.num_buckets % 4 or self.max_distance <= self.num_buckets // 4:
            raise ValueError("num_buckets must be a multiple of 4 and max_distance reach beyond the exact ones of them")


UMT5_XXL: Final = Umt5Config()
UMT5_TINY: Final = Umt5Config(
    vocabulary=320, width=32, attention_width=48, ffn_width=64, num_heads=6, num_layers=2, num_tokens=24
)


def position_buckets(num_tokens: int, num_buckets: int, max_distance: int) -> Tensor:
    """The bucket [query, key] of each distance: half of them for keys behind; near distances exact, far ones by logarithm."""
    half = num_buckets // 2
    exact = half // 2
    places_L = torch.arange(num_tokens)
    ahead_LS = places_L[None, :] - places_L[:, None]
    distance_LS = ahead_LS.abs()
    log_share_LS = torch.log(distance_LS.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    far_LS = (exact + (log_share_LS * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(distance_LS < exact, distance_LS, far_LS) + half * (ahead_LS > 0)


class Umt5Layer(nn.Module):
    """Attention with a table of relative positions, then a gated feed-forward; each behind a norm and beside a way around."""

    def __init__(self, config: Umt5Config) -> None:
        super().__init__()
        width, inner = config.width, config.attention_width
        self.num_heads = config.num_heads
        self.attention_norm = nn.RMSNorm(width, eps=config.norm_eps)
        self.q, self.k, self.v = (nn.Linear(width, inner, bias=False) for _ in range(3))
        self.attention_out = nn.Linear(inner, width, bias=False)
        self.positions = nn.Embedding(config.num_buckets, config.num_heads)
        self.ffn_norm = nn.RMSNorm(width, eps=config.norm_eps)
        self.ffn_gate = nn.Linear(width, config.ffn_width, bias=False)
        self.ffn_in = nn.Linear(width, config.ffn_width, bias=False)
        self.ffn_out = nn.Linear(config.ffn_width, width, bias=False)

    def forward(self, x_BLD: Tensor, buckets_LS: Tensor, is_token_BL: Tensor) -> Tensor:
        """Same shape out as in; keys that are no tokens are not seen."""
        x_BLD = x_BLD + self._attend(self.attention_norm(x_BLD), buckets_LS, is_token_BL)
        normed_BLD = self.ffn_norm(x_BLD)
        gate_BLD = functional.gelu(self.ffn_gate(normed_BLD), approximate="tanh")
        out_BLD: Tensor = x_BLD + self.ffn_out(gate_BLD * self.ffn_in(normed_BLD))
        return out_BLD

    def position_bias(self, buckets_LS: Tensor) -> Tensor:
        """What each pair of places adds to its logit, [N, L, S]."""
        bias_NLS: Tensor = self.positions(buckets_LS).permute(2, 0, 1)
        return bias_NLS

    def _attend(self, x_BLD: Tensor, buckets_LS: Tensor, is_token_BL: Tensor) -> Tensor:
        q_BNLK, k_BNLK, v_BNLK = (
            project(x_BLD).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for project in (self.q, self.k, self.v)
        )
        unseen_B11S = ~is_token_BL[:, None, None, :]
        bias_BNLS = self.position_bias(buckets_LS)[None].to(q_BNLK.dtype).masked_fill(unseen_B11S, -math.inf)
        attended_BNLK = functional.scaled_dot_product_attention(q_BNLK, k_BNLK, v_BNLK, attn_mask=bias_BNLS, scale=1.0)
        out_BLD: Tensor = self.attention_out(attended_BNLK.transpose(1, 2).flatten(-2))
        return out_BLD


class Umt5(nn.Module):
    """Token numbers [B, L] to rows [B, L, D]."""

    def __init__(self, config: Umt5Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Umt5Layer(config) for _ in range(config.num_layers))
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)

    def forward(self, ids_BL: Tensor, is_token_BL: Tensor) -> Tensor:
        """A row for each token; rows at places that are no token mean nothing. Each text has at least one token."""
        buckets_LS = position_buckets(ids_BL.shape[1], self.config.num_buckets, self.config.max_distance)
        x_BLD = self.embedding(ids_BL)
        for layer in self.layers:
            x_BLD = layer(x_BLD, buckets_LS.to(ids_BL.device), is_token_BL)
        rows_BLD: Tensor = self.norm(x_BLD)
        return rows_BLD
