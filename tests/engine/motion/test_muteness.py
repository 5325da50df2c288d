"""Where a voice is mute for long enough nothing is articulated, whatever the lot of a plan says; all else is planned as before."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.motion.muteness import AFTER_FRAMES, BEFORE_FRAMES, SILENT_PEAK, mute_frames
from engine.motion.plan import MotionModel
from engine.motion.planner import MotionPlanner
from engine.motion.settings import MotionSettings
from tests.engine.motion.test_plan import told
from tests.engine.small_pack import MOTION, MOTION_SETTINGS

SAMPLES = 1000  # a frame
FRAME, ROW_WIDTH = 3, 6  # numbers


def voice(*frames: float) -> np.ndarray:
    """Frames of these peaks, each with one sample of it."""
    sound_TS = np.zeros((len(frames), SAMPLES), np.float32)
    sound_TS[:, 500] = frames
    return sound_TS.ravel()


def test_a_voice_is_mute_from_a_moment_after_it_to_a_moment_before_it() -> None:
    sound_S = voice(*[0.5] * 4, *[0.0] * 12, *[-0.5] * 4)
    is_mute_T = mute_frames(sound_S, 0, 0, 20)
    assert is_mute_T.nonzero().flatten().tolist() == list(range(4 + AFTER_FRAMES, 16 - BEFORE_FRAMES))


def test_short_pauses_belong_to_speech_and_a_microphones_noise_is_no_silence() -> None:
    pause = AFTER_FRAMES + BEFORE_FRAMES
    assert not mute_frames(voice(0.5, *[0.0] * pause, 0.5), 0, 0, pause + 2).any()
    assert not mute_frames(voice(*[2 * SILENT_PEAK] * 12), 0, 0, 12).any()
    assert mute_frames(voice(*[SILENT_PEAK / 2] * 12), 0, 0, 12).all()


@pytest.mark.parametrize("first_frame", [-7, 0, 3, 30])
def test_it_does_not_matter_where_the_sound_begins_and_outside_it_there_is_silence(first_frame: int) -> None:
    rng = np.random.default_rng(0)
    loud = rng.random(40) < 0.15
    whole_T = mute_frames(voice(*(0.3 * loud)), 0, -10, 60)
    cut_S = voice(*np.zeros(max(-first_frame, 0)), *(0.3 * loud)[max(first_frame, 0) :])
    expected_T = mute_frames(voice(*(0.3 * np.where(np.arange(40) < first_frame, 0, loud))), 0, -10, 60)
    assert torch.equal(mute_frames(cut_S, first_frame, -10, 60), expected_T)
    if first_frame <= 0:
        assert torch.equal(expected_T, whole_T)
    assert torch.equal(mute_frames(cut_S, first_frame, 5, 11), expected_T[15:21])


def test_half_a_frame_of_sound_at_the_end_counts() -> None:
    assert not mute_frames(voice(*[0.0] * 8, 0.5)[:-200], 0, 0, 9)[8]


def framed(articulation: tuple[int, ...], lot: float = 1.0) -> MotionPlanner:
    torch.manual_seed(0)
    transformer = Transformer(replace(MOTION, in_channels=ROW_WIDTH, out_channels=ROW_WIDTH)).eval()
    for parameter in transformer.requires_grad_(False).parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    settings = replace(
        MOTION_SETTINGS,
        rest=(0.3,) * ROW_WIDTH,
        drawn_share=(),
        stiffness=(0.5, 0.0, 0.0),
        articulation=articulation,
        articulation_lot=lot,
    )
    return MotionPlanner(MotionModel(transformer=transformer, settings=settings), slack_rows=3)


def planned(articulation: tuple[int, ...], is_mute_BT: Tensor | None) -> Tensor:
    planner = framed(articulation)
    noise_BFM = torch.randn(1, 3, ROW_WIDTH, generator=torch.Generator().manual_seed(1))
    planner.plan(replace(told(), is_mute_BT=is_mute_BT), noise_BFM)
    return planner.planned(0)


def test_what_is_articulated_rests_in_mute_frames_and_nothing_else_changes() -> None:
    is_mute_BT = torch.tensor([[False, True, True, False, True, True]])
    free_BFM, held_BFM = planned((1,), None), planned((1,), is_mute_BT)
    rest_M = framed((1,)).motion.rest()[0]
    free_TK, held_TK, rest_TK = (x.view(-1, FRAME) for x in (free_BFM[0], held_BFM[0], rest_M.repeat(3)))
    is_held_TK = torch.zeros_like(free_TK, dtype=torch.bool)
    is_held_TK[is_mute_BT[0], 1] = True
    assert torch.equal(held_TK[is_held_TK], rest_TK[is_held_TK])
    assert torch.equal(held_TK[~is_held_TK], free_TK[~is_held_TK])
    assert not torch.allclose(free_TK[is_held_TK], rest_TK[is_held_TK], atol=1e-3)
    assert torch.equal(planned((), is_mute_BT), planned((), None)), "a pack that says nothing of articulation"


@pytest.mark.parametrize("lot", [0.0, 0.25, 1.0])
def test_what_is_articulated_gets_its_share_of_the_lot_and_all_else_the_whole(lot: float) -> None:
    planner = framed((1,), lot)
    noise_BFM = torch.randn(1, 3, ROW_WIDTH, generator=torch.Generator().manual_seed(1))
    wanted_BFM, other_BFM = noise_BFM.clone(), noise_BFM.clone()
    wanted_BFM[..., 1::FRAME] *= lot
    other_BFM[..., 1::FRAME] = 5.0
    plans = []
    for each in (framed((1,)), planner):
        each.plan(told(), wanted_BFM if each is not planner else noise_BFM)
        plans.append(each.planned(0))
    torch.testing.assert_close(plans[1], plans[0])
    otherwise = framed((1,), lot)
    otherwise.plan(told(), other_BFM)
    assert torch.equal(otherwise.planned(0), plans[1]) == (lot == 0.0), "lips are planned by no lot at all"


def test_frames_that_are_not_those_of_the_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="mute frames are told of 3 rows of 2"):
        planned((1,), torch.zeros(1, 5, dtype=torch.bool))


@pytest.mark.parametrize("articulation", [(-1,), (2,), (0, 9)])
def test_settings_that_hold_no_such_number_are_refused(articulation: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="articulation"):
        MotionSettings(rest=(0.0,) * 4, stiffness=(0.0, 0.0), articulation=articulation)
