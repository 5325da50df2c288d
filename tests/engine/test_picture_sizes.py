"""Packs whose films are shown larger than they are decoded: as large as their manifest says, refused in one line where that cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.loaded_pack import load_pack
from tests.engine.refusals import refusal
from tests.engine.small_pack import (
    SIZE_PX,
    with_film_px,
    write_small_motion_pack,
    write_small_pack,
    write_small_posing_pack,
    write_small_retouch_pack,
)


@pytest.mark.parametrize("times", [1, 2, 4])
def test_films_are_as_large_as_the_manifest_says(tmp_path: Path, times: int) -> None:
    pack = load_pack(with_film_px(write_small_retouch_pack(tmp_path), times * SIZE_PX))
    assert (pack.size_px, pack.film_px) == (SIZE_PX, times * SIZE_PX)
    poser = pack.poser()
    assert poser is not None and poser.finer == times


@pytest.mark.parametrize("write", [write_small_pack, write_small_motion_pack, write_small_retouch_pack])
def test_films_of_packs_that_do_not_say_are_shown_as_they_are_decoded(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    pack = load_pack(write(tmp_path))
    assert pack.film_px == pack.size_px == SIZE_PX


@pytest.mark.parametrize("film_px", [3 * SIZE_PX, SIZE_PX // 2, 8 * SIZE_PX, SIZE_PX + 1, 1, -SIZE_PX])
def test_films_of_another_size_than_once_twice_or_four_times_that_of_what_is_decoded_are_refused(
    tmp_path: Path, film_px: int
) -> None:
    words = f"film_px is {film_px}, it must be 1, 2 or 4 times {SIZE_PX}"
    assert words in refusal(with_film_px(write_small_retouch_pack(tmp_path), film_px))


@pytest.mark.parametrize("film_px", ["large", [2 * SIZE_PX], True])
def test_films_of_no_size_are_refused(tmp_path: Path, film_px: object) -> None:
    assert "film_px" in refusal(with_film_px(write_small_retouch_pack(tmp_path), film_px))


@pytest.mark.parametrize("write", [write_small_pack, write_small_motion_pack, write_small_posing_pack])
def test_films_cannot_be_larger_than_they_are_decoded_where_nothing_retouches_them(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    """The detail comes from there."""
    folder = with_film_px(write(tmp_path), 2 * SIZE_PX)
    assert "shows films larger than it decodes them, and has no retouching network" in refusal(folder)
    assert load_pack(with_film_px(folder, SIZE_PX)).film_px == SIZE_PX
