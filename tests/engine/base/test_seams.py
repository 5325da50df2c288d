"""The seam measure: a film that jumps where its windows meet is told from one that does not, however it is cut into pieces."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.base.continuation import plan_windows
from engine.base.seams import SeamMeter
from engine.base.settings import BaseSettings

JOINS = (12, 24, 36)


def drifting(jump: float = 0.0, brighter: float = 0.0) -> NDArray[np.uint8]:
    """A pattern that moves evenly; at each join it jumps ahead, or the whole picture grows brighter."""
    rows, columns = np.mgrid[:24, :24]
    frames, phase, level = [], 0.0, 90.0
    for frame in range(48):
        phase += 0.2 + (jump if frame in JOINS else 0.0)
        level += brighter if frame in JOINS else 0.0
        frames.append(level + 40 * np.sin(0.5 * rows + 0.3 * columns + phase)[..., None] * (1.0, 0.8, 0.6))
    return np.stack(frames).round().astype(np.uint8)


def measured(film_THWC: NDArray[np.uint8], joins: tuple[int, ...] = JOINS, piece: int = 48) -> SeamMeter:
    meter = SeamMeter()
    for start in range(0, len(film_THWC), piece):
        meter.add(film_THWC[start : start + piece], [join for join in joins if start <= join < start + piece])
    return meter


def test_an_even_film_hides_its_joins_and_a_jumping_one_does_not() -> None:
    even, jumping = measured(drifting()).figures(), measured(drifting(jump=0.1)).figures()
    assert even.num_joins == 3
    assert even.picture.ratio == pytest.approx(1.0, abs=0.05) and even.picture.is_hidden
    assert jumping.picture.ratio == pytest.approx(1.5, abs=0.1) and jumping.picture.is_hidden is False


def test_a_step_of_colour_is_seen_beside_the_jump() -> None:
    figures = measured(drifting(brighter=3.0)).figures()
    assert figures.colour.at_joins == pytest.approx(3.0, abs=0.5)
    assert figures.colour.is_hidden is False


@pytest.mark.parametrize("piece", [1, 7, 12])
def test_pieces_do_not_matter(piece: int) -> None:
    film_THWC = drifting(jump=0.1)
    whole, cut = measured(film_THWC), measured(film_THWC, piece=piece)
    assert cut.figures() == whole.figures() and cut.join_frames == JOINS


def test_a_film_without_joins_or_motion_is_told_apart() -> None:
    alone = measured(drifting(), joins=()).figures()
    assert alone.num_joins == 0 and alone.picture.ratio is None and alone.picture.is_hidden is None
    still = measured(np.full((48, 8, 8, 3), 7, np.uint8)).figures()
    assert still.picture.ratio is None and still.picture.is_hidden is True
    flash = np.full((48, 8, 8, 3), 7, np.uint8)
    flash[24:] = 200
    assert measured(flash, joins=(24,)).figures().picture.is_hidden is False
    assert SeamMeter().figures().num_joins == 0
    table = measured(drifting()).figures().as_table()
    assert table["joins"] == 3 and table["picture"]["hidden"] is True


@pytest.mark.parametrize(("overlap", "expected"), [(0, [(3,), (6,)]), (1, [(2, 3), (4, 5)])])
def test_joins_are_where_windows_meet(overlap: int, expected: list[tuple[int, ...]]) -> None:
    """Windows of four latents behind one of history: the first makes latents 0, 1 and 2, and the last is blended or not."""
    plans = list(plan_windows(20, BaseSettings(window_latents=4, history_latents=1, overlap_latents=overlap)))
    assert plans[0].join_latents == ()
    assert [plan.join_latents for plan in plans[1:3]] == expected
