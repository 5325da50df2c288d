"""The references of a character: each tells something that the others do not."""

from dataclasses import replace

import numpy as np
import pytest

from training.actor.draw import draw_frame
from training.actor.identity import HAIR_STYLES, HATS, PRINTS, sample_identity
from training.actor.references import draw_references, draw_view
from training.actor.state import EXPRESSIONS, VIEWS, resting_state

SIZE_PX = 128


def test_there_are_thirteen_and_the_global_one_is_the_front_at_rest() -> None:
    identity = sample_identity(5)
    pictures = draw_references(identity, SIZE_PX)
    expected = {"global"} | {f"view_{view}" for view in VIEWS} | {f"expression_{name}" for name in EXPRESSIONS}
    assert set(pictures) == expected
    assert all(picture.shape == (SIZE_PX, SIZE_PX, 3) for picture in pictures.values())
    assert np.array_equal(pictures["global"], draw_frame(identity, resting_state(1)[0], SIZE_PX))
    assert np.array_equal(pictures["global"], pictures["view_front"])


def test_views_differ_and_an_unknown_one_is_refused() -> None:
    identity = sample_identity(5)
    pictures = [draw_view(identity, view, SIZE_PX).astype(int) for view in VIEWS]
    for index, first in enumerate(pictures):
        for second in pictures[index + 1 :]:
            assert np.abs(first - second).mean() > 4.0
    with pytest.raises(ValueError, match="there is no view 'top'"):
        draw_view(identity, "top", SIZE_PX)


def test_left_and_right_mirror_the_actor_but_not_the_backdrop() -> None:
    identity = replace(sample_identity(5), backdrop="hill", backdrop_side=1.0)
    left, right = (draw_view(identity, view, SIZE_PX) for view in ("left", "right"))
    assert np.array_equal(left[4, 4], right[4, 4])
    assert not np.array_equal(left, right[:, ::-1])
    plain = replace(identity, backdrop="plain")
    assert np.array_equal(draw_view(plain, "left", SIZE_PX), draw_view(plain, "right", SIZE_PX)[:, ::-1])


def test_in_the_left_view_the_nose_points_to_the_right() -> None:
    """A mask of what changes with the lips: they lie on the picture's right in the left view."""
    identity = sample_identity(6)
    other = replace(identity, lip=(0, 0, 255))
    changed = draw_view(identity, "left", SIZE_PX) != draw_view(other, "left", SIZE_PX)
    columns = np.argwhere(changed.any(axis=2))[:, 1]
    assert columns.min() > 0.55 * SIZE_PX


@pytest.mark.parametrize("name", PRINTS)
def test_the_print_shows_from_behind_only(name: str) -> None:
    identity = replace(sample_identity(6), back_print=name)
    other = replace(identity, back_print=PRINTS[(PRINTS.index(name) + 1) % len(PRINTS)])
    for view in VIEWS:
        is_same = np.array_equal(draw_view(identity, view, SIZE_PX), draw_view(other, view, SIZE_PX))
        assert is_same == (view != "rear")


@pytest.mark.parametrize("hair_style", HAIR_STYLES)
def test_every_hair_style_shows_in_every_view(hair_style: str) -> None:
    identity = replace(sample_identity(6), hat="none", hair_style=hair_style)
    other = replace(identity, hair=(0, 0, 255))
    for view in VIEWS:
        changed = np.abs(draw_view(identity, view, SIZE_PX).astype(int) - draw_view(other, view, SIZE_PX)).max(axis=2)
        share = float((changed > 40).mean())
        assert share < 0.01 if hair_style == "bald" else share > 0.02


@pytest.mark.parametrize("hat", HATS[1:])
def test_every_hat_shows_in_every_view(hat: str) -> None:
    identity = replace(sample_identity(0), hat=hat, hat_colour=(0, 0, 255))
    bare = replace(identity, hat="none")
    for view in VIEWS:
        changed = np.abs(draw_view(identity, view, SIZE_PX).astype(int) - draw_view(bare, view, SIZE_PX)).max(axis=2)
        assert float((changed > 40).mean()) > 0.01
