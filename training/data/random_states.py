"""States of the actor drawn at random, wider than any performance: what a codec must be able to reproduce.

Mouth and lids change within a few frames, the pose moves slowly: the two speeds of a face.
"""

import numpy as np
from numpy.typing import NDArray

from training.actor.state import EXPRESSION_CHANNELS, channel, resting_state

# (lowest, highest, speed): `speed` is the standard deviation of the change over a third of a second.
SLOW_CHANNELS = {
    "yaw": (-0.5, 0.5, 0.08),
    "pitch": (-0.3, 0.3, 0.08),
    "roll": (-0.2, 0.2, 0.05),
    "lean": (-0.6, 0.6, 0.1),
    "sway": (-0.8, 0.8, 0.1),
    "breath": (0.0, 1.0, 0.1),
    "shoulders": (-0.5, 0.7, 0.1),
    "gaze_x": (-1.0, 1.0, 0.3),
    "gaze_y": (-0.8, 0.8, 0.3),
    "squint": (0.0, 0.6, 0.1),
    "brow_left": (-0.8, 1.0, 0.2),
    "brow_right": (-0.8, 1.0, 0.2),
    "smile": (-0.4, 1.0, 0.2),
}
MOUTH_RANGES = {"mouth_open": (0.0, 1.0), "mouth_width": (-1.0, 1.0), "mouth_round": (0.0, 1.0), "teeth": (0.0, 1.0)}


def random_film_state(rng: np.random.Generator, num_frames: int) -> NDArray[np.float32]:
    """A short stretch of lively states, float32 [num_frames, NUM_CHANNELS]."""
    state_TK = resting_state(num_frames)
    time_T = np.linspace(0.0, num_frames / 8, num_frames)
    for name, (low, high, speed) in SLOW_CHANNELS.items():
        middle, spread = (low + high) / 2, (high - low) / 2
        start = middle + spread * np.clip(rng.normal(0.0, 0.45), -1, 1)
        state_TK[:, channel(name)] = np.clip(start + rng.normal(0.0, speed) * time_T, low, high)
    if rng.random() < 0.7:
        _speak(rng, state_TK)
    if rng.random() < 0.25:
        _blink(rng, state_TK)
    _express(rng, state_TK)
    return state_TK


def _speak(rng: np.random.Generator, state_TK: NDArray[np.float32]) -> None:
    num_frames = len(state_TK)
    key_T = np.arange(0, num_frames + 3, 3) - rng.integers(0, 3)
    is_open_T = rng.random(len(key_T)) < 0.75
    for name, (low, high) in MOUTH_RANGES.items():
        target_T = rng.uniform(low, high, len(key_T)) * (rng.random(len(key_T)) < 0.8)
        if name == "mouth_open":
            target_T = target_T * is_open_T
        state_TK[:, channel(name)] = np.interp(np.arange(num_frames), key_T, target_T)
    pressed_T = (~is_open_T) & (rng.random(len(key_T)) < 0.5)
    state_TK[:, channel("lip_press")] = np.interp(np.arange(num_frames), key_T, pressed_T.astype(np.float32))


def _blink(rng: np.random.Generator, state_TK: NDArray[np.float32]) -> None:
    centre = rng.uniform(-1, len(state_TK))
    distance_T = np.abs(np.arange(len(state_TK)) - centre)
    state_TK[:, channel("blink")] = np.clip(1.4 - distance_T / 2.0, 0.0, 1.0)


def _express(rng: np.random.Generator, state_TK: NDArray[np.float32]) -> None:
    weights = np.zeros(len(EXPRESSION_CHANNELS), dtype=np.float32)
    weights[rng.integers(len(weights))] += rng.uniform(0.3, 1.0)
    if rng.random() < 0.3:
        weights[rng.integers(len(weights))] += rng.uniform(0.0, 1.0 - weights.max())
    weights[0] += 1.0 - weights.sum()
    first = channel(EXPRESSION_CHANNELS[0])
    state_TK[:, first : first + len(weights)] = weights
