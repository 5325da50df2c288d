"""What a speaker's head, brows and eyes do along with the words: nods on stress, brows on accents and questions, blinks.

Called by `performance` for the speaking parts of a track. Adds to pose, eye and brow channels, never to the mouth.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.motion import add_pulse, bell, follow, plateau
from training.actor.speech_track import SpeechTrack
from training.actor.state import channel

SAMPLES_PER_FRAME: Final = 1000
STRESS_NOD_FRAMES: Final = 9
ACCENT_BROW_FRAMES: Final = 12

Track = NDArray[np.float32]


def add_speech_gestures(
    rng: np.random.Generator, state_TK: Track, track: SpeechTrack, *, liveliness: float
) -> list[int]:
    """Adds gestures in place and returns the frames where blinks begin (phrase ends, mostly)."""
    pitch = state_TK[:, channel("pitch")]
    brows = np.zeros(len(state_TK), dtype=np.float32)
    last_frame = -10
    for phone in track.phones:
        frame = phone.start_samples // SAMPLES_PER_FRAME
        if not (phone.is_stressed and phone.is_vowel) or frame - last_frame < 8:
            continue
        if rng.random() < 0.6:
            add_pulse(pitch, frame - 3, bell(STRESS_NOD_FRAMES), -float(rng.uniform(0.04, 0.1)) * liveliness)
            last_frame = frame
        if rng.random() < 0.16:
            add_pulse(brows, frame - 4, bell(ACCENT_BROW_FRAMES), float(rng.uniform(0.35, 0.8)) * liveliness)
    blinks = _phrase_gestures(rng, state_TK, track, brows, liveliness)
    for name in ("brow_left", "brow_right"):
        state_TK[:, channel(name)] += np.clip(brows, -1.0, 1.0)
    return blinks


def _phrase_gestures(
    rng: np.random.Generator, state_TK: Track, track: SpeechTrack, brows: Track, liveliness: float
) -> list[int]:
    blinks: list[int] = []
    turn = np.zeros((len(state_TK), 2), dtype=np.float32)
    for phrase in track.phrases:
        start, end = phrase.start_samples // SAMPLES_PER_FRAME, phrase.end_samples // SAMPLES_PER_FRAME
        if rng.random() < 0.7:
            turn[max(start - 3, 0) : max(end, 0)] = rng.normal(0.0, (0.09, 0.045)) * liveliness
        if phrase.kind == "question":
            length = min(max(end - start, 12), 26)
            add_pulse(brows, end - length + 4, plateau(length + 4, 5), float(rng.uniform(0.55, 0.95)))
            add_pulse(state_TK[:, channel("pitch")], end - length + 4, plateau(length + 4, 6), 0.06)
        elif phrase.kind == "exclamation":
            add_pulse(brows, start - 3, plateau(16, 4), float(rng.uniform(0.3, 0.7)))
            add_pulse(
                state_TK[:, channel("lean")], start - 4, plateau(24, 6), float(rng.uniform(0.2, 0.5)) * liveliness
            )
        if rng.random() < 0.6:
            blinks.append(end + int(rng.integers(-1, 4)))
        if rng.random() < 0.22 and end - start > 20:
            away = plateau(int(rng.integers(12, 20)), 2)
            add_pulse(
                state_TK[:, channel("gaze_x")],
                start - 4,
                away,
                float(rng.uniform(0.35, 0.7)) * float(rng.choice((-1.0, 1.0))),
            )
            add_pulse(state_TK[:, channel("gaze_y")], start - 4, away, float(rng.uniform(-0.2, 0.4)))
    if len(turn):
        state_TK[:, [channel("yaw"), channel("roll")]] += follow(turn, 0.5)
    return blinks
