"""Names in diffusers' `AutoencoderKLWan`. Satisfies `engine.interop.layout.TransformingLayout`; must not know files."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from torch import Tensor

from engine.codec.wan.config import WanVaeConfig
from engine.interop.layout import Shapes
from engine.interop.renaming import WEIGHT_AND_BIAS, Place, both, our_shapes, rename
from engine.interop.wan_vae_sizes import config_of, reshaped

_LAYER: Final = {part: part for part in WEIGHT_AND_BIAS}
_BLOCK: Final = {
    "norm1.gamma": "norm_in.gain",
    "norm2.gamma": "norm_out.gain",
    **both("conv1", "conv_in.conv"),
    **both("conv2", "conv_out.conv"),
    **both("conv_shortcut", "shortcut"),
}
_ATTENTION: Final = {"norm.gamma": "norm.gain", **both("to_qkv", "qkv"), **both("proj", "out")}
_SHRINK: Final = both("resample.1", "space") | both("time_conv", "time.conv")
_GROW: Final = both("resample.1", "space") | both("time_conv", "time.taps.conv")
_ENDS: Final = {
    **both("conv_in", "conv_in.conv"),
    "norm_out.gamma": "norm_out.gain",
    **both("conv_out", "conv_out.conv"),
}
_PLACES: Final = (
    Place(r"encoder\.down_blocks\.(\d+)", r"encoder.stages.\1", _BLOCK | _SHRINK),
    Place(r"decoder\.up_blocks\.(\d+)\.resnets\.(\d+)", r"decoder.levels.\1.blocks.\2", _BLOCK),
    Place(r"decoder\.up_blocks\.(\d+)\.upsamplers\.0", r"decoder.levels.\1.grow", _GROW),
    Place(r"(encoder|decoder)\.mid_block\.resnets\.0", r"\1.middle.before", _BLOCK),
    Place(r"(encoder|decoder)\.mid_block\.attentions\.0", r"\1.middle.attention", _ATTENTION),
    Place(r"(encoder|decoder)\.mid_block\.resnets\.1", r"\1.middle.after", _BLOCK),
    Place(r"(encoder|decoder)", r"\1", _ENDS),
    Place("quant_conv", "mix_moments", _LAYER),
    Place("post_quant_conv", "mix_latents", _LAYER),
)


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of diffusers' Wan2.1 VAE (that of Wan2.2, with residual levels, is another network)."""
    return {"encoder.down_blocks.0.norm1.gamma", "decoder.up_blocks.0.resnets.0.norm1.gamma"} <= set(names)


def config_from(shapes: Shapes, config_json: Mapping[str, Any] | None) -> WanVaeConfig:
    """The config; the statistics of the latents are in `config_json`."""
    return config_of(our_shapes(shapes, target_name), config_json)


def target_name(source_name: str) -> str | None:
    """Our name for a tensor; `KeyError` for a name that is not in this layout. Nothing is dropped."""
    return rename(source_name, _PLACES)


def transform(source_name: str, tensor: Tensor) -> Tensor:
    """The tensor in our shape."""
    return reshaped(rename(source_name, _PLACES), tensor)
