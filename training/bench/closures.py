"""Lip closures: whether a film's lips are seen to close where p, b and m are spoken, and opened around it.

Called by `told_figures`. The actor closes its lips wholly at the middle of each p, b and m (`training.actor.speaking`) and nowhere
else, so its exact state says where they are. A mouth that stays closed, stays open or flaps at its own times must not score: a
closure is seen where the film comes near to the closing that is read from the truth, from an opening on each side on which the
truth opens.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.state import channel
from training.bench.reading import Reading

TOLERANCE_FRAMES: Final = 2
APART_FRAMES: Final = 4
REACH_FRAMES: Final = 6  # the opening before or after a closure is looked for within a quarter of a second
LEAST_OPENING: Final = 0.2  # a closure out of a narrower mouth cannot be seen at all
OPENING_SHARE: Final = 0.4  # of the truth's opening: what a film has to open beside a closure
CLOSED_SHARE: Final = 0.25  # of the truth's opening: what a film may stay above the truth's closing
PRESSED: Final = 0.999


@dataclass(frozen=True, kw_only=True)
class Closure:
    """One closing of the lips: its frame, and the exact opening before and after it; the frames between which both were looked for."""

    frame: int
    first_frame: int
    last_frame: int
    opening_before: float
    opening_after: float


@dataclass(frozen=True, kw_only=True)
class ClosureCounts:
    """How many closures there were, how many were seen, and how many would be seen at random times (a mean, so no whole number)."""

    num_true: int
    num_seen: float
    num_by_chance: float


def closures_of(state_TK: NDArray[np.float32]) -> tuple[Closure, ...]:
    """Every closure of a performance out of or into an opening wide enough to be seen; neighbours without one between are one."""
    pressed_T = state_TK[:, channel("lip_press")] >= PRESSED
    open_T = np.where(pressed_T, 0.0, np.clip(state_TK[:, channel("mouth_open")], 0.0, None))
    open_T *= 1.0 - np.clip(state_TK[:, channel("lip_press")], 0.0, 1.0)
    frames = _middles(pressed_T, open_T)
    edges = [-1, *frames, len(state_TK)]
    found = []
    for before, frame, after in zip(edges, frames, edges[2:], strict=False):
        first, last = max(before + 1, frame - REACH_FRAMES), min(after - 1, frame + REACH_FRAMES)
        closure = Closure(
            frame=frame,
            first_frame=first,
            last_frame=last,
            opening_before=float(open_T[first:frame].max(initial=0.0)),
            opening_after=float(open_T[frame + 1 : last + 1].max(initial=0.0)),
        )
        if max(closure.opening_before, closure.opening_after) >= LEAST_OPENING:
            found.append(closure)
    return tuple(found)


def _middles(pressed_T: NDArray[np.bool_], open_T: NDArray[np.float32]) -> list[int]:
    """The middle of each run of pressed frames; runs between which the lips hardly part ("mb" in "number") are one."""
    pressed = np.flatnonzero(pressed_T)
    groups: list[list[int]] = [[int(pressed[0])]] if len(pressed) else []
    for earlier, later in pairwise(pressed.tolist()):
        if later - earlier > APART_FRAMES or open_T[earlier : later + 1].max() >= LEAST_OPENING:
            groups.append([])
        groups[-1].append(later)
    return [(group[0] + group[-1]) // 2 for group in groups]


def is_seen(closure: Closure, film_T: NDArray[np.float32], truth_T: NDArray[np.float32]) -> bool:
    """Whether the lips of a film close there. `film_T` and `truth_T` are the openings read from the film and from the truth's frames."""
    near = slice(max(0, closure.frame - TOLERANCE_FRAMES), closure.frame + TOLERANCE_FRAMES + 1)
    lowest = near.start + int(film_T[near].argmin())
    closed_at = float(film_T[lowest])
    sides = (
        (closure.opening_before, film_T[min(closure.first_frame, lowest) : lowest]),
        (closure.opening_after, film_T[lowest + 1 : max(closure.last_frame, lowest) + 1]),
    )
    widest = max(closure.opening_before, closure.opening_after)
    is_closed = closed_at <= float(truth_T[near].min()) + CLOSED_SHARE * widest
    return is_closed and all(
        float(side_T.max(initial=closed_at)) - closed_at >= OPENING_SHARE * opening
        for opening, side_T in sides
        if opening >= LEAST_OPENING
    )


def closure_counts(closures: tuple[Closure, ...], film: Reading, truth: Reading) -> ClosureCounts:
    """Closures seen in a film, and what the same film gets when its mouth is turned round in time by any number of frames.

    Only turns by more than `REACH_FRAMES` count, which is no closure's own time any more.
    """
    film_T, truth_T = film.series("mouth_open"), truth.series("mouth_open")
    turns = range(REACH_FRAMES + 1, len(film_T) - REACH_FRAMES)
    by_chance = [_num_seen(closures, np.roll(film_T, turn), truth_T) for turn in turns]
    return ClosureCounts(
        num_true=len(closures),
        num_seen=_num_seen(closures, film_T, truth_T),
        num_by_chance=float(np.mean(by_chance)) if by_chance else 0.0,
    )


def _num_seen(closures: tuple[Closure, ...], film_T: NDArray[np.float32], truth_T: NDArray[np.float32]) -> int:
    return sum(is_seen(closure, film_T, truth_T) for closure in closures)
