"""What the shapes of a UMT5 encoder say about its config, whatever layout they came from."""

from collections.abc import Mapping
from typing import Any

from engine.encoders.umt5 import Umt5Config
from engine.errors import BadInputError
from engine.interop.layout import Shapes


def config_of(our_shapes: Shapes, config_json: Mapping[str, Any] | None) -> Umt5Config:
    """The config, from shapes under our names; the reach of the position table from `config_json`, or as published."""
    told = config_json or {}
    layers = [name for name in our_shapes if name.startswith("layers.") and name.endswith(".q.weight")]
    try:
        vocabulary, width = our_shapes["embedding.weight"]
        num_buckets, num_heads = our_shapes["layers.0.positions.weight"]
        return Umt5Config(
            vocabulary=vocabulary,
            width=width,
            attention_width=our_shapes["layers.0.q.weight"][0],
            ffn_width=our_shapes["layers.0.ffn_in.weight"][0],
            num_heads=num_heads,
            num_layers=len(layers),
            num_buckets=num_buckets,
            max_distance=int(told.get("relative_attention_max_distance", Umt5Config.max_distance)),
            norm_eps=float(told.get("layer_norm_epsilon", Umt5Config.norm_eps)),
        )
    except KeyError as missing:
        raise BadInputError(f"this UMT5 encoder lacks {missing}; fetch the checkpoint again") from None
    except (TypeError, ValueError) as error:
        raise BadInputError(f"this UMT5 encoder has sizes that do not fit each other ({error})") from error
