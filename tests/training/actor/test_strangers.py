"""Strangers: beyond what the actor draws by itself, the same each time, and the actor's own manner left as it was."""

from dataclasses import replace

import numpy as np
import pytest

from training.actor.draw import draw_frame, draw_matte
from training.actor.drawing.canvas import ShadedCanvas
from training.actor.drawing.manner import OWN_MANNER, Manner
from training.actor.identity import identity_vector, sample_identity, sibling
from training.actor.references import draw_view, draw_view_matte, expression_state
from training.actor.state import VIEWS, channel
from training.actor.strangers import FLAT_SHARE, RANGES, RECOLOURED, sample_stranger

SIZE_PX = 96
NEUTRAL_K = expression_state("neutral")


def test_a_stranger_is_a_function_of_its_seed_and_unlike_the_actors_character() -> None:
    assert sample_stranger(5) == sample_stranger(5) != sample_stranger(6)
    own, other = (draw_frame(make(5), NEUTRAL_K, SIZE_PX).astype(int) for make in (sample_identity, sample_stranger))
    assert np.abs(own - other).mean() > 5


def test_strangers_go_beyond_the_actors_own_traits() -> None:
    own, strangers = ([make(seed) for seed in range(300)] for make in (sample_identity, sample_stranger))
    for name in ("eye_size", "brow_thickness", "lip_fullness", "mouth_width", "eye_spacing"):
        low, high = RANGES[name]
        drawn, wider = ([getattr(each, name) for each in many] for many in (own, strangers))
        assert min(wider) < min(drawn)
        assert min(wider) < low + 0.1 * (high - low) and max(wider) > high - 0.1 * (high - low)
    flat = np.mean([each.manner.shading == 0.0 for each in strangers])
    assert abs(flat - FLAT_SHARE) < 0.1
    for name in RECOLOURED:
        assert len({getattr(each, name) for each in strangers}) > 100, name


def test_a_manner_is_no_trait() -> None:
    """Whoever reads identities reads the same of the actor's own characters as before there were manners."""
    identity = sample_identity(3)
    assert identity.manner == OWN_MANNER
    assert np.array_equal(identity_vector(identity), identity_vector(replace(identity, manner=Manner(shading=0.0))))
    assert all(sibling(identity, seed).manner == OWN_MANNER for seed in range(40))
    with pytest.raises(ValueError, match="lash_width must be a number"):
        Manner(lash_width=float("nan"))


@pytest.mark.parametrize(
    ("manner", "where"),
    [
        (Manner(eye_height=1.4), "eyes"),
        (Manner(iris_size=0.6), "eyes"),
        (Manner(lash_width=0.0), "eyes"),
        (Manner(brow_length=0.6), "brows"),
        (Manner(brow_rise=0.12), "brows"),
        (Manner(mouth_rise=-0.1), "mouth"),
    ],
)
def test_each_part_of_a_manner_changes_its_own_part_of_the_face(manner: Manner, where: str) -> None:
    plain = replace(sample_identity(9), glasses="none", hat="none", hair_style="crop", beard="none", fringe=0.0)
    own, other = (draw_frame(each, NEUTRAL_K, 192).astype(int) for each in (plain, replace(plain, manner=manner)))
    rows, _ = (np.abs(own - other).max(axis=2) > 8).nonzero()
    assert len(rows)
    middle = float(np.median(rows)) / 192
    assert {"eyes": 0.34 < middle < 0.56, "brows": 0.2 < middle < 0.45, "mouth": middle > 0.55}[where]


def test_flat_areas_have_the_plain_colours() -> None:
    plain = replace(sample_identity(9), glasses="none", beard="none", freckles=0.0, wrinkles=0.0)
    flat = replace(plain, manner=Manner(shading=0.0))
    counts = [
        int((np.abs(draw_frame(each, NEUTRAL_K, 192).astype(int) - plain.skin).max(axis=2) <= 2).sum())
        for each in (plain, flat)
    ]
    assert counts[1] > 2 * counts[0], "of skin that is not in light or shadow"
    sheet_HWC = np.zeros((8, 8, 3), np.uint8)
    canvas = ShadedCanvas(sheet_HWC, [(200, 100, 50), (0, 0, 250)], shading=0.5)
    canvas.fill(np.array([[-1, -1], [9, -1], [9, 9], [-1, 9]], np.float32), (180, 100, 50))
    assert sheet_HWC[4, 4].tolist() == [190, 100, 50], "half-way to the nearest plain colour"


def test_irises_of_small_eyes_stay_within_them() -> None:
    small = replace(sample_identity(9), eye_size=0.5, glasses="none")
    ahead, aside = NEUTRAL_K.copy(), NEUTRAL_K.copy()
    aside[channel("gaze_x")] = 1.0
    seen = [draw_frame(small, each, 192).astype(int) for each in (ahead, aside)]
    iris = np.array(small.eye_colour)
    counts = [int((np.abs(each - iris).max(axis=2) < 12).sum()) for each in seen]
    assert counts[1] > 0.4 * counts[0] > 0


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_its_matte_before_its_wall(view: str) -> None:
    identity = sample_identity(12)
    picture_HWC = draw_view(identity, view, SIZE_PX).astype(np.float32)
    matte_HW = draw_view_matte(identity, view, SIZE_PX)
    other = replace(identity, backdrop="plain", backdrop_colour=(0, 0, 0), backdrop_second=(0, 0, 0))
    change_HW = np.abs(picture_HWC - draw_view(other, view, SIZE_PX)).mean(axis=2)
    assert change_HW[matte_HW > 0.999].max() <= 1.0 < change_HW[matte_HW < 0.001].min()
    assert 0.15 < matte_HW.mean() < 0.85


def test_a_front_views_matte_is_the_frames() -> None:
    identity = sample_identity(12)
    resting_K = np.zeros_like(NEUTRAL_K)
    resting_K[channel("expression_neutral")] = 1.0
    assert np.array_equal(draw_view_matte(identity, "front", SIZE_PX), draw_matte(identity, resting_K, SIZE_PX))
    with pytest.raises(ValueError, match="there is no view 'above'"):
        draw_view_matte(identity, "above", SIZE_PX)
