"""Names in diffusers' `WanTransformer3DModel`. Satisfies `engine.interop.layout.CheckpointLayout`; it must not know files.

The same tensors as in the official layout under other names; diffusers calls the affine norm before cross-attention `norm2`,
the official code `norm3`.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from engine.interop.layout import Shapes
from engine.interop.renaming import WEIGHT_AND_BIAS, Place, both, our_shapes, rename
from engine.interop.wan_sizes import config_of
from engine.model_config import DitConfig

_LAYER: Final = {part: part for part in WEIGHT_AND_BIAS}
_ATTENTION: Final = {
    **both("to_q", "q"),
    **both("to_k", "k"),
    **both("to_v", "v"),
    **both("to_out.0", "o"),
    "norm_q.weight": "norm_q.weight",
    "norm_k.weight": "norm_k.weight",
}
_PLACES: Final = (
    Place(r"blocks\.(\d+)\.attn1", r"blocks.\1.self_attn", _ATTENTION),
    Place(r"blocks\.(\d+)\.attn2", r"blocks.\1.cross_attn", _ATTENTION),
    Place(r"blocks\.(\d+)\.norm2", r"blocks.\1.norm3", _LAYER),
    Place(r"blocks\.(\d+)\.ffn", r"blocks.\1.ffn", both(r"net.0.proj", "0") | both("net.2", "2")),
    Place(r"blocks\.(\d+)", r"blocks.\1", {"scale_shift_table": "modulation"}),
    Place("patch_embedding", "patch_embedding", _LAYER),
    Place(r"condition_embedder\.time_embedder", "time_embedding", both("linear_1", "0") | both("linear_2", "2")),
    Place(r"condition_embedder\.time_proj", "time_projection.1", _LAYER),
    Place(r"condition_embedder\.text_embedder", "text_embedding", both("linear_1", "0") | both("linear_2", "2")),
    Place("proj_out", "head.head", _LAYER),
)
_CLIP: Final = (
    Place(
        r"condition_embedder\.image_embedder",
        "clip",
        both("norm1", "norm1") | both("norm2", "norm2") | both("ff.net.0.proj", "in") | both("ff.net.2", "out")
        | {"pos_embed": "positions"},
    ),
    Place(
        r"blocks\.(\d+)\.attn2",
        r"clip.\1",
        both("add_k_proj", "k") | both("add_v_proj", "v") | {f"norm_added_{x}.weight": f"norm_{x}.weight" for x in "qk"},
    ),
)  # fmt: skip


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of diffusers' Wan2.1 transformer (that of VACE and of Wan-Animate have more)."""
    return {"patch_embedding.weight", "blocks.0.attn1.to_q.weight", "scale_shift_table"} <= set(names)


def config_from(shapes: Shapes, config_json: Mapping[str, Any] | None) -> DitConfig:
    """The config; the number of heads is the config.json's where there is one."""
    facts = config_json or {}
    return config_of(our_shapes(shapes, target_name), facts, facts.get("num_attention_heads"))


def target_name(source_name: str) -> str | None:
    """The official name; None for the CLIP branch, which the paper removes (3.2); `KeyError` for a name of another model."""
    if source_name == "scale_shift_table":
        return "head.modulation"
    try:
        return rename(source_name, _PLACES)
    except KeyError:
        rename(source_name, _CLIP)  # knowingly dropped, or unknown: then this complains
        return None
