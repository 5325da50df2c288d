"""Frames and latents behind a still, for codecs whose first latent decodes to as many frames as the others, or to one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.base.film_clock import FilmClock
from engine.base.job import PerformJob
from engine.base.performer import perform
from engine.codec.folded_vae import FoldedDecoderState, FoldedVae
from engine.loaded_pack import load_pack
from tests.engine.small_pack import CODEC, small_character, write_small_pack


class FirstFrameAlone(FoldedVae):
    """The same codec counting as Wan's does: a film's first latent is one frame."""

    def num_latents(self, num_frames: int) -> int:
        return 1 + -(-(num_frames - 1) // 4)

    def num_frames(self, num_latents: int) -> int:
        return 1 + 4 * (num_latents - 1)

    def decode_chunk(self, latents_BFCHW: Tensor, state: object, finish: None = None) -> Tensor:
        assert isinstance(state, FoldedDecoderState)
        is_first = state.previous_BCHW is None
        pixels_BTCHW = super().decode_chunk(latents_BFCHW, state)
        return pixels_BTCHW[:, 3:] if is_first else pixels_BTCHW


@pytest.mark.parametrize("codec", [FoldedVae(CODEC), FirstFrameAlone(CODEC)])
def test_latents_cover_the_film_and_none_is_idle(codec: FoldedVae) -> None:
    clock = FilmClock(codec)
    assert (clock.start_frame(-1), clock.start_frame(0), clock.start_frame(3)) == (-4, 0, 12)
    for num_frames in range(1, 30):
        latents = clock.num_latents(num_frames)
        assert clock.start_frame(latents - 1) < num_frames <= clock.start_frame(latents)


def test_a_codec_that_begins_with_one_frame_makes_the_same_film(tmp_path_factory: pytest.TempPathFactory) -> None:
    pack = load_pack(write_small_pack(tmp_path_factory.mktemp("packs")))
    other = FirstFrameAlone(CODEC).eval()
    other.load_state_dict(pack.codec.state_dict())
    job = PerformJob(character=small_character(), num_frames=30)
    plain, counted = (
        np.concatenate([piece.frames_THWC for piece in perform(each, job)])
        for each in (pack, replace(pack, codec=other.to(memory_format=torch.channels_last)))
    )
    assert plain.shape[0] == 30
    assert np.array_equal(plain, counted)
