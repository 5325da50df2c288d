"""Voices: engines, the split, phones with their times."""

import itertools

import numpy as np
import pytest

from training.actor import voices as voices_module
from training.actor.phonemes import SOUNDS, sounds_of_dictionary_phone, sounds_of_ipa, split_phone
from training.actor.sentences import make_sentence
from training.actor.speech_track import SpeechStyle, make_speech
from training.actor.visemes import VISEMES, viseme_of
from training.actor.voices import Manner, Voice, VoicePool, speak


def test_every_sound_has_exactly_one_viseme() -> None:
    listed = [sound for viseme in VISEMES for sound in viseme.sounds]
    assert sorted(listed) == sorted(SOUNDS)
    assert all(sound in VISEMES[viseme_of(sound)].sounds for sound in SOUNDS)


@pytest.mark.parametrize(
    ("ipa", "sounds"),
    [("ˈoʊ", ("o", "ʊ")), ("tʃ", ("tʃ",)), ("ɜː", ("ɜ",)), ("ɹ", ("r",)), ("(de)", ("d", "e")), ("", ())],
)
def test_ipa_becomes_sounds(ipa: str, sounds: tuple[str, ...]) -> None:
    assert sounds_of_ipa(ipa) == sounds


def test_dictionary_phones_become_sounds() -> None:
    assert sounds_of_dictionary_phone("aw") == ("a", "ʊ")
    assert sounds_of_dictionary_phone("AH0") == ("ʌ",)
    assert sounds_of_dictionary_phone("pau") == ()


def test_diphthongs_share_their_time() -> None:
    phones = split_phone(("a", "ʊ"), 100, 201, True)
    assert [(p.sound, p.start_samples, p.end_samples) for p in phones] == [("a", 100, 150), ("ʊ", 150, 201)]


def test_held_out_voices_are_never_trained_on(pool: VoicePool) -> None:
    assert pool.train and pool.held_out
    assert not set(pool.train) & set(pool.held_out)
    if pool.held_out_engine is not None:
        assert pool.held_out_engine not in {voice.engine for voice in pool.train}
    rng = np.random.default_rng(0)
    assert {pool.pick(rng)[0] for _ in range(300)} <= set(pool.train)
    assert set(pool.for_evaluation().train) == set(pool.held_out)


def test_split_with_every_set_of_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    espeak = tuple(Voice(engine="espeak", name=f"v{index}") for index in range(30))
    flite = (Voice(engine="flite", name="slt"), Voice(engine="flite", name="kal"))
    festival = (Voice(engine="festival", name="ked_diphone"),)
    for has_flite, has_festival, held in ((0, 0, None), (1, 0, "flite"), (1, 1, "festival"), (0, 1, "festival")):
        monkeypatch.setattr(voices_module, "_espeak_voices", lambda: espeak)
        monkeypatch.setattr(voices_module, "_flite_voices", lambda found=has_flite: flite if found else ())
        monkeypatch.setattr(voices_module, "_festival_voices", lambda found=has_festival: festival if found else ())
        pool = VoicePool.discover()
        assert pool.held_out_engine == held
        assert pool.held_out and not set(pool.train) & set(pool.held_out)
        assert held not in {voice.engine for voice in pool.train}
        if held == "festival":
            assert "kal" not in {voice.name for voice in pool.train}


def test_phones_cover_the_sound_in_order(pool: VoicePool) -> None:
    for engine in {voice.engine for voice in pool.train}:
        voice = next(voice for voice in pool.train if voice.engine == engine)
        spoken = speak("My mother, the baker, bought five balloons.", voice, Manner(rate=1.1, tract=0.9))
        assert len(spoken.sound_S) > 24000 and np.isfinite(spoken.sound_S).all()
        assert spoken.phones[-1].end_samples <= len(spoken.sound_S)
        for first, second in itertools.pairwise(spoken.phones):
            assert first.start_samples < first.end_samples <= second.start_samples
        sounds = [phone.sound for phone in spoken.phones]
        assert sounds.count("b") >= 3 and sounds.count("m") >= 2 and "f" in sounds


def test_speech_is_full_of_speech_and_has_pauses(pool: VoicePool) -> None:
    shares = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        track = make_speech(rng, 120_000, *pool.pick(rng), SpeechStyle())
        assert track.sound_S.shape == (120_000,)
        spoken = sum(min(p.end_samples, 120_000) - max(p.start_samples, 0) for p in track.phones if not p.is_rest)
        shares.append(spoken / 120_000)
    assert min(shares) > 0.35 and 0.6 < np.mean(shares) < 0.95


def test_sentences_vary() -> None:
    rng = np.random.default_rng(0)
    sentences = [make_sentence(rng) for _ in range(400)]
    assert len({sentence.text for sentence in sentences}) > 300
    assert {sentence.kind for sentence in sentences} == {"statement", "question", "exclamation"}
