"""Siblings can be told from the actor, and films of either from each other, in whatever pose they stand."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.actor.draw import draw_film, draw_frame
from training.actor.identity import sample_identity
from training.actor.state import channel, resting_state
from training.bench.cases import HELD_OUT_SEED
from training.bench.pose_fitting import drawing_error, fitted_state
from training.bench.reading import resized, true_reading
from training.bench.siblings import FACE_PX, family_errors, moments_of, siblings_of

ACTOR = sample_identity(HELD_OUT_SEED)
DRAWN_PX = 384


def turning(num_frames: int) -> NDArray[np.float32]:
    """A head that turns and speaks with brows and a lean that a reading does not tell of."""
    states_TK = resting_state(num_frames)
    states_TK[:, channel("yaw")] = np.linspace(-0.2, 0.2, num_frames)
    states_TK[:, channel("mouth_open")] = np.linspace(0.0, 0.6, num_frames)
    states_TK[:, channel("brow_left")] = 0.4
    states_TK[:, channel("lean")] = -0.3
    return states_TK


def test_moments_are_spread_over_a_film() -> None:
    assert moments_of(72, 3) == [12, 36, 60]
    assert moments_of(1, 2) == [0, 0]


def test_siblings_are_as_many_as_asked_for_and_unlike_the_actor_and_each_other() -> None:
    siblings = siblings_of(ACTOR, 6, DRAWN_PX)
    rest_K = resting_state(1)[0]
    pictures = {draw_frame(one, rest_K, FACE_PX).tobytes() for one in (ACTOR, *siblings)}
    assert len(pictures) == 7
    assert siblings_of(ACTOR, 6, DRAWN_PX) == siblings


def test_more_siblings_than_there_are_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.bench.siblings.LEAST_DIFFERENCE", 255.0)
    with pytest.raises(ValueError, match="only 0 siblings"):
        siblings_of(ACTOR, 2, DRAWN_PX)


def test_a_pose_is_found_from_a_frame_that_was_drawn_in_it() -> None:
    states_TK = turning(9)
    frame_HWC = draw_frame(ACTOR, states_TK[7], FACE_PX)
    start_K = resting_state(1)[0]
    begun = drawing_error(ACTOR, frame_HWC, start_K, FACE_PX)
    found = fitted_state(ACTOR, frame_HWC, start_K, FACE_PX, blurred_rounds=4, sharp_rounds=4)
    assert found.error < 0.15 * begun
    assert found.error == pytest.approx(drawing_error(ACTOR, frame_HWC, found.state_K, FACE_PX))
    assert found.state_K[channel("yaw")] == pytest.approx(states_TK[7, channel("yaw")], abs=0.03)


@pytest.mark.parametrize("blur_px", [0.0, 1.5])
def test_a_film_is_nearest_to_whom_it_shows(blur_px: float) -> None:
    """The actor's own film and a sibling's, sharp and soft."""
    siblings, states_TK = siblings_of(ACTOR, 5, DRAWN_PX), turning(24)
    for shown in (0, 2):
        film_THWC = draw_film((ACTOR, *siblings)[shown], states_TK, DRAWN_PX)
        if blur_px:
            film_THWC = np.stack([cv2.GaussianBlur(frame_HWC, (0, 0), blur_px) for frame_HWC in film_THWC]).astype(
                np.uint8
            )
        errors_F = family_errors(ACTOR, siblings, film_THWC, true_reading(states_TK), [4, 18], DRAWN_PX)
        assert errors_F.argmin() == shown


def test_whoever_is_compared_is_drawn_as_large_as_the_films_character_was() -> None:
    """Thin lines are thicker in small drawings: one drawn small is not quite the same as one drawn large and made small."""
    rest_K = resting_state(1)[0]
    large_HWC = resized(draw_frame(ACTOR, rest_K, DRAWN_PX), FACE_PX)
    assert drawing_error(ACTOR, large_HWC, rest_K, DRAWN_PX) == 0.0
    assert drawing_error(ACTOR, large_HWC, rest_K, FACE_PX) > 0.3


def test_what_no_state_explains_counts_less_the_larger_it_is() -> None:
    rest_K = resting_state(1)[0]
    frame_HWC = draw_frame(ACTOR, rest_K, FACE_PX).astype(np.int32)
    errors = []
    for levels in (2, 16, 64):
        torn_HWC = frame_HWC.copy()
        torn_HWC[:20, :20] += np.where(torn_HWC[:20, :20] < 128, levels, -levels)
        errors.append(drawing_error(ACTOR, torn_HWC.astype(np.uint8), rest_K, FACE_PX))
    assert 0 < errors[0] < errors[1] < errors[2]
    assert errors[1] < 5 * errors[0] and errors[2] < 2 * errors[1]
