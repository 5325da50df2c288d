"""Names in the official `Wan2.1_VAE.pth`. Satisfies `engine.interop.layout.TransformingLayout`; must not know files."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from torch import Tensor

from engine.codec.wan.config import WanVaeConfig
from engine.errors import BadInputError
from engine.interop.layout import Shapes
from engine.interop.renaming import WEIGHT_AND_BIAS, Place, both, our_shapes, rename
from engine.interop.wan_vae_sizes import config_of, reshaped

_BLOCKS_PER_LEVEL: Final = 2  # the decoder's numbers run through all levels: without it they say no level
_DECODER_STAGES: Final = _BLOCKS_PER_LEVEL + 2
_NUM_LEVELS: Final = 16  # more than any VAE has
_LAYER: Final = {part: part for part in WEIGHT_AND_BIAS}
_BLOCK: Final = {
    "residual.0.gamma": "norm_in.gain",
    "residual.3.gamma": "norm_out.gain",
    **both("residual.2", "conv_in.conv"),
    **both("residual.6", "conv_out.conv"),
    **both("shortcut", "shortcut"),
}
_ATTENTION: Final = {"norm.gamma": "norm.gain", **both("to_qkv", "qkv"), **both("proj", "out")}
_SHRINK: Final = both("resample.1", "space") | both("time_conv", "time.conv")
_GROW: Final = both("resample.1", "space") | both("time_conv", "time.taps.conv")
_ENDS: Final = {**both("conv1", "conv_in.conv"), "head.0.gamma": "norm_out.gain", **both("head.2", "conv_out.conv")}
_DECODER_LEVELS: Final = tuple(
    place
    for level in range(_NUM_LEVELS)
    for place in (
        *(
            Place(
                rf"decoder\.upsamples\.{level * _DECODER_STAGES + block}",
                f"decoder.levels.{level}.blocks.{block}",
                _BLOCK,
            )
            for block in range(_BLOCKS_PER_LEVEL + 1)
        ),
        Place(rf"decoder\.upsamples\.{(level + 1) * _DECODER_STAGES - 1}", f"decoder.levels.{level}.grow", _GROW),
    )
)
_PLACES: Final = (
    Place(r"encoder\.downsamples\.(\d+)", r"encoder.stages.\1", _BLOCK | _SHRINK),
    *_DECODER_LEVELS,
    Place(r"(encoder|decoder)\.middle\.0", r"\1.middle.before", _BLOCK),
    Place(r"(encoder|decoder)\.middle\.1", r"\1.middle.attention", _ATTENTION),
    Place(r"(encoder|decoder)\.middle\.2", r"\1.middle.after", _BLOCK),
    Place(r"(encoder|decoder)", r"\1", _ENDS),
    Place("conv1", "mix_moments", _LAYER),
    Place("conv2", "mix_latents", _LAYER),
)


def recognises(names: Collection[str]) -> bool:
    """Whether these are the names of an official Wan2.1 VAE."""
    return {"encoder.downsamples.0.residual.0.gamma", "decoder.upsamples.0.residual.0.gamma"} <= set(names)


def config_from(shapes: Shapes, config_json: Mapping[str, Any] | None) -> WanVaeConfig:
    """The config; `BadInputError` for a number of blocks that the official code never had."""
    config = config_of(our_shapes(shapes, target_name), config_json)
    if config.blocks_per_level != _BLOCKS_PER_LEVEL:
        raise BadInputError(
            f"this Wan VAE has {config.blocks_per_level} blocks a level where the official ones have {_BLOCKS_PER_LEVEL}; "
            "convert it from the diffusers layout"
        )
    return config


def target_name(source_name: str) -> str | None:
    """Our name for a tensor; `KeyError` for a name that is not in this layout. Nothing is dropped."""
    return rename(source_name, _PLACES)


def transform(source_name: str, tensor: Tensor) -> Tensor:
    """The tensor in our shape."""
    return reshaped(rename(source_name, _PLACES), tensor)
