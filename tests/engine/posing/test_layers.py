"""A portrait's layers: both are the portrait again, a wall is filled from around, and stays where it is when a head moves."""

import pytest
import torch
from torch import Tensor

from engine.posing.layers import clean_plate, layers_of
from tests.engine.posing.small_flow import random_picture

SIDE_PX = 32


def sloping_wall() -> Tensor:
    """Lighter from left to right and from top to bottom, [1, 3, H, W]."""
    x_W = torch.linspace(-0.8, 0.8, SIDE_PX)
    return torch.stack([x_W.expand(SIDE_PX, -1), x_W[:, None].expand(-1, SIDE_PX), torch.zeros(SIDE_PX, SIDE_PX)])[None]


def disc(x: float, y: float, radius: float) -> Tensor:
    """One within a circle, [1, 1, H, W]; pixels."""
    axis = torch.arange(SIDE_PX)
    return ((axis - x) ** 2 + (axis[:, None] - y) ** 2 < radius**2).float()[None, None]


@pytest.mark.parametrize("seed", range(3))
def test_layers_upon_each_other_are_the_portrait_whatever_the_matte(seed: int) -> None:
    picture_BCHW = random_picture(seed, SIDE_PX, batch=2)
    matte_BCHW = torch.rand(2, 1, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(seed))
    layers = layers_of(picture_BCHW, matte_BCHW.where(matte_BCHW > 0.3, 0.0))
    composed_BTCHW = layers.composed(layers.character_BCHW[:, None])
    torch.testing.assert_close(composed_BTCHW[:, 0], picture_BCHW, rtol=0, atol=1e-6)


def test_a_plate_is_the_wall_where_it_is_seen_and_goes_on_behind() -> None:
    wall_BCHW, before_BCHW = sloping_wall(), disc(15.0, 17.0, 7.0)
    picture_BCHW = torch.where(before_BCHW > 0, -1.0, wall_BCHW)
    plate_BCHW = clean_plate(picture_BCHW, 1.0 - before_BCHW)
    assert torch.equal(plate_BCHW[:, :, :8], wall_BCHW[:, :, :8])
    assert (plate_BCHW - wall_BCHW).abs().max() < 0.25, "the character itself is 0.2 to 1.8 away"
    assert (plate_BCHW - wall_BCHW).abs().mean() < 0.02


@pytest.mark.parametrize("size_HW", [(7, 13), (1, 5), (16, 16)])
def test_pictures_of_any_size_have_a_plate(size_HW: tuple[int, int]) -> None:
    picture_BCHW = torch.full((1, 3, *size_HW), 0.5)
    is_bare_BCHW = torch.zeros(1, 1, *size_HW)
    is_bare_BCHW[..., 0] = 1.0
    torch.testing.assert_close(clean_plate(picture_BCHW, is_bare_BCHW), picture_BCHW)


def test_a_picture_that_is_all_character_moves_whole() -> None:
    picture_BCHW = random_picture(0, SIDE_PX)
    layers = layers_of(picture_BCHW, torch.ones(1, 1, SIDE_PX, SIDE_PX))
    shifted_BTCHW = layers.character_BCHW[:, None].roll(5, dims=-1)
    torch.testing.assert_close(layers.composed(shifted_BTCHW)[:, 0], picture_BCHW.roll(5, dims=-1))


def test_a_character_that_moves_leaves_the_wall_where_it_is() -> None:
    wall_BCHW, before_BCHW = sloping_wall(), disc(12.0, 16.0, 5.0)
    colour_1311 = torch.tensor([0.9, -0.9, 0.9]).view(1, 3, 1, 1)
    layers = layers_of(torch.where(before_BCHW > 0, colour_1311, wall_BCHW), before_BCHW)
    made_BCHW = layers.composed(layers.character_BCHW[:, None].roll(8, dims=-1))[:, 0]
    now_BCHW = disc(20.0, 16.0, 5.0)
    is_there_BCHW = now_BCHW.expand_as(made_BCHW) > 0
    torch.testing.assert_close(made_BCHW[is_there_BCHW], colour_1311.expand_as(made_BCHW)[is_there_BCHW])
    is_seen_BCHW = ((now_BCHW + before_BCHW) == 0).expand_as(made_BCHW)
    torch.testing.assert_close(made_BCHW[is_seen_BCHW], wall_BCHW[is_seen_BCHW])
    is_left_BCHW = ((before_BCHW > 0) & (now_BCHW == 0)).expand_as(made_BCHW)
    assert (made_BCHW - wall_BCHW)[is_left_BCHW].abs().max() < 0.25, "and nobody stands there any more"
