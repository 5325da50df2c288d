"""The feed-forward network of a block, and its activation (Wan2.1: GELU in the tanh form).

Called by the block. It must not know tokens or timesteps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.linear import Linear
from engine.model_config import DitConfig


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form.

    On a CPU in bfloat16 torch computes the tanh form six times slower than the exact one. They differ by 5e-4 at most,
    a fraction of what bfloat16 rounds away, so there the exact form stands for it.
    """
    is_exact_faster = x.dtype == torch.bfloat16 and x.device.type == "cpu"
    return F.gelu(x, approximate="none" if is_exact_faster else "tanh")


class Gelu(nn.Module):
    """`gelu` as a layer; takes the place of 1 in the `ffn.{0,2}` of public checkpoints."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return gelu(x)


def feed_forward(config: DitConfig) -> nn.Sequential:
    """Wide and back again."""
    return nn.Sequential(Linear(config.dim, config.ffn_dim), Gelu(), Linear(config.ffn_dim, config.dim))
