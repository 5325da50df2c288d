"""What a listener hears in a partner's sound, causally: loudness, activity, pitch and bursts.

`listening` turns this into reactions. Every value at a hop depends only on sound up to the end of that hop, so the same
rules can run live. Works on any sound: synthetic, recorded, noisy or silent.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SOUND_RATE_HZ: Final = 24000
HOP_SAMPLES: Final = 240
HOP_S: Final = HOP_SAMPLES / SOUND_RATE_HZ
SILENCE_DB: Final = -55.0  # nothing quieter counts as speech
ABOVE_FLOOR_DB: Final = 6.5  # speech is at least this much louder than the noise floor
BELOW_PEAK_DB: Final = 26.0  # and at most this much quieter than the recent loudest sound
QUIETEST_DB: Final = -62.0  # digital silence counts as a quiet room
FLOOR_RISE_DB_PER_S: Final = 7.0
PEAK_FALL_DB_PER_S: Final = 6.0
BURST_DEPTH_DB: Final = 9.0
LOWEST_PITCH_HZ: Final = 70.0
HIGHEST_PITCH_HZ: Final = 420.0
PITCH_HOP_S: Final = 2 * HOP_S
LEAST_PERIODICITY: Final = 0.55

Track = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Per hop of 10 ms: level, whether somebody speaks; per second hop: log2 of the pitch (NaN if unvoiced)."""

    level_db: NDArray[np.float64]
    is_active: NDArray[np.bool_]
    pitch_octaves: NDArray[np.float64]
    burst_hops: tuple[int, ...]  # hops at which a burst of loudness has just ended
    burst_peak_hops: tuple[int, ...]  # and the hop of that burst's peak


def hear(sound_S: Track) -> Heard:
    """Analyses a sound at 24 kHz; a last incomplete hop is left out."""
    level_db = _levels(sound_S)
    is_active = _activity(level_db)
    ends, peaks = _bursts(level_db, is_active)
    return Heard(
        level_db=level_db, is_active=is_active, pitch_octaves=_pitch(sound_S), burst_hops=ends, burst_peak_hops=peaks
    )


def _levels(sound_S: Track) -> NDArray[np.float64]:
    """Level of the 20 ms that end with each hop, in dB of full scale."""
    num_hops = len(sound_S) // HOP_SAMPLES
    power = np.square(sound_S[: num_hops * HOP_SAMPLES].astype(np.float64)).reshape(num_hops, HOP_SAMPLES).mean(axis=1)
    if num_hops:
        power = 0.5 * (power + np.concatenate([power[:1], power[:-1]]))
    return np.asarray(10 * np.log10(np.maximum(power, 1e-10)), dtype=np.float64)


def _activity(level_db: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Speech or not: louder than a floor that follows the quietest sound, and not far below the recent peak."""
    is_active = np.zeros(len(level_db), dtype=np.bool_)
    floor, peak = (max(float(level_db[0]), QUIETEST_DB) if len(level_db) else SILENCE_DB), SILENCE_DB
    for hop, level in enumerate(level_db.tolist()):
        floor = min(max(level, QUIETEST_DB), floor + FLOOR_RISE_DB_PER_S * HOP_S)
        peak = max(level, peak - PEAK_FALL_DB_PER_S * HOP_S)
        is_active[hop] = level > max(SILENCE_DB, floor + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB)
    return is_active


def _bursts(level_db: NDArray[np.float64], is_active: NDArray[np.bool_]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Bursts: a peak of loudness is one once the level has fallen by BURST_DEPTH_DB after rising by as much."""
    ends: list[int] = []
    peaks: list[int] = []
    high, low, high_hop, is_rising = -100.0, 0.0, 0, False
    for hop, level in enumerate(level_db.tolist()):
        if is_rising:
            if level > high:
                high, high_hop = level, hop
            elif level < high - BURST_DEPTH_DB:
                if is_active[high_hop]:
                    ends.append(hop)
                    peaks.append(high_hop)
                is_rising, low = False, level
        elif level < low:
            low = level
        elif level > low + BURST_DEPTH_DB:
            is_rising, high, high_hop = True, level, hop
    return tuple(ends), tuple(peaks)


def _pitch(sound_S: Track) -> NDArray[np.float64]:
    """log2 of the pitch in Hz every 20 ms by autocorrelation of the last 40 ms at 8 kHz; NaN where there is none."""
    rate_hz, window, hop = SOUND_RATE_HZ // 3, 320, 160
    num = len(sound_S) // 3
    low = sound_S[: num * 3].reshape(num, 3).mean(axis=1)
    num_windows = num // hop
    if num_windows == 0:
        return np.zeros(0)
    padded = np.concatenate([np.zeros(window - hop, dtype=np.float32), low])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][:num_windows] * np.hanning(window).astype(
        np.float32
    )
    spectrum = np.fft.rfft(windows, 1024, axis=1)
    correlation = np.fft.irfft(np.square(np.abs(spectrum)), 1024, axis=1)[:, : window // 2]
    taper = np.fft.irfft(np.square(np.abs(np.fft.rfft(np.hanning(window), 1024))), 1024)
    first, last = int(rate_hz / HIGHEST_PITCH_HZ), int(rate_hz / LOWEST_PITCH_HZ)
    lags = (
        correlation[:, first : last + 1] / np.maximum(correlation[:, :1], 1e-9) * (taper[0] / taper[first : last + 1])
    )
    best = lags.argmax(axis=1)
    periodicity = lags[np.arange(num_windows), best]
    inner = np.clip(best, 1, last - first - 1)
    left, middle, right = (lags[np.arange(num_windows), inner + step] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(
        (inner == best) & (np.abs(bend) > 1e-9), 0.5 * (left - right) / np.where(np.abs(bend) > 1e-9, bend, 1.0), 0.0
    )
    octaves = np.log2(rate_hz / (first + best + np.clip(shift, -0.5, 0.5)))
    is_voiced = (periodicity > LEAST_PERIODICITY) & (correlation[:, 0] > 320 * 10 ** (SILENCE_DB / 10) * 0.3)
    return np.asarray(np.where(is_voiced, octaves, np.nan), dtype=np.float64)
