"""Our Wan VAE is the public one: same weights, same numbers (float32, 3e-5), whole and streamed, layer by layer."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.codec.wan.causal import WanStream
from engine.codec.wan.codec import WanVae
from engine.interop import wan_vae_official

ORACLES = Path(__file__).parents[5] / "shared" / "oracles"
TOLERANCE = 3e-5


@pytest.fixture(scope="module")
def oracle() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for half in ("encoder", "decoder"):
        path = ORACLES / f"wan_vae_tiny_{half}.safetensors"
        if not path.is_file():
            pytest.skip(f"the numeric oracle {path.name} is not beside this checkout (../shared/oracles)")
        tensors |= load_file(path)
    return tensors


@pytest.fixture(scope="module")
def codec(oracle: dict[str, Tensor]) -> WanVae:
    weights = {name.removeprefix("weights."): value for name, value in oracle.items() if name.startswith("weights.")}
    assert wan_vae_official.recognises(weights)
    config = wan_vae_official.config_from({name: tuple(value.shape) for name, value in weights.items()}, None)
    codec = WanVae(config).eval().requires_grad_(False)
    codec.load_state_dict(
        {
            str(wan_vae_official.target_name(name)): wan_vae_official.transform(name, value)
            for name, value in weights.items()
        },
        strict=True,
    )
    return codec


def frames_first(film_BCTHW: Tensor) -> Tensor:
    return film_BCTHW.transpose(1, 2)


def outputs_of(layers: dict[str, nn.Module], run: Callable[[], Tensor]) -> dict[str, Tensor]:
    """What each of the layers gives while `run` runs, and what that gives, as "whole"."""
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, output: seen.update({name: output})

    hooks = [module.register_forward_hook(keep(name)) for name, module in layers.items()]
    seen["whole"] = run()
    for hook in hooks:
        hook.remove()
    return seen


def error(ours: Tensor, theirs: Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


def test_the_config_is_read_from_the_weights(codec: WanVae) -> None:
    facts = json.loads((ORACLES / "wan_vae_tiny_encoder.json").read_text())
    config = codec.config
    assert (config.encoder_width, config.decoder_width) == (facts["config"]["dim"],) * 2
    assert list(config.width_multipliers) == facts["config"]["dim_mult"]
    assert list(config.halves_time) == facts["config"]["temperal_downsample"]
    assert list(config.latent_mean) == facts["latents_mean"]
    assert list(config.latent_std) == facts["latents_std"]


@pytest.mark.parametrize("num_frames", [1, 5, 17])
def test_encode(codec: WanVae, oracle: dict[str, Tensor], num_frames: int) -> None:
    latents_BFCHW = codec.encode(frames_first(oracle[f"encode{num_frames}.video"]))
    assert error(latents_BFCHW, frames_first(oracle[f"encode{num_frames}.latent"])) < TOLERANCE


@pytest.mark.parametrize("cuts", [(1, 4, 12), (3, 3, 3, 8), (2, 0, 15)])
def test_encode_streamed(codec: WanVae, oracle: dict[str, Tensor], cuts: tuple[int, ...]) -> None:
    state = codec.initial_encoder_state()
    parts = [codec.encode_chunk(part, state) for part in frames_first(oracle["encode17.video"]).split(cuts, dim=1)]
    assert error(torch.cat(parts, dim=1), frames_first(oracle["encode17.latent"])) < TOLERANCE


def test_frames_that_fill_no_latent_wait(codec: WanVae, oracle: dict[str, Tensor]) -> None:
    """Seven frames give the latents of five."""
    seven_BTCHW = torch.cat([frames_first(oracle["encode5.video"]), torch.zeros(1, 2, 3, 48, 64)], dim=1)
    latents_BFCHW = codec.encode_chunk(seven_BTCHW, codec.initial_encoder_state())
    assert error(latents_BFCHW, frames_first(oracle["encode5.latent"])) < TOLERANCE


@pytest.mark.parametrize("num_latents", [1, 2, 5])
def test_decode(codec: WanVae, oracle: dict[str, Tensor], num_latents: int) -> None:
    pixels_BTCHW = codec.decode(frames_first(oracle[f"decode{num_latents}.latent"]))
    assert error(pixels_BTCHW, frames_first(oracle[f"decode{num_latents}.video"])) < TOLERANCE


@pytest.mark.parametrize("cuts", [(1, 1, 1, 1, 1), (2, 3), (1, 4)])
def test_decode_streamed(codec: WanVae, oracle: dict[str, Tensor], cuts: tuple[int, ...]) -> None:
    state = codec.initial_state()
    parts = [codec.decode_chunk(part, state) for part in frames_first(oracle["decode5.latent"]).split(cuts, dim=1)]
    assert error(torch.cat(parts, dim=1), frames_first(oracle["decode5.video"])) < TOLERANCE


def test_encoder_layer_by_layer(codec: WanVae, oracle: dict[str, Tensor]) -> None:
    stream, moments = WanStream(), []
    layers = {
        "downsamples5": codec.encoder.stages[5],
        "downsamples8": codec.encoder.stages[8],
        "middle2": codec.encoder.middle,
        "encoder_out": codec.encoder,
    }
    for chunk, part_BCTHW in enumerate(oracle["encode5.video"].split([1, 4], dim=2)):
        seen = outputs_of(layers, partial(codec.encoder, part_BCTHW, stream))
        moments.append(codec.mix_moments(seen["whole"]))
        for name in layers:
            assert error(seen[name], oracle[f"encode5.inter.chunk{chunk}.{name}"]) < TOLERANCE, name
    assert error(torch.cat(moments, dim=2), oracle["encode5.inter.moments_mu_logvar"]) < TOLERANCE


def test_decoder_layer_by_layer(codec: WanVae, oracle: dict[str, Tensor]) -> None:
    latent_BFCHW, stream = frames_first(oracle["decode2.latent"]), WanStream()
    raw_BFCHW = latent_BFCHW * codec.latent_std[:, None, None] + codec.latent_mean[:, None, None]
    mixed_BCFHW = codec.mix_latents(raw_BFCHW.transpose(1, 2))
    assert error(mixed_BCFHW, oracle["decode2.inter.conv2"]) < TOLERANCE
    layers = {
        "conv1": codec.decoder.conv_in,
        "middle0": codec.decoder.middle.before,
        "middle1": codec.decoder.middle.attention,
        "middle2": codec.decoder.middle.after,
        "upsamples3": codec.decoder.levels[0],
    }
    for chunk, part_BCFHW in enumerate(mixed_BCFHW.split(1, dim=2)):
        seen = outputs_of(layers, partial(codec.decoder, part_BCFHW, stream))
        for name in layers:
            assert error(seen[name], oracle[f"decode2.inter.chunk{chunk}.{name}"]) < TOLERANCE, name
