"""VAEs that diffusers makes, of other sizes and seeds, convert and agree within 5e-5 in float32."""

import warnings
from typing import Any

import pytest
import torch

from engine.codec.wan.codec import WanVae
from engine.errors import BadInputError
from engine.interop import wan_vae_diffusers, wan_vae_official

TOLERANCE = 5e-5
CASES = [
    {"base_dim": 4, "z_dim": 4, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "temperal_downsample": [False, True, True]},
    {"base_dim": 6, "z_dim": 3, "dim_mult": [1, 2, 2], "num_res_blocks": 1, "temperal_downsample": [True, True]},
    {"base_dim": 12, "z_dim": 5, "dim_mult": [1, 3], "num_res_blocks": 3, "temperal_downsample": [False]},
    {"base_dim": 4, "decoder_base_dim": 8, "z_dim": 2, "dim_mult": [2, 2, 4], "num_res_blocks": 2, "temperal_downsample": [True, False]},
]  # fmt: skip


def diffusers_vae(case: dict[str, Any], seed: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diffusers = pytest.importorskip(
            "diffusers", reason="diffusers is not installed (pip install lpm-studio[peers])"
        )
        torch.manual_seed(seed)
        statistics = {
            "latents_mean": torch.randn(case["z_dim"]).tolist(),
            "latents_std": [0.5 + i for i in range(case["z_dim"])],
        }
        theirs = diffusers.AutoencoderKLWan(**case, **statistics).eval().requires_grad_(False)
    for weight in theirs.parameters():
        weight.copy_(torch.randn_like(weight) * (0.2 if weight.ndim == 1 else weight[0].numel() ** -0.5))
    for name, gain in theirs.named_parameters():
        if name.endswith("gamma"):
            gain.copy_(1 + 0.2 * torch.randn_like(gain))
    return theirs


@pytest.mark.parametrize("case", CASES)
def test_a_vae_made_by_diffusers_gives_the_same_numbers(case: dict[str, Any]) -> None:
    theirs = diffusers_vae(case, seed=len(case["dim_mult"]))
    weights = theirs.state_dict()
    assert wan_vae_diffusers.recognises(weights)
    assert not wan_vae_official.recognises(weights)
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    ours = WanVae(wan_vae_diffusers.config_from(shapes, dict(theirs.config))).eval().requires_grad_(False)
    ours.load_state_dict(
        {
            str(wan_vae_diffusers.target_name(name)): wan_vae_diffusers.transform(name, tensor)
            for name, tensor in weights.items()
        },
        strict=True,
    )
    video_BCTHW = torch.rand(1, 3, 9, 16, 8) * 2 - 1
    mean = torch.tensor(theirs.config.latents_mean)[:, None, None, None]
    std = torch.tensor(theirs.config.latents_std)[:, None, None, None]
    their_latents = (theirs.encode(video_BCTHW).latent_dist.mode() - mean) / std
    our_latents = ours.encode(video_BCTHW.transpose(1, 2)).transpose(1, 2)
    assert (our_latents - their_latents).abs().max() < TOLERANCE
    their_video = theirs._decode(their_latents * std + mean, return_dict=False)[0]
    our_video = ours.decode(their_latents.transpose(1, 2)).transpose(1, 2)
    assert their_video.abs().max() <= 1.0  # it clamps, we do not
    assert (our_video.clamp(-1, 1) - their_video).abs().max() < TOLERANCE


@pytest.mark.parametrize("layout", [wan_vae_diffusers, wan_vae_official])
@pytest.mark.parametrize("name", ["encoder.unknown.weight", "decoder.conv_in.gamma", "stranger", "conv1.weight.extra"])
def test_a_name_of_no_layout_is_a_key_error(layout: Any, name: str) -> None:
    with pytest.raises(KeyError, match=name):
        layout.target_name(name)


def official_shapes(num_blocks: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.conv1.weight": (8, 3, 3, 3, 3),
        "decoder.head.0.gamma": (8, 1, 1, 1),
        "conv2.weight": (16, 16, 1, 1, 1),
        f"encoder.downsamples.{num_blocks}.resample.1.weight": (8, 8, 3, 3),
    }
    for stage in (*range(num_blocks), *range(num_blocks + 1, 2 * num_blocks + 1)):
        shapes[f"encoder.downsamples.{stage}.residual.6.weight"] = (8, 8, 3, 3, 3)
    return shapes


def test_official_weights_with_another_number_of_blocks_are_refused() -> None:
    assert wan_vae_official.config_from(official_shapes(2), None).width_multipliers == (1, 1)
    with pytest.raises(BadInputError, match="3 blocks a level"):
        wan_vae_official.config_from(official_shapes(3), None)


def test_latents_of_unknown_statistics_are_refused() -> None:
    shapes = official_shapes(2) | {"conv2.weight": (8, 8, 1, 1, 1)}
    with pytest.raises(BadInputError, match=r"config.json"):
        wan_vae_official.config_from(shapes, None)
    with pytest.raises(BadInputError, match="lists of numbers"):
        wan_vae_official.config_from(shapes, {"latents_mean": 3, "latents_std": ["x"]})


def test_a_checkpoint_without_its_first_layer_is_refused() -> None:
    shapes = {name: shape for name, shape in official_shapes(2).items() if name != "encoder.conv1.weight"}
    with pytest.raises(BadInputError, match="lacks"):
        wan_vae_official.config_from(shapes, None)
