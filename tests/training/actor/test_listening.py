"""Listening follows its written rules and only past sound."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from training.actor.laughter import laugh
from training.actor.listening import (
    LARGEST_NOD,
    LONG_SPEECH_S,
    NOD_LATENCY_FRAMES,
    NOD_PAUSE_S,
    NOD_PEAK_FRAMES,
    NOD_SIZE,
    add_listening,
    listening_events,
)
from training.actor.performance import perform_clip
from training.actor.speech_track import SpeechStyle, make_speech
from training.actor.state import channel, resting_state
from training.actor.voices import VoicePool

SPEECH = Path(__file__).resolve().parents[4] / "shared" / "speech"
Sound = NDArray[np.float32]


def _babble(seconds: float, level: float = 0.3, pitch_hz: float = 120.0, rise: float = 0.0) -> Sound:
    """Something voiced with uneven syllables; the pitch may rise by `rise` octaves in the last 0.3 s."""
    time_s = np.arange(int(seconds * 24_000)) / 24_000
    octaves = rise * np.clip((time_s - seconds + 0.3) / 0.15, 0.0, 1.0)
    phase = 2 * np.pi * np.cumsum(pitch_hz * 2**octaves) / 24_000
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    syllables = 0.7 + 0.3 * np.sin(2 * np.pi * (2.5 * time_s + 0.8 * np.sin(1.7 * time_s)))
    return (level * np.asarray(voice) / 2.0 * syllables).astype(np.float32)


def _silence(seconds: float) -> Sound:
    return np.zeros(int(seconds * 24_000), np.float32)


def _rules(sound_S: Sound) -> list[str]:
    return [event.rule for event in listening_events(sound_S)]


def test_a_nod_comes_at_its_time_after_a_phrase() -> None:
    sound_S = np.concatenate([_silence(0.5), _babble(2.0), _silence(1.5)])
    (nod,) = [event for event in listening_events(sound_S) if event.rule == "nod"]
    expected = (0.5 + 2.0 + NOD_PAUSE_S) * 24 + NOD_LATENCY_FRAMES
    assert abs(nod.frame - expected) <= 1
    state_TK = resting_state(96)
    add_listening(state_TK, sound_S)
    pitch = state_TK[:, channel("pitch")]
    assert abs(int(pitch.argmin()) - (nod.frame + NOD_PEAK_FRAMES)) <= 1
    assert NOD_SIZE <= -pitch.min() <= LARGEST_NOD
    assert not pitch[: nod.frame].any()


def test_short_words_and_short_gaps_bring_no_nod() -> None:
    assert "nod" not in _rules(np.concatenate([_silence(0.3), _babble(0.5), _silence(2.0)]))
    assert "nod" not in _rules(np.concatenate([_babble(1.5), _silence(0.15), _babble(1.0)]))


def test_speech_without_a_pause_is_nodded_at_too() -> None:
    words = [piece for _ in range(14) for piece in (_babble(0.3), _silence(0.1))]
    sound_S = np.concatenate([_silence(0.5), *words])
    first, second = [event.frame for event in listening_events(sound_S) if event.rule == "nod"][:2]
    earliest = (0.5 - NOD_PAUSE_S + LONG_SPEECH_S) * 24 + NOD_LATENCY_FRAMES  # a pause before speech counts with it
    assert earliest <= first <= earliest + 0.5 * 24
    assert 0 <= second - first - LONG_SPEECH_S * 24 <= 0.5 * 24


@pytest.mark.parametrize("level_db", [-90, -50, -30, -12])
def test_silence_and_steady_noise_bring_nothing(level_db: int) -> None:
    rng = np.random.default_rng(1)
    assert listening_events(_silence(10.0)) == ()
    assert listening_events((rng.standard_normal(240_000) * 10 ** (level_db / 20)).astype(np.float32)) == ()


def test_rising_pitch_raises_the_brows() -> None:
    assert "brow" in _rules(np.concatenate([_silence(0.2), _babble(1.5, rise=0.5), _silence(0.5)]))
    assert "brow" not in _rules(np.concatenate([_silence(0.2), _babble(1.5), _silence(0.5)]))


def test_laughter_is_smiled_at() -> None:
    rng = np.random.default_rng(3)
    heard = [_rules(np.concatenate([_silence(0.5), laugh(rng), _silence(0.5)])) for _ in range(12)]
    assert sum("smile" in rules for rules in heard) >= 10
    state_TK = resting_state(72)
    add_listening(state_TK, np.concatenate([_silence(0.5), laugh(rng), _silence(1.0)])[:72_000])
    assert state_TK[:, channel("smile")].max() > 0.6


def test_quiet_speech_makes_lean_in() -> None:
    assert "lean" in _rules(np.concatenate([_silence(0.3), _babble(2.0, level=0.012), _silence(0.3)]))
    assert "lean" not in _rules(np.concatenate([_silence(0.3), _babble(2.0), _silence(0.3)]))


def test_reactions_know_no_future(pool: VoicePool) -> None:
    rng = np.random.default_rng(5)
    sound_S = make_speech(rng, 240_000, *pool.pick(rng), SpeechStyle(shortest_pause_s=0.4, longest_pause_s=1.2)).sound_S
    whole = listening_events(sound_S)
    assert whole
    for cut in (60_000, 117_120, 200_000):
        known = [event for event in whole if event.frame <= cut // 1000]
        assert set(known) <= set(listening_events(sound_S[:cut])) <= set(whole)


def test_the_mouth_stays_shut_and_life_goes_on(pool: VoicePool) -> None:
    for seed in range(4):
        for kind in ("listen", "idle"):
            state_TK = perform_clip(seed, 240, kind, pool).state_TK
            for name in ("mouth_open", "lip_press", "mouth_round", "teeth", "mouth_width"):
                assert not state_TK[:, channel(name)].any()
            assert np.ptp(state_TK[:, channel("breath")]) > 0.8
            assert state_TK[:, channel("blink")].max() == 1.0
            assert state_TK[:, channel("yaw")].std() > 0.004


def test_events_of_a_clip_are_those_of_its_sound(pool: VoicePool) -> None:
    performances = [perform_clip(seed, 240, "listen", pool) for seed in range(6)]
    assert all(p.listening_events == listening_events(p.listen_S) for p in performances)
    nods = [(p, e) for p in performances for e in p.listening_events if e.rule == "nod" and e.frame < 228]
    assert len(nods) >= 6
    for performance, event in nods:
        pitch = performance.state_TK[:, channel("pitch")]
        assert pitch[event.frame : event.frame + 6].min() < pitch[event.frame - 1] - 0.1


def test_real_speech_is_reacted_to() -> None:
    if not (SPEECH / "jfk.flac").exists():
        pytest.skip("the recorded speech is not on this machine")
    sound, rate_hz = soundfile.read(SPEECH / "jfk.flac", dtype="float32")
    rules = _rules(soxr.resample(sound, rate_hz, 24_000).astype(np.float32))
    assert rules.count("nod") >= 2
