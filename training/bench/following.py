"""Whether a film follows its directions: each in its own time, and not all at once.

Called by `detail_figures`. A direction is hit where the asked channel goes to the asked side by a share of what is read from the truth's
frames: away from where it is at rest, and further than while the other direction is in force. So a film that looks left and
tilts its head all along is no film in order. Knows nothing of how films are made.
"""

from typing import Final

from training.bench.direction_cases import LEAST_CARRIED_OUT, TARGET_SIZES, ToldDirection
from training.bench.reading import Reading

MOVED_SHARE: Final = 0.4


def share_followed(told: tuple[ToldDirection, ToldDirection], film: Reading, truth: Reading, rest: Reading) -> float:
    """Share of two directions that are hit, 0, 0.5 or 1; `rest` is the reading of the global reference picture."""
    first, second = told
    return (_is_hit(first, second, film, truth, rest) + _is_hit(second, first, film, truth, rest)) / 2


def _is_hit(told: ToldDirection, other: ToldDirection, film: Reading, truth: Reading, rest: Reading) -> bool:
    at_rest = told.side * float(rest.series(told.channel)[0])
    asked = max(_reached(told, truth) - at_rest, LEAST_CARRIED_OUT * TARGET_SIZES[told.channel])
    asked_beyond = max(_reached(told, truth) - _reached(told, truth, meanwhile=other), 0.0)
    goes_there = _reached(told, film) - at_rest >= MOVED_SHARE * asked
    goes_then = _reached(told, film) - _reached(told, film, meanwhile=other) >= MOVED_SHARE * asked_beyond
    return goes_there and goes_then


def _reached(told: ToldDirection, reading: Reading, meanwhile: ToldDirection | None = None) -> float:
    """How far the asked channel is on the asked side, in its own frames or in those of another direction."""
    frames = told if meanwhile is None else meanwhile
    series_T = reading.series(told.channel)[frames.start_frame : frames.end_frame]
    return told.side * float(series_T.mean())
