"""Closures: found where p, b and m are spoken, and seen only in a mouth that closes there and opens beside it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.actor.phonemes import Phone
from training.actor.speaking import SAMPLES_PER_FRAME, MouthHabit, mouth_state, write_mouth
from training.actor.speech_track import SpeechTrack
from training.actor.state import EXPRESSIONS, resting_state
from training.bench.closures import Closure, closure_counts, closures_of
from training.bench.reading import Reading, true_reading
from training.bench.regressor import READ_CHANNELS

NUM_FRAMES = 72
SPOKEN_AT = (10, 25, 33, 52)


def spoken_states(closed_at: tuple[int, ...]) -> NDArray[np.float32]:
    """Loud vowels with lips closed at these frames, as the actor's own mouth speaks them."""
    phones: list[Phone] = []
    at = 0
    for frame in closed_at:
        start = frame * SAMPLES_PER_FRAME - 900
        phones.append(Phone(sound="ɑ", start_samples=at, end_samples=start))
        phones.append(Phone(sound="pbm"[frame % 3], start_samples=start, end_samples=start + 2800))
        at = start + 2800
    phones.append(Phone(sound="ɑ", start_samples=at, end_samples=NUM_FRAMES * SAMPLES_PER_FRAME))
    sound_S = np.full(NUM_FRAMES * SAMPLES_PER_FRAME, 0.5, dtype=np.float32)
    mouth, _ = mouth_state(SpeechTrack(sound_S=sound_S, phones=tuple(phones)), NUM_FRAMES, MouthHabit())
    state_TK = resting_state(NUM_FRAMES)
    write_mouth(state_TK, mouth)
    return state_TK


def reading_of_mouth(opening_T: NDArray[np.float32]) -> Reading:
    values_TK = np.zeros((len(opening_T), len(READ_CHANNELS)), dtype=np.float32)
    values_TK[:, READ_CHANNELS.index("mouth_open")] = opening_T
    shares_TE = np.full((len(opening_T), len(EXPRESSIONS)), 1 / len(EXPRESSIONS), dtype=np.float32)
    return Reading(
        values_TK=values_TK, expression_TE=shares_TE, identity_TD=np.zeros((len(opening_T), 0), dtype=np.float32)
    )


@pytest.fixture(scope="module")
def closures() -> tuple[Closure, ...]:
    return closures_of(spoken_states(SPOKEN_AT))


@pytest.fixture(scope="module")
def truth() -> Reading:
    return true_reading(spoken_states(SPOKEN_AT))


def test_closures_are_where_lips_are_pressed_by_their_phones(closures: tuple[Closure, ...]) -> None:
    assert len(closures) == len(SPOKEN_AT)
    for closure, frame in zip(closures, SPOKEN_AT, strict=True):
        assert abs(closure.frame - frame) <= 1


def test_a_mouth_that_says_no_p_b_or_m_has_none() -> None:
    assert closures_of(spoken_states(())) == ()
    assert closures_of(resting_state(NUM_FRAMES)) == ()


def test_neighbouring_closures_without_an_opening_between_are_one() -> None:
    state_TK = spoken_states((30,))
    alone = closures_of(state_TK)
    state_TK[alone[0].frame + 1] = state_TK[alone[0].frame]
    assert len(closures_of(state_TK)) == 1


def test_the_truth_and_a_softer_late_truth_are_seen_to_close(closures: tuple[Closure, ...], truth: Reading) -> None:
    opening_T = truth.series("mouth_open")
    assert closure_counts(closures, truth, truth).num_seen == len(closures)
    soft = reading_of_mouth(0.1 + 0.7 * np.roll(opening_T, 2))
    assert closure_counts(closures, soft, truth).num_seen == len(closures)


@pytest.mark.parametrize("opening", [0.0, 0.5, 1.0])
def test_a_mouth_that_stays_as_it_is_never_closes(
    closures: tuple[Closure, ...], truth: Reading, opening: float
) -> None:
    counts = closure_counts(closures, reading_of_mouth(np.full(NUM_FRAMES, opening, dtype=np.float32)), truth)
    assert counts.num_seen == 0
    assert counts.num_by_chance == 0.0


def test_a_mouth_that_only_half_closes_does_not_count(closures: tuple[Closure, ...], truth: Reading) -> None:
    opening_T = truth.series("mouth_open")
    half = reading_of_mouth(np.maximum(opening_T, 0.5 * opening_T.max()))
    assert closure_counts(closures, half, truth).num_seen == 0


def test_a_shifted_mouth_gets_no_more_than_chance(closures: tuple[Closure, ...], truth: Reading) -> None:
    shifted = reading_of_mouth(np.roll(truth.series("mouth_open"), 6))
    counts = closure_counts(closures, shifted, truth)
    assert counts.num_seen <= 0.4 * len(closures)
    assert closure_counts(closures, truth, truth).num_by_chance <= 0.5 * len(closures)


def test_a_flapping_mouth_gets_what_chance_gives(closures: tuple[Closure, ...], truth: Reading) -> None:
    flapping = reading_of_mouth(np.where(np.arange(NUM_FRAMES) % 4 < 2, 0.0, 1.0).astype(np.float32))
    counts = closure_counts(closures, flapping, truth)
    assert counts.num_by_chance >= 0.8 * counts.num_seen > 0
