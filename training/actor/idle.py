"""Being alive without doing anything: breath, blinks, glances, a head that is never quite still.

`performance` lays this under every kind of clip. All motion is slow (below about 1 Hz), seeded and band-limited.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.motion import FRAME_RATE_HZ, add_pulse, drift, follow, plateau, shifting_targets
from training.actor.state import channel

YAW_STD: Final = 0.1
PITCH_STD: Final = 0.03
ROLL_STD: Final = 0.03

Track = NDArray[np.float32]


def add_life(rng: np.random.Generator, state_TK: Track, *, liveliness: float) -> None:
    """Adds breath, posture and slow head motion to a state, in place."""
    num_frames = len(state_TK)
    time_s = np.arange(num_frames) / FRAME_RATE_HZ
    rate_hz = rng.uniform(0.2, 0.32) * (0.8 + 0.3 * liveliness)
    phase = 2 * np.pi * (rate_hz * time_s + rng.random()) + 0.3 * drift(rng, num_frames, 1.0, 0.2)
    state_TK[:, channel("breath")] = 0.5 - 0.5 * np.cos(phase + 0.35 * np.sin(phase))
    targets = np.stack(
        [shifting_targets(rng, num_frames, size, (1.2, 3.5)) for size in (YAW_STD, PITCH_STD, ROLL_STD)], axis=1
    )
    moved = follow(targets.astype(np.float32), 0.8) * np.float32(liveliness)
    for column, (name, size) in enumerate((("yaw", YAW_STD), ("pitch", PITCH_STD), ("roll", ROLL_STD))):
        state_TK[:, channel(name)] += moved[:, column] + drift(rng, num_frames, 0.25 * size * liveliness, 0.6)
    for name, size in (("lean", 0.12), ("sway", 0.2), ("shoulders", 0.05)):
        state_TK[:, channel(name)] += drift(rng, num_frames, size * liveliness, 0.35)


def add_fixations(rng: np.random.Generator, state_TK: Track) -> None:
    """The small jumps of eyes that rest on something: a gaze that is quite still looks dead. In place."""
    targets = np.stack([shifting_targets(rng, len(state_TK), size, (0.3, 1.4)) for size in (0.06, 0.04)], axis=1)
    state_TK[:, [channel("gaze_x"), channel("gaze_y")]] += follow(targets, 0.08)


def add_glances(rng: np.random.Generator, state_TK: Track, *, per_second: float) -> None:
    """Quick looks to somewhere else and back, with the head following a little; in place."""
    num_frames = len(state_TK)
    frame = int(rng.exponential(FRAME_RATE_HZ / per_second))
    while frame < num_frames:
        length = int(rng.integers(14, 40))
        x, y = float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-0.4, 0.5))
        held = plateau(length, 2)
        add_pulse(state_TK[:, channel("gaze_x")], frame, held, x)
        add_pulse(state_TK[:, channel("gaze_y")], frame, held, y)
        add_pulse(state_TK[:, channel("yaw")], frame + 2, plateau(length, min(8, length // 3)), 0.1 * x)
        add_pulse(state_TK[:, channel("pitch")], frame + 2, plateau(length, min(8, length // 3)), 0.05 * y)
        frame += length + int(rng.exponential(FRAME_RATE_HZ / per_second)) + 6
