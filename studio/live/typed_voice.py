"""Typed lines become speech: espeak-ng, which comes with the product and speaks hundreds of times faster than real time."""

import threading
from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.media.espeak import open_espeak
from engine.shapes import SOUND_RATE_HZ

MOST_LETTERS: Final = 600
_PEAK: Final = 0.6
_PAUSE_S: Final = 0.15
_ESPEAK: Final = threading.Lock()  # the library has one global state


@dataclass(frozen=True, kw_only=True)
class TypedVoice:
    """A voice of espeak-ng: what a person reads, and its name there."""

    label: str
    name: str
    pitch: int = 50
    words_per_minute: int = 155


VOICES: Final = (
    TypedVoice(label="American, higher", name="en-us+f2"),
    TypedVoice(label="American, lower", name="en-us+m3", pitch=42),
    TypedVoice(label="British, higher", name="en-gb-x-rp+f3"),
    TypedVoice(label="British, lower", name="en-gb-x-rp+m7", pitch=42),
    TypedVoice(label="Scottish", name="en-gb-scotland"),
)


def say(text: str, voice: TypedVoice) -> NDArray[np.float32]:
    """The line as mono float32 [S] at 24 kHz, with a short rest at its end. Safe from any thread, one line at a time.

    `BadInputError` for nothing to say or too much of it, `MissingDependencyError` where the library is not installed.
    """
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if not line:
        raise BadInputError("there is nothing to say; type a line first")
    if len(line) > MOST_LETTERS:
        raise BadInputError(f"a line of {len(line)} letters is too long to say at once; use at most {MOST_LETTERS}")
    with _ESPEAK:
        espeak = open_espeak()
        raw_S, _ = espeak.speak(
            line, voice.name, pitch=voice.pitch, pitch_range=50, words_per_minute=voice.words_per_minute
        )
        rate_hz = espeak.rate_hz
    if not len(raw_S) or not np.any(raw_S):
        raise BadInputError(f"nothing of {line!r} can be spoken by the voice {voice.label}; use words")
    sound_S = soxr.resample(raw_S.astype(np.float32) / 32768.0, rate_hz, SOUND_RATE_HZ).astype(np.float32)
    sound_S *= _PEAK / float(np.abs(sound_S).max())
    return np.concatenate([sound_S, np.zeros(round(_PAUSE_S * SOUND_RATE_HZ), np.float32)])
