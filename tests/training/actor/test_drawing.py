"""The drawn actor: deterministic, continuous, and each channel of the state moves what it should."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.actor.draw import draw_film, draw_frame
from training.actor.identity import sample_identity
from training.actor.keypoints import KEYPOINT_NAMES, Box, eye_box, keypoints, mouth_box
from training.actor.state import EXPRESSIONS, NUM_CHANNELS, STATE_CHANNELS, channel, resting_state

SIZE_PX = 192
SEEDS = (1, 6, 104)  # bob with cap, bald with moustache, bun with glasses
Picture = NDArray[np.uint8]
State = NDArray[np.float32]

MOUTH_CHANNELS = ("mouth_open", "mouth_width", "mouth_round", "lip_press", "teeth", "smile")
EYE_CHANNELS = ("gaze_x", "gaze_y", "blink", "squint", "brow_left", "brow_right")


def acting(**channels: float) -> State:
    state_K = resting_state(1)[0]
    for name, value in channels.items():
        state_K[channel(name)] = value
        if name.startswith("expression_"):
            state_K[channel("expression_neutral")] = 1.0 - value
    return state_K


def difference(first: Picture, second: Picture) -> NDArray[np.float64]:
    return np.abs(first.astype(float) - second.astype(float)).mean(axis=2)


def inside(picture: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    left, top, right, bottom = (round(edge * len(picture)) for edge in box)
    return picture[top:bottom, left:right]


def dark_pixels(picture: Picture, box: Box) -> int:
    """How many pixels of the box are the dark of an open mouth."""
    return int((inside(picture.astype(float).max(axis=2), box) < 90).sum())


def test_the_same_state_gives_the_same_picture() -> None:
    first = draw_frame(sample_identity(3), acting(mouth_open=0.4, yaw=0.2), SIZE_PX)
    draw_frame(sample_identity(4), acting(), SIZE_PX)
    again = draw_frame(sample_identity(3), acting(mouth_open=0.4, yaw=0.2), SIZE_PX)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("size_px", [48, 97, 192, 512])
def test_any_size_shows_the_same_thing(size_px: int) -> None:
    picture = draw_frame(sample_identity(1), acting(), size_px)
    assert picture.shape == (size_px, size_px, 3)
    assert picture.dtype == np.uint8
    large = draw_frame(sample_identity(1), acting(), 384)
    small = cv2.resize(large, (48, 48), interpolation=cv2.INTER_AREA)
    ours = cv2.resize(picture, (48, 48), interpolation=cv2.INTER_AREA)
    assert difference(ours, small).mean() < 3.0


def test_a_state_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="channels"):
        draw_frame(sample_identity(1), np.zeros(NUM_CHANNELS - 1, dtype=np.float32), SIZE_PX)


def test_a_film_is_its_frames() -> None:
    state_TK = resting_state(3)
    state_TK[:, channel("mouth_open")] = (0.0, 0.5, 1.0)
    film = draw_film(sample_identity(2), state_TK, 64)
    assert film.shape == (3, 64, 64, 3)
    for frame, state_K in zip(film, state_TK, strict=True):
        assert np.array_equal(frame, draw_frame(sample_identity(2), state_K, 64))


@pytest.mark.parametrize("name", STATE_CHANNELS)
def test_each_channel_shows_and_never_pops(name: str) -> None:
    """A whole sweep of a channel changes the picture, and no small step of it changes much."""
    identity = sample_identity(1)
    if name in ("yaw", "pitch", "roll"):
        low, high = -0.5, 0.5
    else:
        low, high = (-1.0 if name in ("lean", "sway", "smile", "mouth_width") else 0.0), 1.0
    base = acting(mouth_open=0.3) if name == "lip_press" else acting()
    frames = []
    for value in np.linspace(low, high, 17):
        state_K = base.copy()
        state_K[channel(name)] = value
        if name.startswith("expression_"):
            state_K[channel("expression_neutral")] = 1.0 - value if name != "expression_neutral" else value
        frames.append(draw_frame(identity, state_K, 64))
    if name != "expression_neutral":  # a little neutral is as neutral as all of it, but for the hint of a smile
        assert difference(frames[0], frames[-1]).max() > 30.0
    steps = [difference(before, after).mean() for before, after in pairwise(frames)]
    assert max(steps) <= 4.0 * np.mean(steps) + 0.05


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MOUTH_CHANNELS + EYE_CHANNELS)
def test_mouth_and_eye_channels_stay_in_their_place(name: str, seed: int) -> None:
    identity = sample_identity(seed)
    state_K = acting(**{"mouth_open": 0.3 if name == "lip_press" else 0.0})
    moved_K = state_K.copy()
    moved_K[channel(name)] = 1.0
    changed = difference(draw_frame(identity, state_K, SIZE_PX), draw_frame(identity, moved_K, SIZE_PX))
    box = mouth_box if name in MOUTH_CHANNELS else eye_box
    edges = np.stack([box(identity, state_K), box(identity, moved_K)])
    around = (*edges[:, :2].min(axis=0), *edges[:, 2:].max(axis=0))
    # A smile lifts the cheeks too, and raised brows fold the forehead: most of the change is in the box, not all of it.
    assert inside(changed, around).sum() > (0.4 if name == "smile" else 0.6) * changed.sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mouth_opens_with_mouth_open(seed: int) -> None:
    identity = sample_identity(seed)
    openings = np.linspace(0.0, 1.0, 11)
    states = [acting(mouth_open=float(opening)) for opening in openings]
    gaps = [float(np.subtract(*keypoints(identity, state_K)[[4, 3], 1])) for state_K in states]
    assert gaps[0] == pytest.approx(0.0, abs=1e-4)
    assert np.all(np.diff(gaps) > 0.0)
    assert gaps[-1] > 0.08
    box = mouth_box(identity, states[-1])
    rest = draw_frame(identity, states[0], SIZE_PX)
    areas = [(inside(difference(draw_frame(identity, s, SIZE_PX), rest), box) > 25).sum() for s in states]
    assert areas[0] == 0
    assert areas[-1] > areas[5] > areas[2] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_open_mouth_is_dark_inside_its_box(seed: int) -> None:
    identity = sample_identity(seed)
    closed, opened = acting(), acting(mouth_open=1.0, yaw=0.25, roll=-0.1)
    dark = dark_pixels(draw_frame(identity, opened, SIZE_PX), mouth_box(identity, opened))
    assert dark > dark_pixels(draw_frame(identity, closed, SIZE_PX), mouth_box(identity, closed)) + 60


@pytest.mark.parametrize("expression", EXPRESSIONS[1:])
def test_expressions_differ_from_all_others(expression: str) -> None:
    identity = sample_identity(9)
    own = draw_frame(identity, acting(**{f"expression_{expression}": 1.0}), SIZE_PX)
    for other in EXPRESSIONS:
        if other != expression:
            picture = draw_frame(identity, acting(**{f"expression_{other}": 1.0}), SIZE_PX)
            assert (difference(own, picture) > 40).sum() > 150, other


def test_half_an_expression_lies_between() -> None:
    identity = sample_identity(9)
    none, half, full = (draw_frame(identity, acting(expression_angry=x), SIZE_PX) for x in (0.0, 0.5, 1.0))
    assert 0.0 < difference(none, half).mean() < difference(none, full).mean()


def test_teeth_and_dimples_are_told_by_the_smile_alone() -> None:
    """At rest a gap between the teeth or a dimple cannot be seen; a happy face shows it."""
    plain = replace(sample_identity(9), tooth_gap=0.0, dimples=0.0)
    marked = replace(plain, tooth_gap=1.0, dimples=1.0)
    assert np.array_equal(draw_frame(plain, acting(), SIZE_PX), draw_frame(marked, acting(), SIZE_PX))
    happy = acting(expression_happy=1.0)
    assert difference(draw_frame(plain, happy, SIZE_PX), draw_frame(marked, happy, SIZE_PX)).max() > 40


def test_edges_are_smooth() -> None:
    """A head moved by a fraction of a pixel changes many edge pixels a little, none of them from one side to the other."""
    identity = sample_identity(6)
    still, moved = acting(), acting(sway=0.1 / (0.04 * SIZE_PX))
    changed = difference(draw_frame(identity, still, SIZE_PX), draw_frame(identity, moved, SIZE_PX))
    assert (changed > 0.5).sum() > 500
    assert changed.max() < 60


def test_signs_of_pose_and_gaze() -> None:
    identity = sample_identity(6)
    at = {name: index for index, name in enumerate(KEYPOINT_NAMES)}
    rest = keypoints(identity, acting())

    def moved(feature: str, **channels: float) -> NDArray[np.float32]:
        return keypoints(identity, acting(**channels))[at[feature]] - rest[at[feature]]

    assert moved("nose", yaw=0.4)[0] > 0.05
    assert moved("nose", pitch=0.3)[1] < -0.02
    assert moved("brow_left", roll=0.3)[0] > 0.02
    assert moved("eye_left", gaze_x=1.0)[0] > 0.01
    assert moved("eye_left", gaze_y=1.0)[1] < -0.01
    assert moved("brow_right", brow_right=1.0)[1] < -0.02
    assert moved("chin", mouth_open=1.0)[1] > 0.02
    grown = np.ptp(keypoints(identity, acting(lean=1.0))[:, 1]) / np.ptp(rest[:, 1])
    assert grown == pytest.approx(1.06, abs=0.01)
