"""Voices of several text-to-speech engines, as one pool with a split into training and held-out voices.

`performance` asks the pool for a voice and for speech; the result is sound at 24 kHz with phones. Nobody outside knows
which engine spoke. A pool is plain data and travels to worker processes; each process opens the engines it needs itself.
"""

import logging
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.errors import MissingDependencyError
from training.actor.espeak import open_espeak
from training.actor.phonemes import STRESS_MARKS, Phone, sounds_of_ipa, split_phone

log = logging.getLogger(__name__)

SOUND_RATE_HZ: Final = 24000
PEAK: Final = 0.7

EngineName = Literal["espeak", "flite", "festival"]
Sound = NDArray[np.float32]

_ESPEAK_ACCENTS: Final = (
    "en",
    "en-us",
    "en-us",
    "en-gb-scotland",
    "en-029",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
)
_ESPEAK_VARIANTS: Final = (
    "", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "croak", "whisper", "klatt", "klatt2",
    "klatt3", "klatt4", "klatt6", "steph", "steph2", "steph3", "belinda", "linda", "Alicia", "Andrea", "Annie", "aunty", "grandma",
    "grandpa", "adam", "benjamin", "boris", "caleb", "ed", "edward", "gustave", "ian", "john", "michel", "norbert", "paul",
    "quincy", "rob", "robert", "shelby", "travis", "victor", "zac", "Alex", "Andy", "Denis", "Gene", "Hugo", "Lee", "Marco",
    "Michael", "Mike", "Reed",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Voice:
    """One voice of an engine, e.g. engine "espeak", name "en-us+f2"."""

    engine: EngineName
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How a voice speaks: `pitch` and `pitch_range` around 1, `rate` around 1, `tract` > 1 for a larger head (deeper)."""

    pitch: float = 1.0
    pitch_range: float = 1.0
    rate: float = 1.0
    tract: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One spoken text: sound at 24 kHz and its phones in order, with rests."""

    text: str
    sound_S: Sound
    phones: tuple[Phone, ...]


@dataclass(frozen=True, kw_only=True)
class VoicePool:
    """The voices that this machine has; `train` and `held_out` share no voice and no whole held-out engine."""

    train: tuple[Voice, ...]
    held_out: tuple[Voice, ...]
    held_out_engine: EngineName | None

    @classmethod
    def discover(cls) -> "VoicePool":
        """Finds every engine that works here; `MissingDependencyError` if there is none."""
        espeak = _espeak_voices()
        if not espeak:
            raise MissingDependencyError(
                "No text-to-speech engine was found; install one with: pip install espeakng-loader"
            )
        held = tuple(voice for index, voice in enumerate(espeak) if index % 12 == 7)
        return cls(train=tuple(voice for voice in espeak if voice not in held), held_out=held, held_out_engine=None)

    @property
    def engines(self) -> tuple[str, ...]:
        """Names of the engines in the pool."""
        return tuple(sorted({voice.engine for voice in self.train + self.held_out}))

    def for_evaluation(self) -> "VoicePool":
        """A pool whose `train` voices are this pool's held-out ones, for performances that a model must never have heard."""
        return VoicePool(train=self.held_out, held_out=(), held_out_engine=self.held_out_engine)

    def pick(self, rng: np.random.Generator) -> tuple[Voice, Manner]:
        """A training voice and a manner of speaking; engines are drawn first, so that a small one is heard as well."""
        engines = sorted({voice.engine for voice in self.train})
        engine = engines[int(rng.integers(len(engines)))]
        voices = [voice for voice in self.train if voice.engine == engine]
        voice = voices[int(rng.integers(len(voices)))]
        manner = Manner(
            pitch=float(np.exp(rng.normal(0.0, 0.16))),
            pitch_range=float(rng.uniform(0.6, 1.5)),
            rate=float(np.exp(rng.normal(-0.05, 0.13))),
            tract=float(np.exp(rng.normal(0.0, 0.07))),
        )
        return voice, manner


def speak(text: str, voice: Voice, manner: Manner) -> Utterance:
    """Speaks one text. The sound's loudest sample is PEAK; phones cover the sound from its first to its last sample."""
    sound, rate_hz, phones = _speak_espeak(text, voice, manner)
    return _at_our_rate(text, sound, rate_hz, phones, manner.tract)


def _espeak_voices() -> tuple[Voice, ...]:
    try:
        espeak = open_espeak()
    except MissingDependencyError as error:
        log.warning("%s", error)
        return ()
    accents = tuple(dict.fromkeys(_ESPEAK_ACCENTS))
    names = [f"{accent}+{variant}" if variant else accent for variant in _ESPEAK_VARIANTS for accent in accents]
    working = [name for name in names if espeak.set_voice(name)]
    return tuple(Voice(engine="espeak", name=name) for name in working)


def _speak_espeak(text: str, voice: Voice, manner: Manner) -> tuple[Sound, int, list[Phone]]:
    espeak = open_espeak()
    if not espeak.set_voice(voice.name):
        raise MissingDependencyError(f"espeak-ng has no voice {voice.name!r} here; update the package espeakng-loader.")
    raw, events = espeak.speak(
        text,
        pitch=int(np.clip(50 * manner.pitch, 10, 90)),
        pitch_range=int(np.clip(50 * manner.pitch_range, 10, 99)),
        words_per_minute=int(np.clip(165 * manner.rate * manner.tract, 90, 320)),
    )
    ends = [start for start, _ in events[1:]] + [len(raw)]
    phones: list[Phone] = []
    for (start, ipa), end in zip(events, ends, strict=True):
        phones += split_phone(sounds_of_ipa(ipa), start, end, any(mark in ipa for mark in STRESS_MARKS))
    return raw.astype(np.float32) / 32768.0, espeak.rate_hz, phones


def _at_our_rate(text: str, sound: Sound, rate_hz: int, phones: list[Phone], tract: float) -> Utterance:
    """Resamples to 24 kHz; `tract` stretches the sound, which moves its formants as a longer or shorter vocal tract does."""
    scale = SOUND_RATE_HZ * tract / rate_hz
    resampled = soxr.resample(sound, rate_hz, SOUND_RATE_HZ * tract, quality="MQ").astype(np.float32)
    peak = float(np.abs(resampled).max()) if len(resampled) else 0.0
    if peak > 0:
        resampled *= PEAK / peak
    moved = tuple(
        Phone(
            sound=phone.sound,
            start_samples=round(phone.start_samples * scale),
            end_samples=min(round(phone.end_samples * scale), len(resampled)),
            is_stressed=phone.is_stressed,
        )
        for phone in phones
    )
    return Utterance(text=text, sound_S=resampled, phones=tuple(p for p in moved if p.end_samples > p.start_samples))
