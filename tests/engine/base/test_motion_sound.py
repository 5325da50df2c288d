"""The sound told to a film's plan of motion lies where it should, and so do the rows that a window is drawn from."""

from dataclasses import replace

import pytest
import torch

from engine.base.continuation import plan_windows
from engine.base.job import PerformJob
from engine.base.performer import perform
from engine.loaded_pack import LoadedPack, load_pack
from tests.engine.motion.counted_sound import check_history, counted_sound, counting, heard, heard_at
from tests.engine.small_pack import small_character, write_small_motion_pack

NUM_FRAMES, SOUND_FRAMES = 62, 120


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_motion_pack(tmp_path_factory.mktemp("packs")))


@pytest.mark.parametrize("history_rows", [1, 3, 8])
@pytest.mark.parametrize(("history_latents", "overlap_latents"), [(1, 0), (2, 1), (1, 2)])
def test_a_plan_hears_the_sound_of_each_latent_and_the_window_is_told_the_rows_of_its_own(
    pack: LoadedPack, history_rows: int, history_latents: int, overlap_latents: int
) -> None:
    settings = replace(
        pack.base, num_steps=1, window_latents=6, history_latents=history_latents, overlap_latents=overlap_latents
    )
    pack, copying, writing = counting(replace(pack, base=settings), history_rows)
    sound_S = counted_sound(SOUND_FRAMES)
    job = PerformJob(character=small_character(), num_frames=NUM_FRAMES, speak_S=sound_S, listen_S=sound_S)
    list(perform(pack, job))

    plans = list(plan_windows(-(-NUM_FRAMES // 4), settings))
    assert len(plans) == len(writing.told) > 3
    for plan, told in zip(plans, writing.told, strict=True):
        wanted_BFM = heard_at(range(plan.start, plan.start + plan.num_latents), copying.config, SOUND_FRAMES)
        torch.testing.assert_close(heard(told, copying.config), wanted_BFM)
        if plan.start < 0:
            wanted_BFM[:, 0] = 0.0  # of the portrait before the film nothing is told
        assert told.motion_BFM is not None
        torch.testing.assert_close(told.motion_BFM, wanted_BFM, rtol=0, atol=0.01)
    check_history(copying.told, copying.config)
    assert max(int((told.timestep_BF == 0).sum()) for told in copying.told) == history_rows
