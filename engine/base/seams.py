"""Whether a film's joins can be seen: jumps between frames where two windows meet, against jumps everywhere else (paper 3.3).

Takes frames as they come and keeps two numbers for each, so a film of any length is measured while it is made. Called by whoever
makes or reads films; the frames at which windows meet come from `FilmPiece.join_frames`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST_RATIO: Final = 1.1


@dataclass(frozen=True, kw_only=True)
class Jumps:
    """Medians of one kind of jump, in levels of 0..255: at joins and inside windows. None where there is none of the kind."""

    at_joins: float | None
    inside: float | None

    @property
    def ratio(self) -> float | None:
        """Joins against the inside; None without either, and where nothing moves at all."""
        if self.at_joins is None or not self.inside:
            return None
        return self.at_joins / self.inside

    @property
    def is_hidden(self) -> bool | None:
        """Whether joins jump at most 1.1 times as far as the inside; None without joins."""
        if self.at_joins is None or self.inside is None:
            return None
        return self.at_joins <= MOST_RATIO * self.inside


@dataclass(frozen=True, kw_only=True)
class SeamFigures:
    """What the joins of one film look like. `picture` is the mean difference of pixels, `colour` the step of the mean colour."""

    num_joins: int
    picture: Jumps
    colour: Jumps

    def as_table(self) -> dict[str, Any]:
        """The figures' part of a JSON report."""
        table: dict[str, Any] = {"joins": self.num_joins, "most_ratio": MOST_RATIO}
        for name, jumps in (("picture", self.picture), ("colour", self.colour)):
            table[name] = {
                "at_joins": _rounded(jumps.at_joins),
                "inside": _rounded(jumps.inside),
                "ratio": _rounded(jumps.ratio),
                "hidden": jumps.is_hidden,
            }
        return table


class SeamMeter:
    """Measures a film piece by piece."""

    def __init__(self) -> None:
        self._before_HWC: NDArray[np.int16] | None = None
        self._num_frames = 0
        self._joins: list[int] = []
        self._jumps: list[tuple[float, float]] = []  # of frame 1, 2, ... from the one before

    @property
    def join_frames(self) -> tuple[int, ...]:
        """The joins so far."""
        return tuple(self._joins)

    def add(self, frames_THWC: NDArray[np.uint8] | tuple[()], join_frames: Collection[int] = ()) -> None:
        """The next frames; `join_frames` count from the beginning of the film and may lie in pieces that come later."""
        self._joins.extend(join_frames)
        for frame_HWC in frames_THWC:
            frame = frame_HWC.astype(np.int16)
            if self._before_HWC is not None:
                difference = frame - self._before_HWC
                colour_step = np.abs(difference.mean(axis=(0, 1))).mean()
                self._jumps.append((float(np.abs(difference).mean()), float(colour_step)))
            self._before_HWC = frame
            self._num_frames += 1

    def figures(self) -> SeamFigures:
        """The medians so far."""
        joins = sorted({frame for frame in self._joins if 0 < frame < self._num_frames})
        jumps_J2 = np.array(self._jumps, dtype=np.float64).reshape(-1, 2)
        is_join = np.zeros(len(jumps_J2), dtype=bool)
        is_join[[frame - 1 for frame in joins]] = True
        at_joins, inside = _medians(jumps_J2[is_join]), _medians(jumps_J2[~is_join])
        return SeamFigures(
            num_joins=len(joins),
            picture=Jumps(at_joins=at_joins[0], inside=inside[0]),
            colour=Jumps(at_joins=at_joins[1], inside=inside[1]),
        )


def _medians(jumps_J2: NDArray[np.float64]) -> tuple[float | None, float | None]:
    if not len(jumps_J2):
        return None, None
    picture, colour = np.median(jumps_J2, axis=0)
    return float(picture), float(colour)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
