"""Samples for what takes portraits apart: mattes that agree with their pictures, and other hands' walls, colours and places."""

import numpy as np
import torch

from training.actor.draw import draw_frame, draw_matte
from training.actor.identity import sample_identity
from training.actor.references import draw_view, expression_state
from training.actor.state import EXPRESSIONS, VIEWS, resting_state
from training.actor.strangers import sample_stranger
from training.data.mattes import MatteSamples, by_another_hand, moved, random_backdrop, recoloured, wall_of
from training.data.portraits import SEED_STRIDE

SIZE_PX = 64
ACTOR, REST_K = sample_identity(5), resting_state(1)[0]


def test_a_matte_is_what_does_not_show_the_wall() -> None:
    """Where there is none of it the wall is as drawn, where it is whole two walls look alike behind it."""
    matte_HW, picture_HWC = draw_matte(ACTOR, REST_K, SIZE_PX), draw_frame(ACTOR, REST_K, SIZE_PX)
    wall_HWC = wall_of(ACTOR, SIZE_PX)
    assert matte_HW.shape == (SIZE_PX, SIZE_PX) and matte_HW.dtype == np.float32
    assert 0.2 < matte_HW.mean() < 0.8
    assert np.abs(picture_HWC.astype(int) - wall_HWC)[matte_HW == 0].max() < 1
    assert matte_HW[SIZE_PX // 2, SIZE_PX // 2] == 1.0 and matte_HW[0, 0] == 0.0


def test_samples_are_functions_of_their_number() -> None:
    samples = MatteSamples(size_px=SIZE_PX)
    for number in range(12):
        one, again = samples(number), samples(number)
        assert all(torch.equal(one[name], again[name]) for name in one)
        assert one["picture_HWC"].shape == (SIZE_PX, SIZE_PX, 3) and one["picture_HWC"].dtype == torch.uint8
        assert one["matte_HW"].shape == (SIZE_PX, SIZE_PX) and one["matte_HW"].dtype == torch.float32
        assert one["matte_HW"].min() >= 0.0 and one["matte_HW"].max() <= 1.0
        assert one["matte_HW"].mean() > 0.04
    assert not torch.equal(samples(0)["picture_HWC"], samples(1)["picture_HWC"])


def test_own_drawings_are_the_actors_its_strangers_and_both_from_other_sides() -> None:
    own = MatteSamples(size_px=SIZE_PX, own_share=1.0)
    found = {"actor": 0, "stranger": 0, "turned": 0}
    for number in range(16):
        seed, picture = number * SEED_STRIDE, own(number)["picture_HWC"].numpy().tobytes()
        for who, make in (("actor", sample_identity), ("stranger", sample_stranger)):
            fronts = {draw_frame(make(seed), expression_state(name), SIZE_PX).tobytes() for name in EXPRESSIONS}
            sides = {draw_view(make(seed), view, SIZE_PX).tobytes() for view in VIEWS[1:]}
            found[who] += picture in fronts
            found["turned"] += picture in sides
    assert min(found.values()) >= 1 and sum(found.values()) >= 8, "three in ten of those from the front are posed"


def test_another_hand_changes_the_wall_and_keeps_the_matte_true() -> None:
    """A white matte's pixels change with the character alone: two walls behind one character differ where the matte is not."""
    picture_HWC = draw_frame(ACTOR, REST_K, SIZE_PX).astype(np.float32)
    matte_HW = draw_matte(ACTOR, REST_K, SIZE_PX)
    for seed in range(6):
        found_HWC, found_HW = by_another_hand(picture_HWC, matte_HW, ACTOR, np.random.default_rng(seed))
        assert found_HWC.dtype == np.uint8 and found_HWC.shape == picture_HWC.shape
        assert found_HW.shape == matte_HW.shape and found_HW.min() >= 0.0 and found_HW.max() <= 1.001


def test_bodies_go_on_below_the_picture_wherever_they_are_moved() -> None:
    before_HWC = draw_frame(ACTOR, REST_K, SIZE_PX).astype(np.float32)
    matte_HW = draw_matte(ACTOR, REST_K, SIZE_PX)
    for seed in range(20):
        moved_HWC, moved_HW = moved(before_HWC * matte_HW[..., None], matte_HW, np.random.default_rng(seed))
        assert moved_HW[-2].max() > 0.9
        assert not moved_HWC[moved_HW == 0].any(), "colours go with the matte"


def test_recoloured_characters_keep_their_places_and_are_other_colours() -> None:
    matte_HW = draw_matte(ACTOR, REST_K, SIZE_PX)
    before_HWC = draw_frame(ACTOR, REST_K, SIZE_PX) * matte_HW[..., None]
    for seed in range(6):
        found_HWC = recoloured(before_HWC, matte_HW, np.random.default_rng(seed))
        assert not found_HWC[matte_HW == 0].any()
        assert np.abs(found_HWC - before_HWC)[matte_HW == 1].mean() > 5


def test_walls_are_of_many_kinds() -> None:
    walls = [random_backdrop(SIZE_PX, np.random.default_rng(seed)) for seed in range(24)]
    assert all(wall_HWC.shape == (SIZE_PX, SIZE_PX, 3) and wall_HWC.dtype == np.float32 for wall_HWC in walls)
    assert all(wall_HWC.min() >= 0 and wall_HWC.max() <= 255 for wall_HWC in walls)
    spreads = [float(wall_HWC.std(axis=(0, 1)).mean()) for wall_HWC in walls]
    assert min(spreads) < 0.1 and max(spreads) > 40
