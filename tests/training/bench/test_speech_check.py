"""The check on real speech must tell a speaking mouth from a voice gate, a wrong voice and a mouth that never closes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.bench.speech_check import (
    BARS,
    SAMPLES_PER_FRAME,
    SpeechFigures,
    envelope,
    gate,
    level_db,
    pauses,
    speech_figures,
    speech_report,
)

NUM_FRAMES = 264


def babble(seed: int) -> NDArray[np.float32]:
    """Syllables of uneven loudness with pauses: noise under a random envelope."""
    generator = np.random.default_rng(seed)
    loud_T = np.zeros(NUM_FRAMES)
    frame = int(generator.integers(0, 10))
    while frame < NUM_FRAMES:
        for _ in range(int(generator.integers(4, 10))):
            length = int(generator.integers(3, 7))
            shape = np.sin(np.pi * (np.arange(length) + 0.5) / length) * generator.uniform(0.1, 1.0)
            loud_T[frame : frame + length] = shape[: max(0, NUM_FRAMES - frame)]
            frame += length
        frame += int(generator.integers(8, 20))
    noise_S = generator.normal(0.0, 0.1, NUM_FRAMES * SAMPLES_PER_FRAME)
    return (noise_S * np.repeat(loud_T, SAMPLES_PER_FRAME)).astype(np.float32)


def speaking_mouth(sound_S: NDArray[np.float32]) -> NDArray[np.float32]:
    level_T = level_db(sound_S, NUM_FRAMES)
    noise_T = np.random.default_rng(9).normal(0.0, 0.05, NUM_FRAMES)
    return np.clip(0.6 * (10 ** (level_T / 40) - 0.1) + 0.3 * noise_T, 0.0, 1.0).astype(np.float32)


def misses(figures: SpeechFigures) -> set[str]:
    table = figures.as_table()
    return {name for name, bar in BARS.items() if not bar.is_reached_by(table[name])}


def test_a_mouth_that_follows_the_voice_passes() -> None:
    sound_S = babble(1)
    assert misses(speech_figures(speaking_mouth(sound_S), sound_S, babble(2))) == set()


def test_a_voice_gate_fails_within_voiced_frames() -> None:
    sound_S = babble(1)
    plain = gate(level_db(sound_S, NUM_FRAMES))
    figures = speech_figures(plain, sound_S, babble(2))
    assert figures.r > 0.5
    assert figures.r_voiced == pytest.approx(0.0, abs=0.1)
    assert "r_voiced" in misses(figures)


def test_the_mouth_of_another_voice_fails() -> None:
    assert "r" in misses(speech_figures(speaking_mouth(babble(2)), babble(1), babble(3)))


def test_a_mouth_that_never_closes_fails_in_the_pauses() -> None:
    sound_S = babble(1)
    assert "pause_closed" in misses(speech_figures(0.4 + 0.5 * speaking_mouth(sound_S), sound_S, babble(2)))


def test_a_late_mouth_is_told_its_lag() -> None:
    sound_S = babble(1)
    late_T = np.roll(speaking_mouth(sound_S), 2)
    assert speech_figures(late_T, sound_S, None).lag_frames == 2


def test_pauses_lie_inside_silence() -> None:
    level_T = level_db(babble(1), NUM_FRAMES)
    assert pauses(level_T).any()
    assert not (pauses(level_T) & (gate(level_T) > 0)).any()
    assert envelope(level_T).min() >= 0.0
    assert envelope(level_T).max() <= 1.0


def test_the_report_has_film_gate_and_bars_side_by_side() -> None:
    sound_S = babble(1)
    film = speech_figures(speaking_mouth(sound_S), sound_S, None)
    report = speech_report(film, speech_figures(gate(level_db(sound_S, NUM_FRAMES)), sound_S, None))
    assert set(report) == {"film", "voice_gate", "bars"}
