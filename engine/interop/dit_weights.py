"""From a public Wan2.1 tensor under our name to the tensor of our transformer, and the sound branches that no checkpoint has.

Called by the converter and the oracle tests. Two things differ from the public code: the patch convolution is a matrix here, and
the rows of rotated projections go from interleaved pairs to half-split pairs (see `engine.model.rotary`).
"""

import hashlib
from typing import Final

import torch
from einops import rearrange
from torch import Tensor, nn

_ROTATED: Final = tuple(
    f"self_attn.{name}" for name in ("q.weight", "q.bias", "k.weight", "k.bias", "norm_q.weight", "norm_k.weight")
)


def adapted(target_name: str, tensor: Tensor, num_heads: int, in_channels: int) -> Tensor:
    """The tensor as our transformer takes it. Patch channels from `in_channels` on (mask and picture) are dropped."""
    if target_name == "patch_embedding.weight":
        return rearrange(tensor[:, :in_channels], "d c t h w -> d (c t h w)")
    if target_name.endswith(_ROTATED):
        return tensor[half_split_order(tensor.shape[0], num_heads).to(tensor.device)]
    return tensor


def half_split_order(dim: int, num_heads: int) -> Tensor:
    """Rows of interleaved pairs in half-split order: of every head first the real, then the imaginary parts."""
    return rearrange(torch.arange(dim), "(n pair part) -> (n part pair)", n=num_heads, part=2)


def is_added(target_name: str) -> bool:
    """Whether a weight belongs to the sound branches, which public checkpoints lack."""
    return "_audio" in target_name or target_name.startswith(("speak_embedding.", "listen_embedding."))


def initial_audio(target_name: str, shape: tuple[int, ...]) -> Tensor:
    """The start of a sound branch: values zero (paper 3.2), norms one, the rest Xavier, drawn from the name alone."""
    assert is_added(target_name)
    if target_name.endswith("v_audio.weight"):
        return torch.zeros(shape)
    if len(shape) == 1:
        return torch.ones(shape)
    seed = int.from_bytes(hashlib.sha256(target_name.encode()).digest()[:8], "big") >> 1
    return nn.init.xavier_uniform_(torch.empty(shape), generator=torch.Generator().manual_seed(seed))


def keeps_float32(target_name: str) -> bool:
    """Weights that are float32 in the public models too: timesteps, modulation and norms, some thousandths of all."""
    return "norm" in target_name or "modulation" in target_name or target_name.startswith("time_embedding.")
