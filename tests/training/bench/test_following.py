"""Directions: cases ask two different things, and a film hits one by doing it in its time, not by doing everything always."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.actor.directions import Direction
from training.actor.state import EXPRESSIONS, channel
from training.actor.voices import VoicePool
from training.bench.direction_cases import ToldDirection, is_carried_out, make_direction_case, told_in_turn
from training.bench.following import share_followed
from training.bench.reading import Reading
from training.bench.regressor import READ_CHANNELS

TOLD = (
    ToldDirection(words="gaze left", channel="gaze_x", side=-1.0, start_frame=12, end_frame=40),
    ToldDirection(words="head tilt_right", channel="roll", side=1.0, start_frame=52, end_frame=80),
)
NUM_FRAMES = 80
FIRST, SECOND = slice(2, 42), slice(42, 80)


def reading(*moves: tuple[str, slice, float], offset: float = 0.0, num_frames: int = NUM_FRAMES) -> Reading:
    values_TK = np.full((num_frames, len(READ_CHANNELS)), offset, dtype=np.float32)
    for name, frames, value in moves:
        values_TK[frames, READ_CHANNELS.index(name)] += value
    shares_TE = np.full((num_frames, len(EXPRESSIONS)), 1 / len(EXPRESSIONS), dtype=np.float32)
    nobody_TD: NDArray[np.float32] = np.zeros((num_frames, 0), dtype=np.float32)
    return Reading(values_TK=values_TK, expression_TE=shares_TE, identity_TD=nobody_TD)


REST = reading(num_frames=1)
TRUTH = reading(("gaze_x", FIRST, -0.8), ("roll", SECOND, 0.2))


def test_the_truth_follows_wherever_its_rest_is_read() -> None:
    assert share_followed(TOLD, TRUTH, TRUTH, REST) == 1.0
    moved = reading(("gaze_x", FIRST, -0.8), ("roll", SECOND, 0.2), offset=0.15)
    assert share_followed(TOLD, moved, moved, reading(offset=0.15, num_frames=1)) == 1.0


@pytest.mark.parametrize(
    ("film", "share"),
    [
        (reading(), 0.0),
        (reading(("gaze_x", FIRST, -0.4), ("roll", SECOND, 0.1)), 1.0),
        (reading(("gaze_x", FIRST, -0.2), ("roll", SECOND, 0.05)), 0.0),
        (reading(("gaze_x", FIRST, -0.8)), 0.5),
        (reading(("gaze_x", FIRST, 0.8), ("roll", SECOND, -0.2)), 0.0),
        (reading(("gaze_x", SECOND, -0.8), ("roll", FIRST, 0.2)), 0.0),
        (reading(("gaze_x", slice(0, NUM_FRAMES), -0.8), ("roll", slice(0, NUM_FRAMES), 0.2)), 0.0),
    ],
    ids=["nothing", "half as far", "hardly", "first alone", "wrong sides", "wrong order", "both all along"],
)
def test_other_films_follow_as_far_as_they_do(film: Reading, share: float) -> None:
    assert share_followed(TOLD, film, TRUTH, REST) == share


def test_a_truth_in_which_nothing_can_be_read_is_no_free_hit() -> None:
    assert share_followed(TOLD, reading(), reading(), REST) == 0.0


def moment(start_frame: int, end_frame: int, **asked: str) -> Direction:
    return Direction(start_frame=start_frame, end_frame=end_frame, **asked)  # type: ignore[arg-type]


def test_two_moments_that_ask_for_different_things_are_told_in_turn() -> None:
    told = told_in_turn((moment(0, 40, gaze="down"), moment(40, 80, head="tilt_left")))
    assert told is not None
    assert [(each.channel, each.side, each.start_frame, each.end_frame) for each in told] == [
        ("gaze_y", -1.0, 12, 40),
        ("roll", -1.0, 52, 80),
    ]


@pytest.mark.parametrize(
    "moments",
    [
        (moment(0, 80, gaze="left"),),
        (moment(0, 40, gaze="left"), moment(40, 80, gaze="left")),
        (moment(0, 40, gaze="left"), moment(40, 80, brows="raised")),
        (moment(0, 40, gaze="viewer"), moment(40, 80, head="left")),
        (moment(0, 40, gaze="left", head="up"), moment(40, 80, head="left")),
        (moment(0, 60, gaze="left"), moment(60, 80, head="left")),
    ],
    ids=["one", "the same", "no channel", "the viewer", "two at once", "too short"],
)
def test_other_moments_are_no_case(moments: tuple[Direction, ...]) -> None:
    assert told_in_turn(moments) is None


def test_a_case_is_the_same_each_time_and_its_actor_does_as_told(voices: VoicePool) -> None:
    case = make_direction_case(0, 64, voices)
    assert np.array_equal(make_direction_case(0, 64, voices).performance.state_TK, case.performance.state_TK)
    assert case.told[0].end_frame <= case.told[1].start_frame
    assert case.performance.captions[0].start_frame == 0
    for told in case.told:
        assert is_carried_out(told, case.performance)
        span_T = case.performance.state_TK[told.start_frame : told.end_frame, channel(told.channel)]
        assert told.side * span_T.mean() > 0.08
