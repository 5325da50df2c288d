"""Rooms, noises and microphones for spoken sound, so that what is learned from synthetic voices carries over to real ones.

Applied to the sound only: the truth (the mouth, the phones) stays that of the dry voice, so the direct sound is never
delayed. Called by `performance` and by the training data; every function keeps length and finiteness.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.voices import SOUND_RATE_HZ

Sound = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Shares of clips with a room, with noise and with a poor microphone, and the ranges drawn from."""

    room_share: float = 0.5
    noise_share: float = 0.7
    microphone_share: float = 0.5
    clipping_share: float = 0.1
    least_snr_db: float = 8.0
    most_snr_db: float = 40.0
    lowest_level_db: float = -30.0
    highest_level_db: float = 0.0


HALL_SHARE: Final = 0.35  # of rooms
MURMUR_SHARE: Final = 0.45
CRACKLE_SHARE: Final = 0.12
GENTLE = AugmentConfig(least_snr_db=22.0, most_snr_db=45.0, lowest_level_db=-8.0, clipping_share=0.03, room_share=0.3)


def augment(rng: np.random.Generator, sound_S: Sound, config: AugmentConfig) -> Sound:
    """One random recording of a dry sound: same length, float32 within [-1, 1]. Silence stays silence."""
    if not len(sound_S) or float(np.abs(sound_S).max()) == 0.0:
        return sound_S.astype(np.float32, copy=True)
    has_room = bool(rng.random() < config.room_share)
    has_microphone = bool(rng.random() < config.microphone_share)
    room = room_response(rng) if has_room else np.ones(1, dtype=np.float32)
    num_fft = _fast_length(len(sound_S) + len(room))
    spectrum = np.fft.rfft(sound_S, num_fft)
    if has_room:
        spectrum *= np.fft.rfft(room, num_fft)
    colour = microphone_colour(rng, len(spectrum)) if has_microphone else np.ones(len(spectrum), dtype=np.float32)
    recorded = np.fft.irfft(spectrum * colour, num_fft)[: len(sound_S)]
    if rng.random() < config.noise_share:
        power = float(np.mean(np.square(recorded[np.abs(recorded) > 0.02 * np.abs(recorded).max()])))
        snr_db = rng.uniform(config.least_snr_db, config.most_snr_db)
        recorded = recorded + noise(rng, len(sound_S)) * np.sqrt(power * 10 ** (-snr_db / 10))
    peak = 10 ** (rng.uniform(config.lowest_level_db, config.highest_level_db) / 20)
    recorded = recorded / np.abs(recorded).max()
    if rng.random() < config.clipping_share:
        recorded = np.clip(recorded * rng.uniform(1.3, 3.0), -1.0, 1.0)
    return np.asarray(recorded * peak, dtype=np.float32)


def room_response(rng: np.random.Generator) -> Sound:
    """A room's impulse response: the direct sound first, a few early echoes, then a decaying tail of 0.1 to 0.6 s."""
    tail_s = rng.uniform(0.1, 0.6)
    num_samples = int(tail_s * SOUND_RATE_HZ)
    time_s = np.arange(num_samples) / SOUND_RATE_HZ
    tail = rng.standard_normal(num_samples) * np.exp(-6.9 * time_s / tail_s)
    tail[: int(0.004 * SOUND_RATE_HZ)] = 0.0
    for _ in range(4):
        tail[int(rng.uniform(0.003, 0.03) * SOUND_RATE_HZ)] += rng.uniform(2.0, 6.0)
    tail *= 10 ** (-rng.uniform(4.0, 18.0) / 20) / max(float(np.sqrt(np.square(tail).sum())), 1e-9)
    tail[0] = 1.0
    room = tail.astype(np.float32)
    return hall_echoes(rng, room) if rng.random() < HALL_SHARE else room


def hall_echoes(rng: np.random.Generator, room: Sound) -> Sound:
    """The room with loudspeakers and a far wall: up to four late, soft repetitions of its whole response, blurred by the way they went."""
    delays_s = rng.uniform(0.1, 0.6, int(rng.integers(1, 5)))
    hall = np.zeros(len(room) + int(0.65 * SOUND_RATE_HZ), dtype=np.float32)
    hall[: len(room)] = room
    for delay_s in delays_s:
        start = int(delay_s * SOUND_RATE_HZ)
        blur = rng.standard_normal(len(room)) * np.exp(-np.arange(len(room)) / SOUND_RATE_HZ / rng.uniform(0.005, 0.06))
        blur /= max(float(np.sqrt(np.square(blur).sum())), 1e-9)
        hall[start : start + len(room)] += (10 ** (-rng.uniform(14.0, 34.0) / 20) * blur).astype(np.float32)
    return hall


def microphone_colour(rng: np.random.Generator, num_bins: int) -> Sound:
    """A smooth frequency response: a low and a high cut, a tilt and a few resonances (zero phase, so nothing is delayed)."""
    frequency_hz = np.linspace(1.0, SOUND_RATE_HZ / 2, num_bins, dtype=np.float32)
    low_hz = np.exp(rng.uniform(np.log(30.0), np.log(300.0)))
    high_hz = np.exp(rng.uniform(np.log(3300.0), np.log(11500.0)))
    gain = 1.0 / np.sqrt(1.0 + (low_hz / frequency_hz) ** 4) / np.sqrt(1.0 + (frequency_hz / high_hz) ** 8)
    octaves = np.log2(frequency_hz / 1000.0)
    decibels = rng.uniform(-2.5, 2.5) * octaves
    for _ in range(3):
        decibels = decibels + rng.uniform(-6.0, 6.0) * np.exp(
            -np.square((octaves - rng.uniform(-3.0, 3.3)) / rng.uniform(0.2, 0.8))
        )
    return np.asarray(gain * 10 ** (decibels / 20), dtype=np.float32)


def noise(rng: np.random.Generator, num_samples: int) -> Sound:
    """Noise of unit power: coloured from white to brown, sometimes a murmur or crackling, sometimes with the hum of the mains."""
    coloured = coloured_noise(rng, num_samples)
    if rng.random() < MURMUR_SHARE:
        coloured = murmur(rng, num_samples)
    if rng.random() < CRACKLE_SHARE:
        coloured += crackle(rng, num_samples)
    if rng.random() < 0.2:
        mains_hz = float(rng.choice((50.0, 60.0)))
        time_s = np.arange(num_samples) / SOUND_RATE_HZ
        for harmonic in (1, 2, 3):
            coloured += rng.uniform(0.1, 0.8) * np.sin(2 * np.pi * mains_hz * harmonic * time_s)
    coloured /= max(float(np.sqrt(np.mean(np.square(coloured)))), 1e-12)
    return coloured.astype(np.float32)


def murmur(rng: np.random.Generator, num_samples: int) -> Sound:
    """A hall full of people, a street: coloured noise in three bands that swell and fall on their own, as syllables do (after the
    ICRA noises, Dreschler et al. 2001)."""
    bands = [coloured_noise(rng, num_samples) for _ in range(3)]
    spectra = [np.fft.rfft(band) for band in bands]
    frequency_hz = np.fft.rfftfreq(num_samples, 1 / SOUND_RATE_HZ)
    edges_hz = (0.0, 850.0, 2500.0, SOUND_RATE_HZ)
    deviation_db, rate_hz = rng.uniform(3.0, 9.0), rng.uniform(1.0, 6.0)
    sound = np.zeros(num_samples)
    for spectrum, low_hz, high_hz in zip(spectra, edges_hz, edges_hz[1:], strict=False):
        spectrum[(frequency_hz < low_hz) | (frequency_hz >= high_hz)] = 0.0
        sound += np.fft.irfft(spectrum, num_samples) * 10 ** (swell(rng, num_samples, rate_hz) * deviation_db / 20)
    return sound.astype(np.float32)


def swell(rng: np.random.Generator, num_samples: int, rate_hz: float) -> Sound:
    """A slow random line of about unit deviation that turns some `rate_hz` times a second."""
    num_points = max(int(2 * rate_hz * num_samples / SOUND_RATE_HZ), 2)
    places = np.linspace(0, num_samples - 1, num_points)
    return np.interp(np.arange(num_samples), places, 1.3 * rng.standard_normal(num_points)).astype(np.float32)


def crackle(rng: np.random.Generator, num_samples: int) -> Sound:
    """The clicks of an old record: short decaying bursts, 2 to 20 a second, of very unlike sizes."""
    clicks = np.zeros(num_samples, dtype=np.float32)
    count = int(rng.uniform(2, 20) * num_samples / SOUND_RATE_HZ)
    clicks[rng.integers(0, num_samples, count)] = rng.standard_normal(count) * rng.exponential(8.0, count)
    decay = np.exp(-np.arange(96) / rng.uniform(6.0, 40.0)) * rng.standard_normal(96)
    return np.convolve(clicks, decay)[:num_samples].astype(np.float32)


def coloured_noise(rng: np.random.Generator, num_samples: int) -> Sound:
    """Steady noise of unit power, from white to brown."""
    num_fft = _fast_length(num_samples)
    num_bins = num_fft // 2 + 1
    spectrum = rng.standard_normal((num_bins, 2), dtype=np.float32).view(np.complex64)[:, 0]
    spectrum *= (np.arange(num_bins, dtype=np.float32) + num_bins / 200) ** np.float32(-rng.uniform(0.0, 1.1))
    coloured = np.fft.irfft(spectrum, num_fft)[:num_samples]
    coloured /= max(float(np.sqrt(np.mean(np.square(coloured)))), 1e-12)
    return coloured.astype(np.float32)


def _fast_length(num_samples: int) -> int:
    """The next length of the form 2^a * 3^b * 5^c that a Fourier transform handles quickly, in steps of a few per cent."""
    power = 1
    while power < num_samples:
        power *= 2
    candidates = [power * numerator // 16 for numerator in (9, 10, 12, 15, 16)]
    return min(length for length in candidates if length >= num_samples)
