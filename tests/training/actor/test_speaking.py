"""The mouth follows the phones and the voice."""

import numpy as np

from training.actor.performance import Performance, perform_clip
from training.actor.phonemes import Phone
from training.actor.speaking import MOUTH, MouthHabit, mouth_state, speech_energy
from training.actor.speech_track import SpeechTrack
from training.actor.state import channel
from training.actor.visemes import REST_VISEME
from training.actor.voices import VoicePool

OPEN = MOUTH.index("mouth_open")
PRESS = MOUTH.index("lip_press")


def _spoken(*sounds: str, length: int = 3000) -> tuple[SpeechTrack, int]:
    phones = [
        Phone(
            sound=sound,
            start_samples=12_000 + index * length,
            end_samples=12_000 + (index + 1) * length,
            is_stressed=True,
        )
        for index, sound in enumerate(sounds)
    ]
    num_frames = 24 + len(sounds) * length // 1000
    sound_S = np.zeros(num_frames * 1000, np.float32)
    sound_S[12_000 : 12_000 + len(sounds) * length] = 0.5 * np.sin(np.arange(len(sounds) * length) * 0.05)
    return SpeechTrack(sound_S=sound_S, phones=tuple(phones)), num_frames


def test_closures_are_reached_wherever_they_fall() -> None:
    for length in (1100, 1700, 2300, 3100):
        track, num_frames = _spoken("a", "p", "a", "m", "a", "b", "i", length=length)
        mouth, _ = mouth_state(track, num_frames, MouthHabit())
        for phone in track.phones:
            if phone.sound in "pmb":
                frame = (phone.start_samples + phone.end_samples) // 2000
                assert mouth[frame, OPEN] == 0.0 and mouth[frame, PRESS] == 1.0


def test_vowels_look_different() -> None:
    shapes = {}
    for vowel in ("a", "i", "u"):
        track, num_frames = _spoken(vowel, length=8000)
        mouth, _ = mouth_state(track, num_frames, MouthHabit())
        shapes[vowel] = dict(zip(MOUTH, mouth[16], strict=True))
    assert shapes["a"]["mouth_open"] > 0.75 and shapes["i"]["mouth_open"] < 0.65 * shapes["a"]["mouth_open"]
    assert shapes["i"]["mouth_width"] > 0.6 and shapes["u"]["mouth_width"] < -0.6
    assert shapes["u"]["mouth_round"] > 0.8 > 0.1 > shapes["a"]["mouth_round"]


def test_mouth_is_closed_in_silence_and_without_speech() -> None:
    track, num_frames = _spoken("a", "l", "o", length=4000)
    mouth, viseme_T = mouth_state(track, num_frames, MouthHabit())
    assert mouth[:8, OPEN].max() == 0.0 and mouth[-8:, OPEN].max() == 0.0
    assert (viseme_T[:8] == REST_VISEME).all()
    still, _ = mouth_state(SpeechTrack(sound_S=np.zeros(24_000, np.float32)), 24, MouthHabit())
    assert not still.any()


def test_a_louder_voice_opens_further() -> None:
    track, num_frames = _spoken("a", "a", "a", "a", length=6000)
    louder = np.ones_like(track.sound_S)
    louder[12_000:24_000] = 0.2
    mouth, _ = mouth_state(SpeechTrack(sound_S=track.sound_S * louder, phones=track.phones), num_frames, MouthHabit())
    assert mouth[28:34, OPEN].mean() > 1.3 * mouth[14:20, OPEN].mean()


def _follows(performance: Performance) -> tuple[float, float]:
    energy = speech_energy(performance.dry_speak_S, performance.num_frames, 1000)
    opening = performance.state_TK[:, channel("mouth_open")]
    voiced = energy > 0.12
    return float(np.corrcoef(energy, opening)[0, 1]), float(np.corrcoef(energy[voiced], opening[voiced])[0, 1])


def test_opening_follows_the_envelope_also_within_the_voice(pool: VoicePool) -> None:
    performances = [perform_clip(seed, 120, "speak", pool) for seed in range(8)]
    overall, within = zip(*(_follows(performance) for performance in performances), strict=True)
    assert np.mean(overall) > 0.7 and np.mean(within) > 0.4


def test_opening_does_not_follow_another_voice(pool: VoicePool) -> None:
    first, second = perform_clip(1, 240, "speak", pool), perform_clip(2, 240, "speak", pool)
    energy = speech_energy(first.dry_speak_S, 240, 1000)
    assert abs(np.corrcoef(energy, second.state_TK[:, channel("mouth_open")])[0, 1]) < 0.35
