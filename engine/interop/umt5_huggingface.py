"""Names in transformers' `UMT5EncoderModel`, and in whole UMT5 models, of which only the encoder is kept.

Satisfies `engine.interop.layout.CheckpointLayout`.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from engine.encoders.umt5 import Umt5Config
from engine.interop.layout import Shapes
from engine.interop.renaming import Place, our_shapes, rename
from engine.interop.umt5_sizes import config_of

_LAYER: Final = {
    "layer.0.layer_norm.weight": "attention_norm.weight",
    "layer.0.SelfAttention.q.weight": "q.weight",
    "layer.0.SelfAttention.k.weight": "k.weight",
    "layer.0.SelfAttention.v.weight": "v.weight",
    "layer.0.SelfAttention.o.weight": "attention_out.weight",
    "layer.0.SelfAttention.relative_attention_bias.weight": "positions.weight",
    "layer.1.layer_norm.weight": "ffn_norm.weight",
    "layer.1.DenseReluDense.wi_0.weight": "ffn_gate.weight",
    "layer.1.DenseReluDense.wi_1.weight": "ffn_in.weight",
    "layer.1.DenseReluDense.wo.weight": "ffn_out.weight",
}
_PLACES: Final = (
    Place(r"encoder\.block\.(\d+)", r"layers.\1", _LAYER),
    Place("shared", "embedding", {"weight": "weight"}),
    Place(r"encoder\.final_layer_norm", "norm", {"weight": "weight"}),
)
_SECOND_COPY: Final = "encoder.embed_tokens.weight"  # of shared.weight
_OTHER_PARTS: Final = ("decoder.", "lm_head.")


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of a UMT5 (a plain T5 has a position table in its first layer only)."""
    table = "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias.weight"
    has_second_layer = "encoder.block.1.layer.0.SelfAttention.q.weight" in names
    return "shared.weight" in names and table.format(1 if has_second_layer else 0) in names


def config_from(shapes: Shapes, config_json: Mapping[str, Any] | None) -> Umt5Config:
    """The config; all but the reach of the positions and the norm's epsilon can be told from the shapes."""
    return config_of(our_shapes(shapes, target_name), config_json)


def target_name(source_name: str) -> str | None:
    """Our name for a tensor; None for the decoder and for the second copy of the embedding; `KeyError` for any other name."""
    if source_name == _SECOND_COPY or source_name.startswith(_OTHER_PARTS):
        return None
    return rename(source_name, _PLACES)
