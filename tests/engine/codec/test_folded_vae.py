"""The small codec: shapes, causality, and that a stream of chunks equals the whole film."""

from dataclasses import replace

import pytest
import torch

from engine.codec.folded_vae import FoldedVae, FoldedVaeConfig

SMALL = FoldedVaeConfig(
    latent_channels=8,
    strides=(4, 3),
    encoder_widths=(16, 24),
    encoder_blocks=(1, 1),
    decoder_widths=(16, 24),
    decoder_blocks=(1, 1),
)


FINE = replace(SMALL, latent_channels=8 + 9 * 5, fine_channels=5)


@pytest.fixture(
    params=[SMALL, replace(SMALL, border_step_levels=12.0), replace(FINE, border_step_levels=12.0)],
    ids=["as decoded", "smooth borders", "fine channels"],
)
def codec(request: pytest.FixtureRequest) -> FoldedVae:
    torch.manual_seed(0)
    codec = FoldedVae(request.param).eval()
    for parameter in codec.parameters():  # zero-initialised branches would hide mistakes
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    codec.latent_mean.normal_()
    codec.latent_std.uniform_(0.5, 2.0)
    return codec


def film(num_frames: int, side_px: int = 48) -> torch.Tensor:
    return torch.rand(1, num_frames, 3, side_px, side_px, generator=torch.Generator().manual_seed(num_frames)) * 2 - 1


def test_shapes_follow_the_codecs_own_arithmetic(codec: FoldedVae) -> None:
    with torch.no_grad():
        latents = codec.encode(film(16))
        assert latents.shape == (1, codec.num_latents(16), codec.latent_channels, 4, 4)
        assert codec.decode(latents).shape == (1, codec.num_frames(4), 3, 48, 48)
    assert codec.num_latents(17) == 5


@pytest.mark.parametrize("cuts", [(1, 1, 1, 1), (2, 2), (1, 3), (3, 1)])
def test_streamed_decode_equals_whole(codec: FoldedVae, cuts: tuple[int, ...]) -> None:
    with torch.no_grad():
        latents = codec.encode(film(16))
        whole = codec.decode(latents)
        state = codec.initial_state()
        streamed = torch.cat([codec.decode_chunk(part, state) for part in latents.split(cuts, dim=1)], dim=1)
    assert torch.allclose(whole, streamed, atol=1e-5)


def test_reset_begins_a_new_film(codec: FoldedVae) -> None:
    with torch.no_grad():
        latents = codec.encode(film(8))
        state = codec.initial_state()
        first = codec.decode_chunk(latents[:, :1], state)
        codec.decode_chunk(latents[:, 1:], state)
        state.reset()
        assert torch.equal(codec.decode_chunk(latents[:, :1], state), first)


def test_later_frames_never_change_earlier_latents_or_pixels(codec: FoldedVae) -> None:
    with torch.no_grad():
        pixels, changed = film(12), film(12).clone()
        changed[:, 8:] = 0.0
        latents, changed_latents = codec.encode(pixels), codec.encode(changed)
        assert torch.equal(latents[:, :2], changed_latents[:, :2])
        assert not torch.allclose(latents[:, 2], changed_latents[:, 2])
        assert torch.allclose(codec.decode(latents)[:, :8], codec.decode(changed_latents)[:, :8], atol=1e-6)


def test_the_latent_before_reaches_the_next_one(codec: FoldedVae) -> None:
    with torch.no_grad():
        latents = codec.encode(film(8))
        changed = latents.clone()
        changed[:, 0] += 1.0
        assert not torch.allclose(codec.decode(latents)[:, 4:], codec.decode(changed)[:, 4:], atol=1e-3)


def test_borders_are_smoothed_only_where_the_config_asks_for_it(codec: FoldedVae) -> None:
    with torch.no_grad():
        latents = codec.encode(film(8))
        raw = latents * codec.latent_std[:, None, None] + codec.latent_mean[:, None, None]
        decoded = codec.reconstruct(raw, torch.cat([raw[:, :1], raw[:, :1]], dim=1))
    changed = (codec.decode(latents) - decoded).abs().amax(dim=(0, 2, 3, 4)) > 1e-4
    is_asked = codec.config.border_step_levels > 0
    assert changed.tolist() == [False] * 4 + [is_asked] * 3 + [False]


def test_a_still_is_its_frame_four_times(codec: FoldedVae) -> None:
    picture = film(4)[:, 0]
    with torch.no_grad():
        repeated = picture[:, None].repeat(1, 4, 1, 1, 1)
        assert torch.allclose(codec.encode_still(picture), codec.encode(repeated)[:, 0], atol=1e-6)


@pytest.mark.parametrize(("num_frames", "side_px"), [(6, 48), (8, 50)])
def test_sizes_that_do_not_fold_are_refused(codec: FoldedVae, num_frames: int, side_px: int) -> None:
    with pytest.raises(ValueError, match="groups of 4 and sides in multiples of 12"):
        codec.encode(film(num_frames, side_px))


def test_a_step_has_a_size_and_a_border() -> None:
    for levels in (-1.0, 256.0, float("nan")):
        with pytest.raises(ValueError, match="0 to 255 levels"):
            replace(SMALL, border_step_levels=levels)
    with pytest.raises(ValueError, match="no borders"):
        replace(SMALL, border_step_levels=4.0, frames_per_latent=1)


def test_levels_must_agree() -> None:
    with pytest.raises(ValueError, match="same number of levels"):
        FoldedVaeConfig(strides=(4, 2))


@torch.no_grad()
def test_pictures_are_finished_before_their_borders_are_smoothed() -> None:
    """Whatever a finish does to pictures, steps between latents that come of it are smoothed away too."""
    codec = FoldedVae(replace(SMALL, border_step_levels=40.0)).eval()
    latents_BFCHW = torch.randn(1, 3, SMALL.latent_channels, 2, 2)
    fold = SMALL.frames_per_latent
    tint_BT = torch.tensor([0.0, 0.05, 0.0]).repeat_interleave(fold)

    def finish(pixels_BTCHW: torch.Tensor) -> torch.Tensor:
        return 0.01 * pixels_BTCHW + tint_BT[: pixels_BTCHW.shape[1], None, None, None]

    plain = FoldedVae(replace(SMALL, border_step_levels=0.0)).eval()
    plain.load_state_dict(codec.state_dict())
    rough_BTCHW = plain.decode_chunk(latents_BFCHW, plain.initial_state(), finish)
    assert torch.equal(rough_BTCHW, finish(plain.decode(latents_BFCHW)))
    smooth_BTCHW = codec.decode_chunk(latents_BFCHW, codec.initial_state(), finish)
    rough_step, smooth_step = (
        (films[:, fold] - films[:, fold - 1]).abs().mean() for films in (rough_BTCHW, smooth_BTCHW)
    )
    assert smooth_step < 0.5 * rough_step
