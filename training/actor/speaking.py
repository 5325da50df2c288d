"""From phones to a moving mouth: visemes with coarticulation, closures that close, an opening that follows the voice.

Each phone pulls the mouth towards its viseme with a dominance that fades around it (Cohen and Massaro's model of
coarticulation); the opening is then weighed with the short-term energy of the sound, as a real jaw opens further for a
louder voice. Called by `performance` with the dry sound. Writes only mouth channels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.phonemes import Phone
from training.actor.speech_track import SpeechTrack
from training.actor.state import channel
from training.actor.visemes import CLOSED_VISEME, REST_VISEME, VISEMES, viseme_of, viseme_targets
from training.actor.voices import SOUND_RATE_HZ

SAMPLES_PER_FRAME: Final = 1000
STEPS_PER_FRAME: Final = 5
STEP_SAMPLES: Final = SAMPLES_PER_FRAME // STEPS_PER_FRAME
LEAD_MS: Final = 20.0  # lips move a little before their sound
ENERGY_WINDOW_MS: Final = 50.0
KNEE: Final = 0.7  # wider openings approach 1 softly, so that loud vowels still differ
MOUTH: Final = ("mouth_open", "mouth_width", "mouth_round", "lip_press", "teeth")

Track = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class MouthHabit:
    """How somebody speaks: `opening` scales the jaw, `loudness` is the share of the opening that follows the sound's energy."""

    opening: float = 1.0
    loudness: float = 0.75


def speech_energy(sound_S: Track, num_steps: int, step_samples: int = STEP_SAMPLES) -> Track:
    """Short-term energy 0..1 around the middle of each step: root mean square to the power 0.7, 1 at the loud vowels."""
    half = int(ENERGY_WINDOW_MS / 2000 * SOUND_RATE_HZ)
    sums = np.concatenate([[0.0], np.cumsum(np.square(sound_S, dtype=np.float64))])
    centres = np.arange(num_steps) * step_samples + step_samples // 2
    first = np.clip(centres - half, 0, len(sound_S))
    last = np.clip(centres + half, 0, len(sound_S))
    rms = np.sqrt(np.maximum(sums[last] - sums[first], 0.0) / (2 * half))
    loud = rms[rms > 0.05 * max(float(rms.max()), 1e-9)]
    scale = float(np.percentile(loud, 92)) if len(loud) else 1.0
    return np.asarray(np.clip(rms / max(scale, 1e-6), 0.0, 1.15) ** 0.7, dtype=np.float32)


def mouth_state(track: SpeechTrack, num_frames: int, habit: MouthHabit) -> tuple[Track, NDArray[np.int16]]:
    """Mouth channels [num_frames, 5] in the order of MOUTH, and the viseme at the middle of each frame."""
    num_steps = num_frames * STEPS_PER_FRAME
    phones = _with_rests(track.phones, num_frames * SAMPLES_PER_FRAME)
    visemes = np.asarray([viseme_of(phone.sound) for phone in phones])
    mouth = _blend(phones, visemes, num_steps)
    energy = speech_energy(track.sound_S, num_steps)
    mouth[:, 0] = _opening(mouth[:, 0], energy, habit)
    mouth[:, 3] = np.clip(mouth[:, 3] * 1.3 - 0.2, 0.0, 1.0)
    frames = mouth.reshape(num_frames, STEPS_PER_FRAME, 5).mean(axis=1)
    _close(frames, phones, num_frames)
    starts = np.asarray([phone.start_samples for phone in phones])
    centres = np.arange(num_frames) * SAMPLES_PER_FRAME + SAMPLES_PER_FRAME // 2
    viseme_T = visemes[np.clip(np.searchsorted(starts, centres, side="right") - 1, 0, len(phones) - 1)]
    return frames.astype(np.float32), viseme_T.astype(np.int16)


def write_mouth(state_TK: Track, mouth: Track) -> None:
    """Puts the result of `mouth_state` into its channels, in place."""
    for column, name in enumerate(MOUTH):
        state_TK[:, channel(name)] = mouth[:, column]


def _with_rests(phones: tuple[Phone, ...], num_samples: int) -> list[Phone]:
    """Fills every gap with a rest, from before the start of the track to beyond its end, so that the mouth has a place to go."""
    result: list[Phone] = []
    at = -SOUND_RATE_HZ
    for phone in phones:
        if phone.start_samples > at:
            result.append(Phone(sound="_", start_samples=at, end_samples=phone.start_samples))
        result.append(phone)
        at = max(phone.end_samples, at)
    result.append(Phone(sound="_", start_samples=at, end_samples=max(num_samples, at) + SOUND_RATE_HZ))
    return result


def _blend(phones: list[Phone], visemes: NDArray[np.int64], num_steps: int) -> NDArray[np.float64]:
    """The dominance-weighted mean of the visemes' targets at each step, [num_steps, 5]."""
    lead = LEAD_MS / 1000 * SOUND_RATE_HZ
    start = np.asarray([phone.start_samples for phone in phones], dtype=np.float64) - lead
    end = np.asarray([phone.end_samples for phone in phones], dtype=np.float64) - lead
    reach = np.asarray([VISEMES[index].reach_ms for index in visemes]) / 1000 * SOUND_RATE_HZ
    dominance = np.asarray([VISEMES[index].dominance for index in visemes])
    stress = np.asarray([1.12 if p.is_stressed else 0.9 for p in phones])
    targets = viseme_targets()[visemes].astype(np.float64)
    targets[:, 0] *= np.where([phone.is_vowel for phone in phones], stress, 1.0)
    time = (np.arange(num_steps) + 0.5) * STEP_SAMPLES
    inset = np.minimum(0.25 * (end - start), 0.02 * SOUND_RATE_HZ)
    outside = np.maximum(np.maximum((start + inset)[None] - time[:, None], time[:, None] - (end - inset)[None]), 0.0)
    weights = dominance[None] * np.exp(-outside / reach[None]) + 1e-12
    blended: NDArray[np.float64] = (weights @ targets) / weights.sum(axis=1, keepdims=True)
    return blended


def _opening(target: NDArray[np.float64], energy: Track, habit: MouthHabit) -> NDArray[np.float64]:
    """The phones' opening weighed with the voice's energy; a faint opening counts as closed."""
    share = habit.loudness
    shaped = target * (1 - share + share * energy) + 0.35 * share * energy * np.minimum(target * 3.0, 1.0)
    opening = np.maximum((shaped * habit.opening - 0.04) / 0.96, 0.0)
    soft = KNEE + (1 - KNEE) * np.tanh((opening - KNEE) / (1 - KNEE))
    return np.asarray(np.where(opening > KNEE, soft, opening), dtype=np.float64)


def _close(frames: NDArray[np.float64], phones: list[Phone], num_frames: int) -> None:
    """Lip closures fall between frames more often than not: the frame nearest to each one's middle shows it wholly, in place."""
    for phone in phones:
        frame = (phone.start_samples + phone.end_samples) // 2 // SAMPLES_PER_FRAME
        index = viseme_of(phone.sound)
        if not 0 <= frame < num_frames:
            continue
        if index == CLOSED_VISEME:
            frames[frame, 0] = 0.0
            frames[frame, 3] = 1.0
    rest = np.asarray([viseme_of(phone.sound) == REST_VISEME for phone in phones])
    for phone, is_rest in zip(phones, rest, strict=True):
        if is_rest and phone.end_samples - phone.start_samples > 5 * SAMPLES_PER_FRAME:
            first = max(phone.start_samples // SAMPLES_PER_FRAME + 3, 0)
            last = max((phone.end_samples - 2 * SAMPLES_PER_FRAME) // SAMPLES_PER_FRAME, 0)
            frames[first:last] = 0.0
