"""Pairs for the pose flow: reproducible, alike in all but their pose, and the pose in the units in which a poser reads motion rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import Poser
from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.references import expression_state
from training.actor.state import EXPRESSIONS, channel
from training.data.motion_rows import FRAMES_PER_ROW, MEAN_AND_SPREAD, motion_rows, rest_row
from training.data.portraits import SEED_STRIDE
from training.data.posed_pairs import (
    BODY_CHANNELS,
    FACE_CHANNELS,
    FARTHEST,
    POSE_CHANNELS,
    RANGES,
    PosedPairSamples,
    random_pose,
)
from training.recipes.parts import POSING

SIZE_PX = 48
SAMPLES = PosedPairSamples(size_px=SIZE_PX)
SPREAD_P = torch.tensor([MEAN_AND_SPREAD[name][1] for name in POSE_CHANNELS])


def posed_state(sample: dict[str, Tensor], expression: str) -> Tensor:
    """The actor's state of this pose and an expression, [K]."""
    state_K = torch.from_numpy(expression_state(expression).copy())
    state_K[[channel(name) for name in POSE_CHANNELS]] = sample["pose_P"] * SPREAD_P
    return state_K


def test_a_pair_is_a_pure_function_of_its_number() -> None:
    first, again, other = SAMPLES(3), SAMPLES(3), SAMPLES(4)
    assert first.keys() == {"rest_HWC", "posed_HWC", "focus_HW", "pose_P"}
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["pose_P"], other["pose_P"])
    assert not torch.equal(first["rest_HWC"], other["rest_HWC"])
    assert not torch.equal(first["rest_HWC"], replace(SAMPLES, first_identity=7)(3)["rest_HWC"])
    assert first["rest_HWC"].shape == first["posed_HWC"].shape == (SIZE_PX, SIZE_PX, 3)
    assert first["rest_HWC"].dtype == first["posed_HWC"].dtype == torch.uint8
    assert first["focus_HW"].dtype == torch.bool


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_only_the_pose_differs(number: int) -> None:
    """The same character with the same expression, drawn from the pose that is told: nothing else can have changed."""
    sample, identity = SAMPLES(number), sample_identity(number * SEED_STRIDE % 999_983)
    (expression,) = (
        name
        for name in EXPRESSIONS
        if np.array_equal(draw_frame(identity, expression_state(name), SIZE_PX), sample["rest_HWC"].numpy())
    )
    drawn_HWC = draw_frame(identity, posed_state(sample, expression).numpy(), SIZE_PX)
    assert np.abs(drawn_HWC.astype(int) - sample["posed_HWC"].numpy()).mean() < 0.05
    assert np.abs(drawn_HWC.astype(int) - sample["rest_HWC"].numpy()).mean() > 1.0


def test_characters_show_expressions_as_often_as_they_are_asked_to() -> None:
    for share, at_rest in ((0.0, True), (1.0, False)):
        samples = replace(SAMPLES, size_px=24, expression_share=share)
        for number in range(3):
            identity = sample_identity(number * SEED_STRIDE % 999_983)
            neutral_HWC = draw_frame(identity, expression_state("neutral"), 24)
            assert np.array_equal(samples(number)["rest_HWC"].numpy(), neutral_HWC) is at_rest


def test_poses_are_in_the_units_in_which_a_poser_reads_rows() -> None:
    """What a film's motion rows say of a state is what the network was told of a picture of that state."""
    sample = SAMPLES(5)
    states_TK = posed_state(sample, "neutral").expand(FRAMES_PER_ROW, -1)
    poser = Poser(PoseFlow(POSING), None, rest_row())  # type: ignore[arg-type]
    poses_BTP = poser.poses_from_rest(motion_rows(states_TK)[None])
    torch.testing.assert_close(poses_BTP[0], sample["pose_P"].expand(FRAMES_PER_ROW, -1), rtol=1e-4, atol=1e-4)
    assert [POSING.pose_columns.index(channel(name)) for name in POSE_CHANNELS] == list(range(len(POSE_CHANNELS)))


def test_poses_lie_in_their_ranges_and_reach_beyond_those_of_films() -> None:
    rng = np.random.default_rng(0)
    poses = {name: each for name, each in zip(POSE_CHANNELS, np.stack([random_pose(rng) for _ in range(600)]).T)}
    assert set(FARTHEST) | set(RANGES) == set(POSE_CHANNELS) == {*BODY_CHANNELS, *FACE_CHANNELS}
    for name, farthest in FARTHEST.items():
        assert np.abs(poses[name]).max() <= farthest + 1e-6
        assert np.abs(poses[name]).max() > 2 * MEAN_AND_SPREAD[name][1], name
        assert abs(poses[name].mean()) < 0.3 * poses[name].std(), name
    for name, (low, high, share) in RANGES.items():
        assert low - 1e-6 <= poses[name].min() and poses[name].max() <= high + 1e-6
        if name != "brow_right":  # most often it is the left one's
            assert abs((poses[name] != 0).mean() - share) < 0.1, name
    assert 0.5 < (poses["brow_left"] == poses["brow_right"]).mean() < 0.95


def test_mouth_and_eyes_are_in_focus_where_they_are_in_the_pose() -> None:
    changed = []
    for number in range(12):
        sample, identity = SAMPLES(number), sample_identity(number * SEED_STRIDE % 999_983)
        state_K = posed_state(sample, "neutral")
        open_K, shut_K = state_K.clone(), state_K.clone()
        open_K[channel("mouth_open")], shut_K[channel("mouth_open")] = 0.8, 0.0
        open_HWC, shut_HWC = (draw_frame(identity, each.numpy(), SIZE_PX).astype(int) for each in (open_K, shut_K))
        differs_HW = torch.from_numpy(np.abs(open_HWC - shut_HWC).max(axis=2) > 12)
        changed.append(sample["focus_HW"][differs_HW])
        assert 0.005 < sample["focus_HW"].float().mean() < 0.4
    assert torch.cat(changed).float().mean() > 0.5
