"""Lifelike motion out of plain targets: springs, pulses, slow drifts and blinks, all at 24 fps.

Used by everything that moves a channel. It knows nothing of speech or of directions.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAME_RATE_HZ: Final = 24
BLINK_SHAPE: Final = (0.35, 1.0, 1.0, 0.55, 0.15)

Track = NDArray[np.float32]


def follow(target_T: Track, rise_s: float) -> Track:
    """A critically damped spring after a target, starting at rest on its first value; 90 % of a step is made in `rise_s`.

    Works on [T] and on [T, K]: the spring's answer to a step within one frame, summed over the past.
    """
    omega = 3.89 / (rise_s * FRAME_RATE_HZ)
    length = int(12.0 / omega) + 2
    time = np.arange(length + 1)
    step = 1.0 - (1.0 + omega * time) * np.exp(-omega * time)
    response = np.diff(step)
    response /= response.sum()
    target = np.asarray(target_T, dtype=np.float64).reshape(len(target_T), -1)
    padded = np.concatenate([np.repeat(target[:1], length - 1, axis=0), target])
    columns = [np.convolve(padded[:, column], response, mode="valid") for column in range(target.shape[1])]
    return np.stack(columns, axis=1).reshape(target_T.shape).astype(np.float32)


def add_pulse(track_T: Track, start_frame: int, shape: tuple[float, ...] | Track, size: float) -> None:
    """Adds `size` times a shape from a frame on, in place; what falls outside the track is cut."""
    first, last = max(start_frame, 0), min(start_frame + len(shape), len(track_T))
    if last > first:
        track_T[first:last] += size * np.asarray(shape[first - start_frame : last - start_frame], dtype=np.float32)


def bell(num_frames: int) -> Track:
    """A smooth bump from 0 over 1 to 0 (a squared sine)."""
    return np.square(np.sin(np.pi * (np.arange(num_frames) + 0.5) / num_frames)).astype(np.float32)


def plateau(num_frames: int, ramp_frames: int) -> Track:
    """Rises smoothly to 1 within `ramp_frames`, holds, and returns to 0."""
    position = np.minimum(np.arange(num_frames) + 1, num_frames - np.arange(num_frames)) / (ramp_frames + 1)
    eased = np.clip(position, 0.0, 1.0)
    return np.asarray(eased * eased * (3 - 2 * eased), dtype=np.float32)


def drift(rng: np.random.Generator, num_frames: int, size: float, highest_hz: float) -> Track:
    """A slow random drift with a standard deviation near `size` and nothing above `highest_hz`."""
    time_s = np.arange(num_frames) / FRAME_RATE_HZ
    rates_hz = rng.uniform(0.06, highest_hz, 5)
    phases = rng.uniform(0, 2 * np.pi, 5)
    weights = rng.uniform(0.5, 1.0, 5) / np.sqrt(rates_hz)
    waves = np.sin(2 * np.pi * rates_hz[:, None] * time_s + phases[:, None])
    return np.asarray(size * np.sqrt(2.0 / np.square(weights).sum()) * (weights @ waves), dtype=np.float32)


def shifting_targets(rng: np.random.Generator, num_frames: int, size: float, hold_s: tuple[float, float]) -> Track:
    """Piecewise constant random targets: a new one after each hold, often back near zero. To be softened by `follow`."""
    track = np.zeros(num_frames, dtype=np.float32)
    frame = 0
    while frame < num_frames:
        length = int(rng.uniform(*hold_s) * FRAME_RATE_HZ) + 1
        track[frame : frame + length] = (
            0.3 * size * rng.normal() if rng.random() < 0.3 else size * np.clip(rng.normal(), -2, 2)
        )
        frame += length
    return track


def blink_track(num_frames: int, starts: list[int]) -> Track:
    """Blinks that begin at the given frames; overlapping ones merge."""
    track = np.zeros(num_frames, dtype=np.float32)
    for start in starts:
        for step, value in enumerate(BLINK_SHAPE):
            if 0 <= start + step < num_frames:
                track[start + step] = max(float(track[start + step]), value)
    return track


def spontaneous_blinks(
    rng: np.random.Generator, num_frames: int, *, shortest_s: float = 2.0, longest_s: float = 6.0
) -> list[int]:
    """Start frames of blinks with random gaps."""
    starts: list[int] = []
    frame = int(rng.uniform(0.0, longest_s) * FRAME_RATE_HZ)
    while frame < num_frames:
        starts.append(frame)
        frame += int(rng.uniform(shortest_s, longest_s) * FRAME_RATE_HZ)
    return starts
