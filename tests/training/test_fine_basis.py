"""A codec is given the measures that its own errors ask for."""

from dataclasses import replace

import pytest
import torch

from engine.codec.folded_vae import FoldedVae
from tests.engine.codec.test_fine_channels import FINE, NUM_FINE, PLAIN
from training.data.portraits import PortraitSamples
from training.fine_basis import FINE_DEVIATION, give_fine_channels
from training.tasks.codec import to_pixels

SAMPLES = PortraitSamples(size_px=48, num_frames=8, still_share=0.0)
NUM_FILMS = 10


@pytest.fixture(scope="module")
def plain() -> FoldedVae:
    torch.manual_seed(0)
    codec = FoldedVae(PLAIN).eval()
    for parameter in codec.parameters():
        parameter.data.add_(0.03 * torch.randn_like(parameter))
    return codec


def given(plain: FoldedVae, num_fine: int) -> FoldedVae:
    torch.manual_seed(1)
    codec = FoldedVae(replace(FINE, fine_channels=num_fine, latent_channels=8 + 9 * num_fine)).eval()
    codec.encoder.load_state_dict(plain.encoder.state_dict())
    codec.decoder.load_state_dict(plain.decoder.state_dict())
    give_fine_channels(codec, plain, SAMPLES, NUM_FILMS)
    return codec


@torch.no_grad()
def held_out_error(codec: FoldedVae) -> float:
    pixels = torch.stack([to_pixels(SAMPLES(number)["pixels_THWC"]) for number in range(100, 106)])
    return float((codec.decode(codec.encode(pixels)) - pixels).square().mean())


def test_each_more_measure_takes_errors_away_on_films_that_were_not_looked_at(plain: FoldedVae) -> None:
    errors = [held_out_error(plain), *(held_out_error(given(plain, count)) for count in (2, NUM_FINE, 24))]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_measures_by_lot_take_less_away_than_those_of_the_errors(plain: FoldedVae) -> None:
    codec = given(plain, NUM_FINE)
    of_errors = held_out_error(codec)
    codec.get_buffer("fine.basis").copy_(torch.linalg.qr(torch.randn(192, NUM_FINE)).Q.T)
    assert of_errors < held_out_error(codec)


def test_the_basis_is_orthonormal_and_statistics_are_set(plain: FoldedVae) -> None:
    codec = given(plain, NUM_FINE)
    basis = codec.get_buffer("fine.basis")
    assert torch.allclose(basis @ basis.T, torch.eye(NUM_FINE), atol=1e-5)
    deviations = codec.get_buffer("latent_std")[8:]
    assert (deviations == deviations[0]).all() and deviations[0] > 0
    assert (codec.get_buffer("fine.spread") > 0).all()
    assert torch.equal(codec.get_buffer("latent_std")[:8], torch.ones(8))  # the others' are not touched
    looked_at = torch.stack([to_pixels(SAMPLES(number)["pixels_THWC"]) for number in range(0, NUM_FILMS, 5)])
    with torch.no_grad():
        largest = codec.encode(looked_at)[:, :, 8:].std(dim=(0, 1, 3, 4)).max()
    assert torch.isclose(largest, torch.tensor(1 / FINE_DEVIATION), rtol=1e-3)
