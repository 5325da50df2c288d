"""A stretch of speech of any length: sentences by one voice with pauses between, cut anywhere.

`performance` asks for speech and for a partner's speech; `speaking`, `prosody` and `listening` get the result.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.actor.phonemes import Phone
from training.actor.sentences import SentenceKind, make_sentence
from training.actor.voices import SOUND_RATE_HZ, Manner, Voice, speak

Sound = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrase:
    """Speech between two rests: where it lies and what sort of sentence it belongs to."""

    start_samples: int
    end_samples: int
    kind: SentenceKind


@dataclass(frozen=True, kw_only=True)
class SpeechTrack:
    """Sound at 24 kHz with its phones and phrases; `text` is what is said, in whole sentences even where it is cut."""

    sound_S: Sound
    phones: tuple[Phone, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    text: str = ""

    def cut(self, start_samples: int, num_samples: int) -> "SpeechTrack":
        """A window of the track. Phones that reach into it stay whole, so the first may begin before zero."""

        def inside(start: int, end: int) -> bool:
            return end > start_samples and start < start_samples + num_samples

        phones = tuple(
            Phone(
                sound=p.sound,
                start_samples=p.start_samples - start_samples,
                end_samples=p.end_samples - start_samples,
                is_stressed=p.is_stressed,
            )
            for p in self.phones
            if inside(p.start_samples, p.end_samples)
        )
        phrases = tuple(
            Phrase(
                start_samples=p.start_samples - start_samples, end_samples=p.end_samples - start_samples, kind=p.kind
            )
            for p in self.phrases
            if inside(p.start_samples, p.end_samples)
        )
        sound = np.zeros(num_samples, dtype=np.float32)
        piece = self.sound_S[max(start_samples, 0) : start_samples + num_samples]
        offset = max(-start_samples, 0)
        sound[offset : offset + len(piece)] = piece
        return SpeechTrack(sound_S=sound, phones=phones, phrases=phrases, text=self.text)


@dataclass(frozen=True, kw_only=True)
class SpeechStyle:
    """How sentences follow each other: pauses, sentences said quietly, and sounds put between sentences (laughter)."""

    shortest_pause_s: float = 0.15
    longest_pause_s: float = 0.9
    quiet_share: float = 0.0
    interjection: Callable[[np.random.Generator], Sound] | None = None
    interjection_share: float = 0.0


def make_speech(
    rng: np.random.Generator, num_samples: int, voice: Voice, manner: Manner, style: SpeechStyle
) -> SpeechTrack:
    """Speech of at least `num_samples`, cut to exactly that length at a random place."""
    pieces: list[Sound] = []
    phones: list[Phone] = []
    phrases: list[Phrase] = []
    texts: list[str] = []
    length = 0
    while length < num_samples + SOUND_RATE_HZ or not texts:
        if style.interjection is not None and rng.random() < style.interjection_share:
            sound = style.interjection(rng)
        else:
            sentence = make_sentence(rng)
            utterance = speak(sentence.text, voice, manner)
            loudness = rng.uniform(0.03, 0.08) if rng.random() < style.quiet_share else rng.uniform(0.7, 1.0)
            sound = utterance.sound_S * np.float32(loudness)
            moved = [_moved(phone, length) for phone in utterance.phones]
            phones += moved
            phrases += _phrases(moved, sentence.kind)
            texts.append(sentence.text)
        pause = int(rng.uniform(style.shortest_pause_s, style.longest_pause_s) * SOUND_RATE_HZ)
        pieces += [sound, np.zeros(pause, dtype=np.float32)]
        length += len(sound) + pause
    track = SpeechTrack(
        sound_S=np.concatenate(pieces).astype(np.float32),
        phones=tuple(phones),
        phrases=tuple(phrases),
        text=" ".join(texts),
    )
    return track.cut(int(rng.integers(0, max(length - num_samples, 1))), num_samples)


def _moved(phone: Phone, offset: int) -> Phone:
    return Phone(
        sound=phone.sound,
        start_samples=phone.start_samples + offset,
        end_samples=phone.end_samples + offset,
        is_stressed=phone.is_stressed,
    )


def _phrases(phones: list[Phone], kind: SentenceKind) -> list[Phrase]:
    """Runs of phones between rests of at least 80 ms; only the last one carries the sentence's melody."""
    runs: list[list[Phone]] = [[]]
    for phone in phones:
        if not phone.is_rest:
            runs[-1].append(phone)
        elif phone.end_samples - phone.start_samples >= 0.08 * SOUND_RATE_HZ and runs[-1]:
            runs.append([])
    spoken = [run for run in runs if run]
    return [
        Phrase(
            start_samples=run[0].start_samples,
            end_samples=run[-1].end_samples,
            kind=kind if run is spoken[-1] else "statement",
        )
        for run in spoken
    ]
