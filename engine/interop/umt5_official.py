"""Names in Wan2.1's `models_t5_umt5-xxl-enc-bf16.pth`. Satisfies `engine.interop.layout.CheckpointLayout`."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from engine.encoders.umt5 import Umt5Config
from engine.interop.layout import Shapes
from engine.interop.renaming import Place, our_shapes, rename
from engine.interop.umt5_sizes import config_of

_LAYER: Final = {
    "norm1.weight": "attention_norm.weight",
    "attn.q.weight": "q.weight",
    "attn.k.weight": "k.weight",
    "attn.v.weight": "v.weight",
    "attn.o.weight": "attention_out.weight",
    "pos_embedding.embedding.weight": "positions.weight",
    "norm2.weight": "ffn_norm.weight",
    "ffn.gate.0.weight": "ffn_gate.weight",
    "ffn.fc1.weight": "ffn_in.weight",
    "ffn.fc2.weight": "ffn_out.weight",
}
_PLACES: Final = (
    Place(r"blocks\.(\d+)", r"layers.\1", _LAYER),
    Place("token_embedding", "embedding", {"weight": "weight"}),
    Place("norm", "norm", {"weight": "weight"}),
)


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of Wan2.1's text encoder."""
    return {"token_embedding.weight", "blocks.0.pos_embedding.embedding.weight"} <= set(names)


def config_from(shapes: Shapes, config_json: Mapping[str, Any] | None) -> Umt5Config:
    """The config; all but the reach of the positions can be told from the shapes."""
    return config_of(our_shapes(shapes, target_name), config_json)


def target_name(source_name: str) -> str | None:
    """Our name for a tensor; `KeyError` for a name that is not in this layout. Nothing is dropped."""
    return rename(source_name, _PLACES)
