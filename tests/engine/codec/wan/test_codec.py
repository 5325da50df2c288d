"""The Wan VAE as a codec: its arithmetic, causality, streams in both directions, and what it refuses."""

import copy

import pytest
import torch
from torch import Tensor

from engine.codec.folded_vae import FoldedVae, FoldedVaeConfig
from engine.codec.protocol import VideoCodec
from engine.codec.wan.codec import WanVae
from engine.codec.wan.config import WAN_VAE, WanVaeConfig

SMALL = WanVaeConfig(
    encoder_width=4,
    decoder_width=6,
    latent_channels=3,
    width_multipliers=(1, 2, 3),
    blocks_per_level=1,
    halves_time=(True, True),
    latent_mean=(0.5, -1.0, 0.0),
    latent_std=(2.0, 0.5, 1.0),
)
FOLDED = FoldedVaeConfig(
    latent_channels=4, strides=(4,), encoder_widths=(8,), encoder_blocks=(1,), decoder_widths=(8,), decoder_blocks=(1,)
)


@pytest.fixture(scope="module")
def codec() -> WanVae:
    torch.manual_seed(0)
    return WanVae(SMALL).eval().requires_grad_(False)


def film(num_frames: int) -> Tensor:
    return torch.rand(2, num_frames, 3, 16, 24, generator=torch.Generator().manual_seed(num_frames)) * 2 - 1


@pytest.mark.parametrize("codec_of_any_kind", [WanVae(SMALL), FoldedVae(FOLDED)], ids=["wan", "folded"])
def test_one_arithmetic_for_every_codec(codec_of_any_kind: VideoCodec) -> None:
    """As few latents as cover the frames; each latent after the first adds `frames_per_latent`."""
    codec = codec_of_any_kind
    assert codec.num_latents(0) == codec.num_frames(0) == 0
    for num_frames in range(1, 40):
        num_latents = codec.num_latents(num_frames)
        assert codec.num_frames(num_latents - 1) < num_frames <= codec.num_frames(num_latents)
    for num_latents in range(1, 10):
        assert codec.num_latents(codec.num_frames(num_latents)) == num_latents
        assert codec.num_frames(num_latents + 1) - codec.num_frames(num_latents) == codec.frames_per_latent


def test_shapes_are_those_of_the_arithmetic(codec: WanVae) -> None:
    latents = codec.encode(film(9))
    assert latents.shape == (2, codec.num_latents(9), 3, 4, 6) == (2, 3, 3, 4, 6)
    assert codec.decode(latents).shape == (2, codec.num_frames(3), 3, 16, 24)


def test_the_published_size_has_strides_of_four_and_eight() -> None:
    assert (WAN_VAE.frames_per_latent, WAN_VAE.spatial_stride) == (4, 8)
    with torch.device("meta"):
        num_parameters = sum(weight.numel() for weight in WanVae(WAN_VAE).parameters())
    assert num_parameters == 126_892_531


@pytest.mark.parametrize("cuts", [(1, 1, 1), (2, 1), (1, 2)])
def test_streamed_decode_equals_whole(codec: WanVae, cuts: tuple[int, ...]) -> None:
    latents = codec.encode(film(9))
    state = codec.initial_state()
    streamed = torch.cat([codec.decode_chunk(part, state) for part in latents.split(cuts, dim=1)], dim=1)
    assert torch.allclose(codec.decode(latents), streamed, atol=1e-6)


@pytest.mark.parametrize("cuts", [(1,) * 9, (4, 5), (2, 6, 1), (9,)])
def test_streamed_encode_equals_whole(codec: WanVae, cuts: tuple[int, ...]) -> None:
    state = codec.initial_encoder_state()
    streamed = torch.cat([codec.encode_chunk(part, state) for part in film(9).split(cuts, dim=1)], dim=1)
    assert torch.allclose(codec.encode(film(9)), streamed, atol=1e-6)


@pytest.mark.parametrize("cuts", [(9,), (5, 4)])
def test_the_layers_themselves_take_any_number_of_groups_at_once(codec: WanVae, cuts: tuple[int, ...]) -> None:
    """Not only one latent at a time: one causal network over the film, however it is run."""
    pixels_BCTHW, stream = film(9).transpose(1, 2), codec.initial_state()
    moments = torch.cat([codec.encoder(part, stream) for part in pixels_BCTHW.split(cuts, dim=2)], dim=2)
    latents_BCFHW = torch.randn(1, 3, 3, 4, 6)
    expected, _ = codec.posterior(film(9))
    assert torch.allclose(codec.mix_moments(moments)[:, :3].transpose(1, 2), expected, atol=1e-5)
    whole = codec.decoder(latents_BCFHW, codec.initial_state())
    stream = codec.initial_state()
    parts = [codec.decoder(part, stream) for part in latents_BCFHW.split(1, dim=2)]
    assert torch.allclose(whole, torch.cat(parts, dim=2), atol=1e-5)


def test_later_frames_never_change_earlier_ones(codec: WanVae) -> None:
    pixels, changed = film(9), film(9).clone()
    changed[:, 5:] = 0.0
    latents, changed_latents = codec.encode(pixels), codec.encode(changed)
    assert torch.equal(latents[:, :2], changed_latents[:, :2])
    assert not torch.allclose(latents[:, 2], changed_latents[:, 2])
    assert torch.equal(codec.decode(latents)[:, :5], codec.decode(changed_latents)[:, :5])


def test_earlier_latents_reach_later_frames(codec: WanVae) -> None:
    latents = codec.encode(film(9))
    changed = latents.clone()
    changed[:, 0] += 1.0
    assert (codec.decode(latents)[:, 5:] - codec.decode(changed)[:, 5:]).abs().max() > 1e-3


def test_a_still_is_a_film_of_one_frame(codec: WanVae) -> None:
    assert torch.equal(codec.encode_still(film(9)[:, 0]), codec.encode(film(9))[:, 0])


def test_reset_begins_a_new_film(codec: WanVae) -> None:
    state, encoder_state = codec.initial_state(), codec.initial_encoder_state()
    latents = codec.encode_chunk(film(7), encoder_state)
    first = codec.decode_chunk(latents, state)
    state.reset()
    encoder_state.reset()
    assert torch.equal(codec.encode_chunk(film(7), encoder_state), latents)
    assert torch.equal(codec.decode_chunk(latents, state), first)


def test_a_copied_state_goes_on_from_its_own_moment(codec: WanVae) -> None:
    latents, state = codec.encode(film(9)), codec.initial_state()
    codec.decode_chunk(latents[:, :1], state)
    kept = copy.deepcopy(state)
    expected = codec.decode_chunk(latents[:, 1:], state)
    assert torch.equal(codec.decode_chunk(latents[:, 1:], kept), expected)


def test_latents_are_normalised_by_channel(codec: WanVae) -> None:
    mean, _ = codec.posterior(film(5))
    expected = (mean - torch.tensor(SMALL.latent_mean)[:, None, None]) / torch.tensor(SMALL.latent_std)[:, None, None]
    assert torch.allclose(codec.encode(film(5)), expected)


def test_half_precision_stays_near(codec: WanVae) -> None:
    latents = codec.encode(film(5))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = codec.decode(latents).float()
    exact = codec.decode(latents)
    assert (rough - exact).abs().max() < 0.1 * exact.std()


@pytest.mark.parametrize("num_frames", [0, 2, 7])
def test_frames_that_fill_no_latent_are_refused_in_a_whole_film(codec: WanVae, num_frames: int) -> None:
    with pytest.raises(ValueError, match=f"groups of 4, got {num_frames} frames"):
        codec.encode(torch.zeros(1, num_frames, 3, 16, 16))


def test_sides_that_are_no_multiple_of_the_stride_are_refused(codec: WanVae) -> None:
    with pytest.raises(ValueError, match="multiples of 4 px"):
        codec.encode(torch.zeros(1, 1, 3, 16, 18))


@pytest.mark.parametrize(
    "wrong",
    [
        {"halves_time": (True,)},
        {"latent_mean": (0.0,)},
        {"latent_std": (1.0, 0.0, 1.0)},
        {"decoder_width": 3},
        {"blocks_per_level": 0},
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    sizes = {
        "latent_channels": 3,
        "latent_mean": (0.0,) * 3,
        "latent_std": (1.0,) * 3,
        "halves_time": (True, False, True),
    }
    with pytest.raises(ValueError, match=r"must|needs"):
        WanVaeConfig(**(sizes | wrong))  # type: ignore[arg-type]
