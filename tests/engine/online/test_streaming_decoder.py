"""The session's decoder with a codec that smooths borders: going back and being kept in a file lose nothing of its state."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.codec.folded_vae import FoldedVae
from engine.online.stages import StreamingDecoder
from tests.engine.small_pack import CODEC


@pytest.fixture(scope="module")
def codec() -> FoldedVae:
    torch.manual_seed(0)
    codec = FoldedVae(replace(CODEC, border_step_levels=40.0)).eval()
    for parameter in codec.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return codec


def latents(seed: int, count: int) -> torch.Tensor:
    return torch.randn(1, count, CODEC.latent_channels, 4, 4, generator=torch.Generator().manual_seed(seed))


def begun(codec: FoldedVae) -> StreamingDecoder:
    return StreamingDecoder(codec, latents(0, 1)[:, 0], torch.zeros(1, 3, 32, 32), slack_latents=4)


def test_going_back_comes_out_as_if_nothing_had_been_taken_back(codec: FoldedVae) -> None:
    decoder, straight = begun(codec), begun(codec)
    for one in (decoder, straight):
        one.decode(0, latents(1, 3))
    decoder.decode(3, latents(2, 3))
    straight.decode(3, latents(2, 3)[:, :1])
    again, expected = (one.decode(4, latents(3, 2)).astype(int) for one in (decoder, straight))
    assert np.abs(again - expected).max() <= 1  # batches of other sizes round otherwise
    fresh = begun(codec).decode(0, latents(3, 2)).astype(int)
    assert np.abs(fresh[:3] - expected[:3]).max() > 1


def test_a_decoder_from_a_file_goes_on_to_the_same_frames(codec: FoldedVae) -> None:
    decoder, restored = begun(codec), begun(codec)
    decoder.decode(0, latents(1, 3))
    restored.load(*decoder.tensors())
    assert np.array_equal(decoder.decode(3, latents(2, 2)), restored.decode(3, latents(2, 2)))
    assert np.array_equal(decoder.decode(4, latents(3, 1)), restored.decode(4, latents(3, 1)))
