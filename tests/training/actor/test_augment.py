"""Recordings of a dry sound: length and finiteness are kept, silence is silence, and noises are as uneven as their names say."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.actor.augment import AugmentConfig, augment, coloured_noise, crackle, hall_echoes, murmur, noise

Sound = NDArray[np.float32]
SECOND = 24_000


def _spread_db(sound_S: Sound) -> float:
    """How much the level of 50 ms pieces differs."""
    power = np.square(sound_S.astype(np.float64)).reshape(-1, 1200).mean(axis=1)
    return float(np.std(10 * np.log10(power)))


@pytest.mark.parametrize("seed", range(8))
def test_noise_has_unit_power_and_the_length_asked_for(seed: int) -> None:
    for num_samples in (SECOND, 3 * SECOND + 7):
        sound_S = noise(np.random.default_rng(seed), num_samples)
        assert sound_S.shape == (num_samples,)
        assert np.sqrt(np.mean(np.square(sound_S))) == pytest.approx(1.0, abs=0.01)


def test_a_murmur_swells_and_steady_noise_does_not() -> None:
    for seed in range(4):
        assert _spread_db(murmur(np.random.default_rng(seed), 6 * SECOND)) > 2.0
        assert _spread_db(coloured_noise(np.random.default_rng(seed), 6 * SECOND)) < 2.0


def test_crackling_is_mostly_silent() -> None:
    clicks_S = np.abs(crackle(np.random.default_rng(2), 6 * SECOND))
    assert clicks_S.max() > 20 * clicks_S.mean() > 0


def test_a_hall_answers_late_and_softly() -> None:
    room_S = np.zeros(2400, np.float32)
    room_S[0] = 1.0
    for seed in range(6):
        hall_S = hall_echoes(np.random.default_rng(seed), room_S)
        assert (hall_S[:2400] == room_S).all()
        late = float(np.square(hall_S[2400:]).sum())
        assert 10**-3.5 < late < 0.3


def test_recordings_keep_length_and_range_and_silence() -> None:
    voice_S = np.sin(np.arange(2 * SECOND) / 9).astype(np.float32)
    for seed in range(12):
        recorded_S = augment(np.random.default_rng(seed), voice_S, AugmentConfig())
        assert recorded_S.shape == voice_S.shape
        assert 0.02 < np.abs(recorded_S).max() <= 1.0
    assert not augment(np.random.default_rng(0), np.zeros(SECOND, np.float32), AugmentConfig()).any()
