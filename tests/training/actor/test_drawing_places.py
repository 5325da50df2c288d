"""Key points and boxes lie on what is drawn."""

from dataclasses import replace

import numpy as np
import pytest

from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.keypoints import KEYPOINT_NAMES, eye_box, keypoints, mouth_box
from training.actor.state import channel, resting_state

SIZE_PX = 256


@pytest.mark.parametrize("yaw", [-0.4, 0.0, 0.4])
def test_the_pupils_are_dark_where_the_eyes_are_said_to_be(yaw: float) -> None:
    identity = replace(sample_identity(9), glasses="none")
    state_K = resting_state(1)[0]
    state_K[channel("yaw")] = yaw
    state_K[channel("gaze_x")] = 0.5
    picture = draw_frame(identity, state_K, SIZE_PX)
    places = keypoints(identity, state_K)
    for name in ("eye_left", "eye_right"):
        x, y = places[KEYPOINT_NAMES.index(name)] * SIZE_PX
        assert picture[round(float(y) - 0.5), round(float(x) - 0.5)].max() < 110


@pytest.mark.parametrize("roll", [-0.3, 0.0, 0.3])
def test_a_painted_trait_moves_where_its_key_point_is(roll: float) -> None:
    """Brows of a glaring green are found exactly around the brow key points."""
    identity = replace(sample_identity(9), brow=(0, 255, 0), brow_thickness=1.0, glasses="none", hat="none")
    state_K = resting_state(1)[0]
    state_K[channel("roll")], state_K[channel("brow_left")] = roll, 0.7
    green = np.argwhere((draw_frame(identity, state_K, SIZE_PX) == (0, 255, 0)).all(axis=2))[:, ::-1] + 0.5
    places = keypoints(identity, state_K) * SIZE_PX
    left, right = places[KEYPOINT_NAMES.index("brow_left")], places[KEYPOINT_NAMES.index("brow_right")]
    nearer_left = np.linalg.norm(green - left, axis=1) < np.linalg.norm(green - right, axis=1)
    for place, pixels in ((left, green[nearer_left]), (right, green[~nearer_left])):
        assert np.linalg.norm(pixels.mean(axis=0) - place) < 4.0


def test_boxes_hold_their_features_and_lie_in_the_picture() -> None:
    random = np.random.default_rng(2)
    for seed in range(20):
        identity = sample_identity(seed)
        state_K = resting_state(1)[0]
        for name in ("yaw", "pitch", "roll"):
            state_K[channel(name)] = random.uniform(-0.4, 0.4)
        state_K[channel("mouth_open")] = random.uniform()
        places = dict(zip(KEYPOINT_NAMES, keypoints(identity, state_K), strict=True))
        for box, names in (
            (mouth_box(identity, state_K), ("mouth_left", "mouth_right", "lip_upper", "lip_lower")),
            (eye_box(identity, state_K), ("eye_left", "eye_right", "brow_left", "brow_right")),
        ):
            left, top, right, bottom = box
            assert 0.0 <= left < right <= 1.0
            assert 0.0 <= top < bottom <= 1.0
            for name in names:
                x, y = places[name]
                assert left <= x <= right, name
                assert top <= y <= bottom, name


def test_mouth_and_eyes_can_be_read_at_192_px() -> None:
    widths = []
    for seed in range(40):
        places = keypoints(sample_identity(seed), resting_state(1)[0]) * 192
        widths.append(float(places[1, 0] - places[0, 0]))
    assert min(widths) > 28
    assert max(widths) > 38
