"""Laughter as a sound: rhythmic, breathy bursts of voice. The partner of a listener laughs now and then."""

import numpy as np
from numpy.typing import NDArray

from training.actor.voices import PEAK, SOUND_RATE_HZ

Sound = NDArray[np.float32]


def laugh(rng: np.random.Generator) -> Sound:
    """ "Ha ha ha": 7 to 11 bursts at about five a second with falling pitch, each a buzz through two formants and breath."""
    num_bursts = int(rng.integers(7, 12))
    period_s = float(rng.uniform(0.17, 0.24))
    pitch_hz = float(np.exp(rng.uniform(np.log(130.0), np.log(380.0))))
    formants_hz = (float(rng.uniform(600.0, 950.0)), float(rng.uniform(1200.0, 1900.0)))
    num_samples = int((num_bursts * period_s + 0.1) * SOUND_RATE_HZ)
    sound = np.zeros(num_samples, dtype=np.float64)
    for burst in range(num_bursts):
        start = int((burst + rng.uniform(-0.03, 0.03)) * period_s * SOUND_RATE_HZ)
        length = int(period_s * rng.uniform(0.5, 0.62) * SOUND_RATE_HZ)
        voice = (
            _voiced(rng, length, pitch_hz * 0.96**burst, formants_hz) * np.sin(np.pi * np.arange(length) / length) ** 2
        )
        first = max(start, 0)
        last = min(start + length, num_samples)
        sound[first:last] += (voice * 0.95**burst)[first - start : last - start]
    return (sound * PEAK / max(float(np.abs(sound).max()), 1e-9)).astype(np.float32)


def _voiced(
    rng: np.random.Generator, length: int, pitch_hz: float, formants_hz: tuple[float, float]
) -> NDArray[np.float64]:
    time_s = np.arange(length) / SOUND_RATE_HZ
    glide = 1.0 - 0.15 * time_s / max(time_s[-1], 1e-9)
    phase = 2 * np.pi * np.cumsum(pitch_hz * glide) / SOUND_RATE_HZ
    sound = np.zeros(length)
    for harmonic in range(1, min(int(6000.0 / pitch_hz), 24) + 1):
        gain = sum(1.0 / (1.0 + ((harmonic * pitch_hz - formant) / 180.0) ** 2) for formant in formants_hz)
        sound += (0.05 + gain) / np.sqrt(harmonic) * np.sin(harmonic * phase)
    breathy: NDArray[np.float64] = sound + 0.25 * np.abs(sound).max() * rng.standard_normal(length)
    return breathy
