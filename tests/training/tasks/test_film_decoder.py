"""The decoder on the base's own latents: only the decoder learns, and from the frames that the clips' states draw."""

import numpy as np
import torch

from engine.codec.folded_vae import FoldedVae
from tests.engine.small_pack import CODEC, SIZE_PX
from tests.training.tasks.small_base import small_base_task
from training.actor.state import channel, resting_state
from training.data.portraits import PortraitSamples
from training.objectives.codec import CodecLossConfig
from training.parallel import World
from training.tasks.codec import CodecTask
from training.tasks.film_decoder import FilmDecoderTask, draw_window


def film_decoder_task() -> FilmDecoderTask:
    base_task = small_base_task()
    states_NTK = base_task.features.clips["state_TK"]
    states_NTK.copy_(torch.from_numpy(resting_state(states_NTK.shape[1])))
    codec_task = CodecTask(
        codec=FoldedVae(CODEC),
        loss_config=CodecLossConfig(),
        samples=PortraitSamples(size_px=SIZE_PX, num_frames=8),
        frozen=("encoder",),
    )
    return FilmDecoderTask(base_task=base_task, codec_task=codec_task, size_px=SIZE_PX)


def test_the_frames_of_a_window_are_those_of_its_clip() -> None:
    state_TK = resting_state(2)
    state_TK[1, channel("mouth_open")] = 1.0
    pixels_THWC, focus_THW = draw_window(3, state_TK, 96)
    changed_HW = (pixels_THWC[0] != pixels_THWC[1]).any(dim=-1)
    assert changed_HW.any()
    assert focus_THW[1][changed_HW].float().mean() > 0.5, "an opening mouth changes the picture where the mouth is"
    other_THWC, _ = draw_window(4, state_TK, 96)
    assert not torch.equal(pixels_THWC, other_THWC), "another clip has another character"


def test_only_the_decoder_learns() -> None:
    task = film_decoder_task()
    batch = next(task.batches(0, 2, World(rank=0, size=1), 0))
    assert batch["pixels_THWC"].dtype == torch.uint8 and batch["pixels_THWC"].shape[2:4] == (SIZE_PX, SIZE_PX)
    task.loss(batch, torch.Generator().manual_seed(0))["loss"].backward()
    codec = task.codec_task.codec
    assert all(parameter.grad is not None for parameter in codec.decoder.parameters())
    assert all(parameter.grad is None for parameter in codec.encoder.parameters())
    assert all(parameter.grad is None for parameter in task.base_task.model.parameters())


def test_measuring_leaves_the_statistics_of_the_latents_alone() -> None:
    task = film_decoder_task()
    before = task.codec_task.codec.get_buffer("latent_std").clone()
    measures = task.measure()
    assert np.isfinite(list(measures.values())).all()
    assert torch.equal(before, task.codec_task.codec.get_buffer("latent_std"))
