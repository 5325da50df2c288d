"""The public image-to-video Wan2.1 whole, with the two things that LPM drops: the CLIP branch and the mask channels (paper 3.2).

Nothing in the product performs with it. It is what the oracle tests hold against the public numbers, so that it is known what is
dropped, and that what remains is right. It composes the product's own transformer and adds the branch from outside.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.interop.wan_official import from_wan_official
from engine.model.attend import attend
from engine.model.block import Block
from engine.model.cross_attention import CrossAttention
from engine.model.rms_norm import RMSNorm
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import DitConfig

CLIP_NORM_EPS: Final = 1e-5


class ImageAttention(nn.Module):
    """Keys and values of the picture in one layer; its query is the text's, and so is the projection of what it finds."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.k_img = nn.Linear(config.dim, config.dim)
        self.v_img = nn.Linear(config.dim, config.dim)
        self.norm_k_img = RMSNorm(config.dim, config.norm_eps)

    def added(self, image_BSD: Tensor, text: CrossAttention, given: tuple[Tensor, ...], told_BLD: Tensor) -> Tensor:
        """What cross-attention says with the picture: o(text + picture) = o(text) + o's matrix times picture."""
        q_BLD, k_BSD, v_BSD = (
            text.norm_q(text.q(given[0])),
            self.norm_k_img(self.k_img(image_BSD)),
            self.v_img(image_BSD),
        )
        q_BLNK, k_BSNK, v_BSNK = (rearrange(x, "b l (n k) -> b l n k", n=self.num_heads) for x in (q_BLD, k_BSD, v_BSD))
        seen_BLD = rearrange(attend(q_BLNK, k_BSNK, v_BSNK), "b l n k -> b l (n k)")
        return told_BLD + functional.linear(seen_BLD, text.o.weight)


class WanImageToVideo(nn.Module):
    """`in_channels` of the config counts noise, mask and picture (36 in the published model)."""

    def __init__(self, config: DitConfig, image_dim: int) -> None:
        super().__init__()
        self.transformer = Transformer(config)
        self.image_embedding = nn.Sequential(
            nn.LayerNorm(image_dim, eps=CLIP_NORM_EPS),
            nn.Linear(image_dim, image_dim),
            nn.GELU(),
            nn.Linear(image_dim, config.dim),
            nn.LayerNorm(config.dim, eps=CLIP_NORM_EPS),
        )
        self.image_attention = nn.ModuleList(ImageAttention(config) for _ in range(config.num_layers))

    def forward(self, inputs: DitInputs, clip_BSC: Tensor) -> Tensor:
        """The transformer's output with the picture's CLIP rows [B, 257, image_dim] in every cross-attention."""
        image_BSD = self.image_embedding(clip_BSC)
        hooks = []
        for block, branch in zip(self.transformer.blocks, self.image_attention, strict=True):
            assert isinstance(block, Block) and isinstance(branch, ImageAttention)
            hooks.append(block.cross_attn.register_forward_hook(partial(branch.added, image_BSD)))
        try:
            output: Tensor = self.transformer(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        return output


@torch.no_grad()
def image_to_video_from(weights: Mapping[str, Tensor], config: DitConfig, image_dim: int) -> WanImageToVideo:
    """The model filled with an official image-to-video checkpoint, sound branches excepted; every tensor has its place."""
    model = WanImageToVideo(config, image_dim)
    ours = {f"transformer.{name}": tensor for name, tensor in from_wan_official(weights, config.num_heads).items()}
    for name, tensor in weights.items():
        words = name.split(".")
        if words[0] == "img_emb":
            ours[f"image_embedding.{'.'.join(words[2:])}"] = tensor
        elif "_img" in name:
            ours[f"image_attention.{words[1]}.{'.'.join(words[3:])}"] = tensor
    missing, unexpected = model.load_state_dict(ours, strict=False)
    assert not unexpected
    assert all("_audio" in name or ("_embedding" in name and "image" not in name) for name in missing)
    return model
