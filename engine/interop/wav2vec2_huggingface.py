"""Names in transformers' `Wav2Vec2Model`, alone or inside a model with a head, with either name of the position kernel.

Satisfies `engine.interop.layout.CheckpointLayout`. The mask's embedding, heads and quantisers serve training and are dropped.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from engine.encoders.wav2vec2 import Wav2Vec2Config, Wav2Vec2Rows
from engine.errors import BadInputError
from engine.interop.layout import Shapes
from engine.interop.renaming import Place, both, our_shapes, rename

_CONVOLUTION: Final = both("conv", "conv")
_LAYER: Final = {
    **both("attention.q_proj", "q"),
    **both("attention.k_proj", "k"),
    **both("attention.v_proj", "v"),
    **both("attention.out_proj", "attention_out"),
    **both("layer_norm", "attention_norm"),
    **both("feed_forward.intermediate_dense", "ffn_in"),
    **both("feed_forward.output_dense", "ffn_out"),
    **both("final_layer_norm", "ffn_norm"),
}
_POSITIONS: Final = {
    "parametrizations.weight.original0": "gain",
    "parametrizations.weight.original1": "direction",
    "weight_g": "gain",
    "weight_v": "direction",
    "bias": "bias",
}
_PLACES: Final = (
    Place(r"feature_extractor\.conv_layers\.(\d+)", r"convolutions.\1", _CONVOLUTION | both("layer_norm", "norm")),
    Place(r"feature_projection\.layer_norm", "sound_norm", {"weight": "weight", "bias": "bias"}),
    Place(r"feature_projection\.projection", "sound_in", {"weight": "weight", "bias": "bias"}),
    Place(r"encoder\.pos_conv_embed\.conv", "positions", _POSITIONS),
    Place(r"encoder\.layers\.(\d+)", r"layers.\1", _LAYER),
    Place(r"encoder\.layer_norm", "norm", {"weight": "weight", "bias": "bias"}),
)
_PREFIX: Final = "wav2vec2."
_DROPPED: Final = (
    "masked_spec_embed",
    "lm_head.",
    "quantizer.",
    "project_q.",
    "project_hid.",
    "projector.",
    "classifier.",
)
_SECOND_NORM: Final = "convolutions.1.norm.weight"  # only the layer form has it


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of a wav2vec 2.0 model."""
    bare = {name.removeprefix(_PREFIX) for name in names}
    return {"feature_extractor.conv_layers.0.conv.weight", "encoder.layers.0.attention.q_proj.weight"} <= bare and any(
        name.startswith("encoder.pos_conv_embed.conv.") for name in bare
    )


def config_from(shapes: Shapes, config_json: Mapping[str, Any] | None) -> Wav2Vec2Config:
    """The config; heads of 64 and the published strides where no `config_json` says otherwise."""
    told, ours = config_json or {}, our_shapes(shapes, target_name)
    form: Literal["group", "layer"] = "layer" if _SECOND_NORM in ours else "group"
    if told.get("do_stable_layer_norm", form == "layer") != (form == "layer"):
        raise BadInputError("this wav2vec 2.0 model mixes the norms of both published forms, which no public one does")
    try:
        widths, kernels = zip(
            *(ours[f"convolutions.{i}.conv.weight"][::2] for i in _indices(ours, "convolutions")), strict=True
        )
        width, group_width, taps = ours["positions.direction"]
        num_layers = len(_indices(ours, "layers"))
        return Wav2Vec2Config(
            form=form,
            convolution_widths=widths,
            convolution_kernels=kernels,
            convolution_strides=tuple(map(int, told.get("conv_stride", Wav2Vec2Config.convolution_strides))),
            has_convolution_bias="convolutions.0.conv.bias" in ours,
            width=width,
            ffn_width=ours["layers.0.ffn_in.weight"][0],
            num_heads=int(told.get("num_attention_heads", max(width // 64, 1))),
            num_layers=num_layers,
            position_taps=taps,
            position_groups=width // group_width,
            norm_eps=float(told.get("layer_norm_eps", Wav2Vec2Config.norm_eps)),
            rows=Wav2Vec2Rows(layers=(round(num_layers * 2 / 3),)),
        )
    except KeyError as missing:
        raise BadInputError(f"this wav2vec 2.0 model lacks {missing}; fetch the checkpoint again") from None
    except (TypeError, ValueError) as error:
        raise BadInputError(f"this wav2vec 2.0 model has sizes that do not fit each other ({error})") from error


def target_name(source_name: str) -> str | None:
    """Our name for a tensor; None for what only training needs; `KeyError` for a name that is not in this layout."""
    bare = source_name.removeprefix(_PREFIX)
    return None if bare.startswith(_DROPPED) else rename(bare, _PLACES)


def _indices(names: Mapping[str, tuple[int, ...]], part: str) -> list[int]:
    return sorted({int(name.split(".")[1]) for name in names if name.startswith(f"{part}.")})
