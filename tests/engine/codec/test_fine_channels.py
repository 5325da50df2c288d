"""Fine channels: pictures agree with what was measured of them, and nobody else sees that they are there."""

from dataclasses import replace

import pytest
import torch

from engine.codec.fine_channels import FineChannels
from engine.codec.folded_vae import FoldedVae
from tests.engine.codec.test_folded_vae import SMALL

PLAIN = SMALL
NUM_FINE = 6
FINE = replace(PLAIN, latent_channels=8 + 9 * NUM_FINE, fine_channels=NUM_FINE)


def fine_codec(seed: int = 0) -> FoldedVae:
    torch.manual_seed(seed)
    codec = FoldedVae(FINE).eval()
    for parameter in codec.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    codec.get_buffer("fine.basis").copy_(torch.linalg.qr(torch.randn(192, NUM_FINE)).Q.T)
    return codec


def film(num_frames: int, side_px: int = 48) -> torch.Tensor:
    return torch.rand(2, num_frames, 3, side_px, side_px, generator=torch.Generator().manual_seed(num_frames)) * 2 - 1


@torch.no_grad()
def test_decoded_pictures_have_the_measures_that_were_encoded() -> None:
    codec, pixels = fine_codec(), film(8)
    latents = codec.encode(pixels)
    again = codec.encode(codec.decode(latents))
    assert torch.allclose(again[:, :, 8:], latents[:, :, 8:], atol=1e-4)
    assert not torch.allclose(again[:, :, :8], latents[:, :, :8], atol=1e-2)  # the others are the network's, and lossy


@torch.no_grad()
def test_a_film_that_is_told_other_measures_shows_them() -> None:
    codec = fine_codec()
    latents = codec.encode(film(8))
    told = latents.clone()
    told[:, 1, 8:] = torch.randn_like(told[:, 1, 8:])
    shown = codec.encode(codec.decode(told))
    assert torch.allclose(shown[:, :, 8:], told[:, :, 8:], atol=1e-4)


@torch.no_grad()
def test_more_measures_are_never_further_from_the_picture() -> None:
    pixels_BCHW = film(4).flatten(1, 2)
    drawn_BCHW = torch.zeros_like(pixels_BCHW)
    basis_NN = torch.linalg.qr(torch.randn(192, 192, generator=torch.Generator().manual_seed(1))).Q
    errors = []
    for count in (1, 48, 96, 192):
        fine = FineChannels(count, frames_per_latent=4, place_px=4, places=3)
        fine.get_buffer("basis").copy_(basis_NN[:count])
        agreeing_BCHW = fine.agreeing(drawn_BCHW, fine.measure(pixels_BCHW))
        errors.append(float((agreeing_BCHW - pixels_BCHW).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-9 < errors[-2]


@torch.no_grad()
def test_the_coarse_channels_are_those_of_the_codec_without_fine_ones() -> None:
    codec, pixels = fine_codec(), film(8)
    plain = FoldedVae(PLAIN).eval()
    plain.encoder.load_state_dict(codec.encoder.state_dict())
    assert torch.equal(codec.encode(pixels)[:, :, :8], plain.encode(pixels))


@torch.no_grad()
def test_channels_of_positions_and_of_places_are_the_same_numbers() -> None:
    fine = FineChannels(NUM_FINE, frames_per_latent=4, place_px=4, places=3)
    of_places = torch.randn(2, NUM_FINE, 12, 12)
    channels = fine.into_positions(of_places)
    assert channels.shape == (2, 9 * NUM_FINE, 4, 4)
    assert torch.equal(fine.out_of_positions(channels[:, None]), of_places)


@pytest.mark.parametrize("latent_channels", [9 * NUM_FINE, 8])
def test_fine_channels_leave_some_to_whole_positions(latent_channels: int) -> None:
    with pytest.raises(ValueError, match="leave nothing"):
        replace(FINE, latent_channels=latent_channels)


def test_there_are_no_more_measures_than_numbers() -> None:
    with pytest.raises(ValueError, match="193 fine channels for places of 192 numbers"):
        FineChannels(193, frames_per_latent=4, place_px=4, places=3)
