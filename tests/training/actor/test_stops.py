"""Stops get the silence in front of their burst; what is reported rightly stays."""

import itertools

import numpy as np
import pytest

from training.actor.phonemes import Phone
from training.actor.stops import BURST_MS, STOPS, USUAL_MS, with_closures
from training.actor.voices import SOUND_RATE_HZ, Manner, VoicePool, speak

RATE_HZ = 24000


def tone(*parts_ms: tuple[float, float]) -> np.ndarray:
    """Stretches of a 200 Hz tone, each (milliseconds, loudness)."""
    loudness_S = np.concatenate([np.full(int(ms / 1000 * RATE_HZ), loud) for ms, loud in parts_ms])
    return (loudness_S * np.sin(2 * np.pi * 200 * np.arange(len(loudness_S)) / RATE_HZ)).astype(np.float32)


def phone(sound: str, start_ms: float, end_ms: float) -> Phone:
    return Phone(sound=sound, start_samples=int(start_ms / 1000 * RATE_HZ), end_samples=int(end_ms / 1000 * RATE_HZ))


def times_ms(phones: list[Phone]) -> list[tuple[str, int, int]]:
    return [(p.sound, round(1000 * p.start_samples / RATE_HZ), round(1000 * p.end_samples / RATE_HZ)) for p in phones]


def test_a_stop_takes_the_silence_before_its_burst() -> None:
    sound_S = tone((200, 0.5), (50, 0.0), (30, 0.2), (220, 0.5))
    phones = [phone("a", 0, 250), phone("p", 250, 310), phone("i", 310, 500)]
    (_, _, open_end), (_, closes, opens), (_, next_start, end) = times_ms(with_closures(phones, sound_S, RATE_HZ))
    assert abs(closes - 200) <= 10, "where the sound before falls silent"
    assert open_end == closes and next_start == opens and end == 500
    assert opens == 250 + BURST_MS, "breath behind the burst is the vowel's"


def test_behind_a_pause_a_closure_is_as_long_as_usual_and_no_pause_loses_more_than_half() -> None:
    sound_S = tone((300, 0.0), (200, 0.5))
    found = with_closures([phone("_", 0, 300), phone("b", 300, 330), phone("a", 330, 500)], sound_S, RATE_HZ)
    assert times_ms(found)[1][1] == 300 - USUAL_MS
    found = with_closures([phone("_", 260, 300), phone("b", 300, 330), phone("a", 330, 500)], sound_S, RATE_HZ)
    assert times_ms(found)[1][1] == 280


def test_what_has_no_silence_in_front_and_what_is_no_stop_stays() -> None:
    sound_S = tone((500, 0.5))
    flapped = [phone("a", 0, 250), phone("d", 250, 265), phone("i", 265, 500)]
    assert times_ms(with_closures(flapped, sound_S, RATE_HZ))[:2] == times_ms(flapped)[:2]
    sound_S = tone((200, 0.5), (50, 0.0), (250, 0.5))
    nasal = [phone("a", 0, 250), phone("m", 250, 310), phone("i", 310, 500)]
    assert with_closures(nasal, sound_S, RATE_HZ) == nasal


def test_voices_of_every_engine_are_silent_within_their_stops(pool: VoicePool) -> None:
    """Quieter in the middle of a "p" or "b" than a twelfth of a second before and behind it."""
    for engine in sorted({voice.engine for voice in pool.train + pool.held_out}):
        voice = next(each for each in pool.train + pool.held_out if each.engine == engine)
        spoken = speak("A paper boat, a copper pipe, a happy puppy, a soapy bubble.", voice, Manner())
        power_S = np.convolve(np.square(spoken.sound_S, dtype=np.float64), np.ones(240) / 240, "same")
        dips = []
        for each in spoken.phones:
            middle = (each.start_samples + each.end_samples) // 2
            around = int(0.083 * SOUND_RATE_HZ)
            if each.sound in ("p", "b") and around <= middle < len(power_S) - around:
                loud = min(power_S[middle - around : middle].max(), power_S[middle : middle + around].max())
                dips.append(10 * np.log10((power_S[middle] + 1e-9) / (loud + 1e-9)))
        assert len(dips) >= 6
        assert float(np.median(dips)) < -10.0, engine


@pytest.mark.parametrize("sounds", [(), ("p",), ("p", "p"), ("_", "t"), ("t", "_")])
def test_odd_sequences_stay_in_order(sounds: tuple[str, ...]) -> None:
    phones = [phone(sound, 100 * place, 100 * place + 100) for place, sound in enumerate(sounds)]
    found = with_closures(phones, np.zeros(24000, dtype=np.float32), RATE_HZ)
    assert [each.sound for each in found] == list(sounds)
    for first, second in itertools.pairwise(found):
        assert first.start_samples < first.end_samples <= second.start_samples
    assert {"p", "t"} <= STOPS
