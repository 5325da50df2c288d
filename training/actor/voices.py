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
from engine.media.espeak import open_espeak
from training.actor.festival import find_festival_voices, speak_festival
from training.actor.flite import Segment, open_flite
from training.actor.phonemes import STRESS_MARKS, Phone, sounds_of_dictionary_phone, sounds_of_ipa, split_phone
from training.actor.stops import with_closures

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
_SPEAKER_OF_FESTIVAL: Final = ("kal", "kal16")
_ENGINE_WEIGHTS: Final[dict[EngineName, float]] = {"espeak": 0.6, "flite": 0.4, "festival": 0.4}
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
        """Finds every engine that works here; `MissingDependencyError` if there is none.

        Festival is held out wholly where it is installed (and flite's voices of the same speaker with it), otherwise flite;
        with espeak-ng alone every twelfth of its voices is held out and `held_out_engine` is None.
        """
        espeak, flite, festival = _espeak_voices(), _flite_voices(), _festival_voices()
        if not espeak and not flite:
            raise MissingDependencyError(
                "No text-to-speech engine was found; install one with: pip install espeakng-loader"
            )
        if festival:
            others = tuple(voice for voice in flite if voice.name not in _SPEAKER_OF_FESTIVAL)
            return cls(train=espeak + others, held_out=festival, held_out_engine="festival")
        if espeak and flite:
            return cls(train=espeak, held_out=flite, held_out_engine="flite")
        both = espeak + flite
        held = tuple(voice for index, voice in enumerate(both) if index % 12 == min(7, len(both) - 1))
        return cls(train=tuple(voice for voice in both if voice not in held), held_out=held, held_out_engine=None)

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
        weights = np.asarray([_ENGINE_WEIGHTS[engine] for engine in engines])
        engine = engines[int(rng.choice(len(engines), p=weights / weights.sum()))]
        voices = [voice for voice in self.train if voice.engine == engine]
        voice = voices[int(rng.integers(len(voices)))]
        tract_spread = 0.07 if engine == "espeak" else 0.1  # few recorded speakers: make more of each
        manner = Manner(
            pitch=float(np.exp(rng.normal(0.0, 0.16))),
            pitch_range=float(rng.uniform(0.6, 1.5)),
            rate=float(np.clip(np.exp(rng.normal(-0.05, 0.13)), 0.7, 1.4)),
            tract=float(np.clip(np.exp(rng.normal(0.0, tract_spread)), 0.8, 1.25)),
        )
        return voice, manner


def speak(text: str, voice: Voice, manner: Manner) -> Utterance:
    """Speaks one text. The sound's loudest sample is PEAK; phones cover the sound from its first to its last sample."""
    engines = {"espeak": _speak_espeak, "flite": _speak_flite, "festival": _speak_festival}
    sound, rate_hz, phones = engines[voice.engine](text, voice, manner)
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


def _flite_voices() -> tuple[Voice, ...]:
    try:
        return tuple(Voice(engine="flite", name=name) for name in open_flite().voices)
    except MissingDependencyError as error:
        log.info("%s", error)
        return ()


def _festival_voices() -> tuple[Voice, ...]:
    try:
        return tuple(Voice(engine="festival", name=name) for name in find_festival_voices())
    except MissingDependencyError as error:
        log.info("%s", error)
        return ()


def _speak_flite(text: str, voice: Voice, manner: Manner) -> tuple[Sound, int, list[Phone]]:
    raw, rate_hz, segments = open_flite().speak(text, voice.name, pitch=manner.pitch, rate=manner.rate * manner.tract)
    return raw.astype(np.float32) / 32768.0, rate_hz, _phones_of_segments(segments, len(raw))


def _speak_festival(text: str, voice: Voice, manner: Manner) -> tuple[Sound, int, list[Phone]]:
    raw, rate_hz, segments = speak_festival(text, voice.name, pitch=manner.pitch, rate=manner.rate * manner.tract)
    return raw.astype(np.float32) / 32768.0, rate_hz, _phones_of_segments(segments, len(raw))


def _phones_of_segments(segments: list[Segment], num_samples: int) -> list[Phone]:
    """Segments as phones. Joining recorded pieces makes the sound a little shorter than planned, all along alike."""
    scale = num_samples / max(segments[-1].end_s, 1e-6) if segments else 0.0
    phones: list[Phone] = []
    start = 0
    for segment in segments:
        end = round(segment.end_s * scale)
        phones += split_phone(sounds_of_dictionary_phone(segment.name), start, end, segment.is_stressed)
        start = end
    return phones


def _speak_espeak(text: str, voice: Voice, manner: Manner) -> tuple[Sound, int, list[Phone]]:
    espeak = open_espeak()
    raw, events = espeak.speak(
        text,
        voice.name,
        pitch=int(np.clip(50 * manner.pitch, 10, 90)),
        pitch_range=int(np.clip(50 * manner.pitch_range, 10, 99)),
        words_per_minute=int(np.clip(165 * manner.rate * manner.tract, 90, 320)),
    )
    ends = [start for start, _ in events[1:]] + [len(raw)]
    phones: list[Phone] = []
    for (start, ipa), end in zip(events, ends, strict=True):
        phones += split_phone(sounds_of_ipa(ipa), start, end, any(mark in ipa for mark in STRESS_MARKS))
    sound = raw.astype(np.float32) / 32768.0
    return sound, espeak.rate_hz, with_closures(phones, sound, espeak.rate_hz)


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
