"""Where stops begin: a closure is silence, and espeak-ng counts that silence to the sound before and reports a stop at its burst.

Lips that close for a "p" are closed in the silence and part with the burst. Reported times would have them close a frame after they are
heard to open, so a stop takes back the silence in front of it, and what is breathed behind its burst belongs to the sound that follows.
(Engines that join recordings report stops from where they close; theirs stay as they are.) Called by `voices`.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.phonemes import Phone

STOPS: Final = frozenset(("p", "b", "t", "d", "k", "ɡ", "tʃ", "dʒ"))
STEP_MS: Final = 5.0
LONGEST_MS: Final = 100.0  # of a closure
USUAL_MS: Final = 45.0  # of one behind a pause, where nothing tells it from the pause
BURST_MS: Final = 20.0
LEAST_DIP_DB: Final = 10.0  # below the loudest of the sound before: less is no closure (a flapped "t")
EDGE_DIP_DB: Final = 8.0


def with_closures(phones: list[Phone], sound_S: NDArray[np.float32], rate_hz: int) -> list[Phone]:
    """The same sounds, each stop from where it closes to its burst; no sound gets shorter than half of what it was."""
    level_db, step = _levels(sound_S, rate_hz)
    result = list(phones)
    for place, phone in enumerate(phones):
        if phone.sound not in STOPS:
            continue
        burst = phone.start_samples
        start, before = burst, result[place - 1] if place else None
        if before is not None and before.end_samples == burst:
            least = before.start_samples + (before.end_samples - before.start_samples) // 2
            if before.is_rest:
                start = max(least, burst - int(USUAL_MS / 1000 * rate_hz))
            else:
                start = max(least, _closing(level_db, step, burst, before, rate_hz))
            result[place - 1] = replace(before, end_samples=start)
        end = phone.end_samples
        after = phones[place + 1] if place + 1 < len(phones) else None
        if after is not None and after.start_samples == end and not after.is_rest and after.sound not in STOPS:
            end = min(end, burst + int(BURST_MS / 1000 * rate_hz))
            result[place + 1] = replace(after, start_samples=end)
        result[place] = replace(phone, start_samples=start, end_samples=end)
    return result


def _closing(level_db: NDArray[np.float64], step: int, burst: int, before: Phone, rate_hz: int) -> int:
    """Where the silence in front of a burst begins, in samples; the burst itself where there is none."""
    last = min(burst // step, len(level_db) - 1)
    first = max(last - int(LONGEST_MS / STEP_MS), before.start_samples // step)
    if last - first < 2:
        return burst
    stretch_db = level_db[first : last + 1]
    loudest_db = float(stretch_db.max())
    quietest = int(stretch_db.argmin())
    if stretch_db[quietest] > loudest_db - LEAST_DIP_DB:
        return burst
    loud = np.flatnonzero(stretch_db[: quietest + 1] > loudest_db - EDGE_DIP_DB)
    return (first + (int(loud[-1]) + 1 if len(loud) else 0)) * step


def _levels(sound_S: NDArray[np.float32], rate_hz: int) -> tuple[NDArray[np.float64], int]:
    """The level around the middle of each step, in decibels, and how many samples a step is."""
    step = int(STEP_MS / 1000 * rate_hz)
    power_S = np.convolve(np.square(sound_S, dtype=np.float64), np.ones(2 * step) / (2 * step), "same")
    return 10.0 * np.log10(power_S[step // 2 :: step] + 1e-8), step
