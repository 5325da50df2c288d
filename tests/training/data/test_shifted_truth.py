"""What lies a few pixels aside is brought there; what is another picture stays what it is."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.state import channel, resting_state
from training.data.shifted_truth import FARTHEST_PX, shifted_truth

SIZE_PX = 192


def drawn(**channels: float) -> NDArray[np.uint8]:
    state_K = resting_state(1)[0]
    for name, value in channels.items():
        state_K[channel(name)] = value
    picture_HWC: NDArray[np.uint8] = draw_frame(sample_identity(11), state_K, SIZE_PX)
    return picture_HWC


def distance(one_HWC: NDArray[np.uint8], other_HWC: NDArray[np.uint8]) -> float:
    return float(np.abs(one_HWC.astype(np.float32) - other_HWC).mean())


def test_the_same_picture_stays_as_it_is() -> None:
    assert np.array_equal(shifted_truth(drawn(), drawn()), drawn())


@pytest.mark.parametrize("sideways", [-0.3, 0.25])
def test_a_head_a_few_pixels_aside_is_brought_there(sideways: float) -> None:
    truth_HWC, picture_HWC = drawn(), drawn(sway=sideways)
    before = distance(truth_HWC, picture_HWC)
    assert before > 1.0
    assert distance(shifted_truth(truth_HWC, picture_HWC), picture_HWC) < 0.35 * before


def test_an_open_mouth_stays_open_where_the_picture_shows_a_closed_one() -> None:
    truth_HWC, picture_HWC = drawn(mouth_open=0.9), drawn()
    shifted_HWC = shifted_truth(truth_HWC, picture_HWC)
    assert distance(shifted_HWC, picture_HWC) > 0.5 * distance(truth_HWC, picture_HWC)


def test_what_is_farther_than_a_little_is_not_fetched() -> None:
    truth_HWC = drawn()
    picture_HWC = np.roll(truth_HWC, int(6 * FARTHEST_PX), axis=1)
    assert distance(shifted_truth(truth_HWC, picture_HWC), picture_HWC) > 0.5 * distance(truth_HWC, picture_HWC)
