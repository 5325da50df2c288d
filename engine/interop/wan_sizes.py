"""Sizes of a Wan2.1 transformer from the shapes of its checkpoint. Called by the layouts `wan_official` and `wan_diffusers`."""

import re
from collections.abc import Mapping
from typing import Any, Final

from engine.errors import BadInputError
from engine.interop.layout import Shapes
from engine.model_config import DitConfig, ReferencePositions

PUBLISHED_HEAD_WIDTH: Final = 128
"""Every published Wan2.1 has heads of this width; a checkpoint of another one must say so in its config.json."""

AUDIO_DIM: Final = 768
"""Width of wav2vec2's rows in its base form, which the sound branches are made for unless the caller says otherwise."""


def config_of(shapes: Shapes, config_json: Mapping[str, Any], num_heads: int | None) -> DitConfig:
    """The config for tensors under the official names; `BadInputError` for sizes that our class does not have.

    Input channels beyond the output's are those of image-to-video (4 of mask, 16 of picture); they are dropped (paper 3.2).
    """
    try:
        patch_weight, head_weight = shapes["patch_embedding.weight"], shapes["head.head.weight"]
        dim, _, *patch = patch_weight
        out_channels, rest = divmod(head_weight[0], patch[0] * patch[1] * patch[2])
        layers = {int(match[1]) for name in shapes if (match := re.match(r"blocks\.(\d+)\.", name))}
        ffn_dim = shapes["blocks.0.ffn.0.weight"][0]
        text_dim, frequency_dim = shapes["text_embedding.0.weight"][1], shapes["time_embedding.0.weight"][1]
    except (KeyError, ValueError, IndexError) as error:
        raise BadInputError(
            f"the checkpoint lacks or garbles {error} of a Wan2.1 transformer; fetch it again, whole"
        ) from None
    if rest or layers != set(range(len(layers))):
        raise BadInputError(f"{len(layers)} layers and {head_weight[0]} head rows are no whole Wan2.1 transformer")
    if num_heads is None:
        if dim % PUBLISHED_HEAD_WIDTH:
            raise BadInputError(f"a model {dim} wide is no published Wan2.1: put its config.json beside the weights")
        num_heads = dim // PUBLISHED_HEAD_WIDTH
    try:
        return DitConfig(
            dim=dim,
            ffn_dim=ffn_dim,
            num_layers=len(layers),
            num_heads=num_heads,
            patch_size=(patch[0], patch[1], patch[2]),
            in_channels=out_channels,
            out_channels=out_channels,
            text_dim=text_dim,
            speak_dim=AUDIO_DIM,
            listen_dim=AUDIO_DIM,
            frequency_dim=frequency_dim,
            reference_positions=ReferencePositions(origin=64),
            norm_eps=float(config_json.get("eps", 1e-6)),
        )
    except (ValueError, ZeroDivisionError) as error:
        raise BadInputError(f"the checkpoint's sizes do not fit our transformer: {error}") from None
