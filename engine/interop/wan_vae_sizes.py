"""What the shapes of a Wan VAE say about its config, whatever layout they came from; and which tensors change their shape."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.codec.wan.config import LATENT_MEAN, LATENT_STD, WanVaeConfig
from engine.errors import BadInputError
from engine.interop.layout import Shapes


def config_of(our_shapes: Shapes, config_json: Mapping[str, Any] | None) -> WanVaeConfig:
    """The config, from shapes under our names; the statistics of latents from `config_json`, or the published ones."""
    shrinks = sorted(_stage(name) for name in our_shapes if name.endswith(".space.weight") and ".stages." in name)
    num_stages = 1 + max((_stage(name) for name in our_shapes if ".stages." in name), default=-1)
    try:
        first_blocks = [0, *(stage + 1 for stage in shrinks)]
        widths = [our_shapes[f"encoder.stages.{stage}.conv_out.conv.weight"][0] for stage in first_blocks]
        encoder_width = our_shapes["encoder.conv_in.conv.weight"][0]
        decoder_width = our_shapes["decoder.norm_out.gain"][0] * encoder_width // widths[0]
        latent_channels = our_shapes["mix_latents.weight"][0]
    except KeyError as missing:
        raise BadInputError(f"this Wan VAE lacks {missing}; fetch the checkpoint again") from None
    statistics = _statistics(latent_channels, config_json)
    try:
        return WanVaeConfig(
            encoder_width=encoder_width,
            decoder_width=decoder_width,
            latent_channels=latent_channels,
            width_multipliers=tuple(width // encoder_width for width in widths),
            blocks_per_level=shrinks[0] if shrinks else num_stages,
            halves_time=tuple(f"encoder.stages.{stage}.time.conv.weight" in our_shapes for stage in shrinks),
            latent_mean=statistics[0],
            latent_std=statistics[1],
        )
    except ValueError as error:
        raise BadInputError(f"this Wan VAE has sizes that do not fit each other ({error})") from error


def reshaped(our_name: str, tensor: Tensor) -> Tensor:
    """Gains are vectors here and the attention's 1x1 convolutions matrices."""
    if our_name.endswith(".gain"):
        return tensor.flatten()
    if our_name.endswith(("attention.qkv.weight", "attention.out.weight")):
        return tensor.flatten(1)
    return tensor


def _stage(name: str) -> int:
    return int(name.split(".")[2])


def _statistics(
    latent_channels: int, config_json: Mapping[str, Any] | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    told = config_json or {}
    if "latents_mean" in told and "latents_std" in told:
        try:
            return tuple(map(float, told["latents_mean"])), tuple(map(float, told["latents_std"]))
        except (TypeError, ValueError):
            raise BadInputError("latents_mean and latents_std in config.json must be lists of numbers") from None
    if latent_channels != len(LATENT_MEAN):
        raise BadInputError(
            f"the mean and deviation of the {latent_channels} latent channels are not known: put the config.json with "
            "latents_mean and latents_std beside the weights"
        )
    return LATENT_MEAN, LATENT_STD
