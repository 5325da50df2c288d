"""The benchmark's arithmetic of samples: correlation, matching of events, bootstrap by case.

Called by `measures` and `speech_check`. Works on plain arrays and knows nothing of films or models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Number = TypeVar("Number", bound=np.generic)
OtherNumber = TypeVar("OtherNumber", bound=np.generic)

NUM_RESAMPLES = 2000


def pearson(first_T: NDArray[np.float32], second_T: NDArray[np.float32]) -> float:
    """Correlation of two series of equal length; 0 where one of them does not move (a frozen mouth follows nothing)."""
    if first_T.shape != second_T.shape or first_T.ndim != 1:
        raise ValueError(f"two series of equal length are needed, got {first_T.shape} and {second_T.shape}")
    if first_T.size < 2:
        return 0.0
    first = first_T.astype(np.float64) - first_T.mean(dtype=np.float64)
    second = second_T.astype(np.float64) - second_T.mean(dtype=np.float64)
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum() / scale) if scale > 1e-9 else 0.0


def best_lag(first_T: NDArray[np.float32], second_T: NDArray[np.float32], max_lag_frames: int) -> tuple[float, int]:
    """The highest correlation within +-max_lag_frames, and its lag (positive: `first_T` comes later than `second_T`)."""
    found = [(pearson(*shifted(first_T, second_T, lag)), lag) for lag in range(-max_lag_frames, max_lag_frames + 1)]
    return max(found, key=lambda pair: (pair[0], -abs(pair[1])))


def shifted(
    first_T: NDArray[Number], second_T: NDArray[OtherNumber], lag: int
) -> tuple[NDArray[Number], NDArray[OtherNumber]]:
    """The parts of two series that meet when `first_T` is moved `lag` frames earlier."""
    length = first_T.shape[0] - abs(lag)
    return (first_T[lag:], second_T[:length]) if lag >= 0 else (first_T[:length], second_T[-lag:])


@dataclass(frozen=True, kw_only=True)
class EventCounts:
    """How many events were found, how many were to be found, how many met."""

    num_hits: int
    num_found: int
    num_true: int


def match_events(found: Sequence[int], true: Sequence[int], tolerance_frames: int) -> EventCounts:
    """Match each true event with at most one found event within the tolerance.

    Both lists in order of time; taking the earliest partner still free is then the largest possible matching.
    """
    hits, position = 0, 0
    found_in_order = sorted(found)
    for moment in sorted(true):
        while position < len(found_in_order) and found_in_order[position] < moment - tolerance_frames:
            position += 1
        if position < len(found_in_order) and found_in_order[position] <= moment + tolerance_frames:
            hits += 1
            position += 1
    return EventCounts(num_hits=hits, num_found=len(found), num_true=len(true))


def pooled_f1(counts: Sequence[EventCounts]) -> float:
    """F1 over all cases together; 0 where nothing was found or nothing was to be found."""
    total = sum(count.num_found + count.num_true for count in counts)
    return 2 * sum(count.num_hits for count in counts) / total if total else 0.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure over cases with its 95 % bootstrap interval."""

    value: float
    interval: tuple[float, float]
    num_cases: int


def bootstrap(cases: Sequence[Item], figure: Callable[[Sequence[Item]], float], seed: int = 0) -> Estimate | None:
    """`figure` over all cases and its percentile interval over cases drawn with replacement; None without cases."""
    if not cases:
        return None
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(cases), size=(NUM_RESAMPLES, len(cases)))
    values = [figure([cases[index] for index in row]) for row in drawn]
    low, high = np.percentile(values, [2.5, 97.5])
    return Estimate(value=figure(cases), interval=(float(low), float(high)), num_cases=len(cases))


def mean(values: Sequence[float]) -> float:
    """The plain mean as a Python float; the figure most measures use."""
    return float(np.mean(np.asarray(values, dtype=np.float64)))


def area_under_curve(scores_N: NDArray[np.float32], is_true_N: NDArray[np.bool_]) -> float:
    """How often a true case scores above a false one (ROC area): 1 tells all apart, 0.5 none; 0.5 too without both sorts."""
    true_P, false_Q = scores_N[is_true_N], scores_N[~is_true_N]
    if not len(true_P) or not len(false_Q):
        return 0.5
    above, ties = (true_P[:, None] > false_Q).mean(), (true_P[:, None] == false_Q).mean()
    return float(above + 0.5 * ties)
