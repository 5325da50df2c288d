"""The base model live is the base model offline: the same film, when all sound is known and the noise is the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.base.job import PerformJob
from engine.base.performer import noise_seed, perform
from engine.loaded_pack import LoadedPack, load_pack
from engine.online import opening
from engine.online.live import LiveConfig
from engine.online.noise import MOTION_STEP
from engine.online.opening import open_session
from tests.engine.small_pack import (
    striking_character,
    write_small_matted_pack,
    write_small_motion_pack,
    write_small_pack,
    write_small_posing_pack,
)


@pytest.fixture(
    scope="module",
    params=[write_small_pack, write_small_motion_pack, write_small_posing_pack, write_small_matted_pack],
    ids=["without", "with motion", "with a posed anchor", "retouched"],
)
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    """With windows as live ones are: no overlap, a history that may be less than whole."""
    loaded = load_pack(request.param(tmp_path_factory.mktemp("packs") / "small"))
    settings = replace(loaded.base, window_latents=4, history_latents=1, overlap_latents=0, history_keep=0.7)
    return replace(loaded, base=settings)


class PerformersNoise:
    """The noise that offline performing draws, a window of three latents at a time."""

    def __init__(self, seed: int, shape_CHW: tuple[int, int, int], device: torch.device) -> None:
        self.seed, self.shape_CHW = seed, shape_CHW

    def draw(self, first_latent: int, num_latents: int, step: int) -> Tensor:
        what = "motion" if step == MOTION_STEP else "window"
        generator = torch.Generator().manual_seed(noise_seed(self.seed, first_latent // num_latents, what))
        return torch.randn(num_latents, *self.shape_CHW, generator=generator)[None]


def test_live_is_offline(pack: LoadedPack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SeededNoise", PerformersNoise)
    rng = np.random.default_rng(0)
    speak_S, listen_S = (0.3 * rng.standard_normal(48_000).astype(np.float32) for _ in range(2))
    job = PerformJob(character=striking_character(), num_frames=36, speak_S=speak_S, listen_S=listen_S, seed=5)
    film_THWC = np.concatenate([piece.frames_THWC for piece in perform(pack, job)])
    config = LiveConfig(seed=5, split="caller", state_prompts={})
    with open_session(striking_character(), pack, config) as session:
        session.push_speak(speak_S)
        session.push_listen(listen_S)
        frames = [session.pull() for _ in range(36)]
    live_THWC = np.stack([frame.picture_HWC for frame in frames if frame is not None])
    assert live_THWC.shape == film_THWC.shape
    assert np.abs(live_THWC.astype(int) - film_THWC).max() <= 1
    assert np.array_equal(np.concatenate([frame.speak_S for frame in frames if frame is not None]), speak_S[:36_000])
