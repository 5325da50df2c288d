"""Names in the official Wan2.1 checkpoints, text to video and image to video. Satisfies `engine.interop.layout.CheckpointLayout`.

Our names are the official ones. Called by `lpm models convert` and by the oracle tests. It must not know files.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from torch import Tensor

from engine.interop.dit_weights import adapted, half_split_order
from engine.interop.layout import Shapes
from engine.interop.wan_sizes import config_of
from engine.model_config import DitConfig

__all__ = ["config_from", "from_wan_official", "half_split_order", "recognises", "target_name"]

_IN_BLOCK: Final = (
    r"self_attn\.(?:(?:q|k|v|o)\.(?:weight|bias)|norm_[qk]\.weight)",
    r"cross_attn\.(?:(?:q|k|v|o)\.(?:weight|bias)|norm_[qk]\.weight)",
    r"norm3\.(?:weight|bias)",
    r"ffn\.[02]\.(?:weight|bias)",
    r"modulation",
)
_OUTSIDE: Final = (
    r"patch_embedding\.(?:weight|bias)",
    r"(?:text|time)_embedding\.[02]\.(?:weight|bias)",
    r"time_projection\.1\.(?:weight|bias)",
    r"head\.head\.(?:weight|bias)",
    r"head\.modulation",
)
_KNOWN: Final = re.compile("|".join((rf"blocks\.\d+\.(?:{'|'.join(_IN_BLOCK)})", *_OUTSIDE)))
_CLIP: Final = re.compile(r"img_emb\..+|blocks\.\d+\.cross_attn\.(?:[kv]_img\.(?:weight|bias)|norm_k_img\.weight)")


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of an official Wan2.1 transformer."""
    return {"patch_embedding.weight", "blocks.0.self_attn.q.weight", "head.modulation"} <= set(names)


def config_from(shapes: Shapes, config_json: Mapping[str, Any] | None) -> DitConfig:
    """The config; the number of heads is the config.json's where there is one."""
    facts = config_json or {}
    return config_of(shapes, facts, facts.get("num_heads"))


def target_name(source_name: str) -> str | None:
    """The same name; None for the CLIP branch, which the paper removes (3.2); `KeyError` for a name of another model."""
    if _CLIP.fullmatch(source_name):
        return None
    if _KNOWN.fullmatch(source_name):
        return source_name
    raise KeyError(source_name)


def from_wan_official(weights: Mapping[str, Tensor], num_heads: int) -> dict[str, Tensor]:
    """All tensors of a small official checkpoint at once, as a transformer takes them; no patch channel is dropped."""
    targets = ((target_name(name), tensor) for name, tensor in weights.items())
    every_channel = weights["patch_embedding.weight"].shape[1]
    return {name: adapted(name, tensor, num_heads, every_channel) for name, tensor in targets if name is not None}
