"""Turning round: how far, which picture is seen then, and that what faces the viewer is drawn as ever."""

from dataclasses import replace
from itertools import pairwise
from math import pi

import pytest
import torch
from torch import Tensor

from engine.posing.poser import Poser
from engine.posing.turning import FACING, Facet, TurnGoal, facet_of, goal_of, narrowed, turned_layers, turned_towards
from tests.engine.posing.small_flow import (
    FRAMES_PER_LATENT,
    ROW_WIDTH,
    PictureCodec,
    random_flow,
    random_picture,
    showing,
)

ALL = ("left", "right", "rear")
REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)


BACK = TurnGoal(turn=pi)


def test_a_turn_arrives_without_going_too_far_and_stays() -> None:
    turns = turned_towards(BACK, (0.0, 0.0), 48)
    assert all(before <= after for before, after in pairwise(turns))
    assert turns[0] < 0.4 and turns[4] > 0.5, "it begins slowly and not too slowly"
    assert turns[30:] == [pi] * 18, "to the last digit, so that a face that is back is drawn as ever"
    for cut in range(1, 40):
        last_2 = (0.0, *turns[:cut])[-2], turns[cut - 1]
        assert turned_towards(BACK, last_2, 48 - cut) == pytest.approx(turns[cut:]), "wherever a plan is cut"
    assert turned_towards(FACING, (0.0, 0.0), 5) == [0.0] * 5


def seen(goals: list[TurnGoal], views: tuple[str, ...] = ALL) -> list[str]:
    """The pictures that are shown on the way to goals, one after another, each for two seconds."""
    turns = [0.0, 0.0]
    for goal in goals:
        turns += turned_towards(goal, (turns[-2], turns[-1]), 48)
        assert turns[-1] == goal.turn or abs(turns[-1]) == abs(goal.turn) == pi
    shown = [facet_of(turn, views).view for turn in turns]
    return [view for place, view in enumerate(shown) if not place or view != shown[place - 1]]


def test_turns_go_the_shorter_way_and_by_sides_of_which_there_are_pictures() -> None:
    assert seen([goal_of("rear", ALL), FACING]) == ["front", "left", "rear", "left", "front"]
    rightly = ("right", "rear")
    back = goal_of("rear", rightly)
    assert seen([back, replace(back, turn=0.0)], rightly) == ["front", "right", "rear", "right", "front"]
    assert seen([goal_of("rear", ALL), goal_of("right", ALL), FACING]) == [
        "front", "left", "rear", "right", "front",
    ], "from the back to a side never by the face"  # fmt: skip
    assert seen([goal_of("left", ALL), goal_of("right", ALL)]) == ["front", "left", "front", "right"]
    assert seen([goal_of("right", ALL), goal_of("left", ALL)]) == ["front", "right", "front", "left"]
    assert seen([goal_of("rear", ("rear",)), FACING], ("rear",)) == ["front", "rear", "front"]


def test_each_picture_is_seen_around_where_it_was_drawn() -> None:
    assert facet_of(0.0, ALL) == Facet(view="front")
    assert facet_of(pi / 2, ALL) == Facet(view="left")
    assert facet_of(pi, ALL) == facet_of(-pi, ALL) == Facet(view="rear")
    assert facet_of(-pi / 3, ALL).view == "right"
    assert facet_of(0.6, ALL).view == "front" and 0.7 < facet_of(0.6, ALL).width < 0.9
    for turn in torch.linspace(-pi, pi, 101).tolist():
        assert 0.7 < facet_of(turn, ALL).width <= 1.0, "from one picture to the next it is never further than an eighth"
    assert facet_of(1.7, ("rear",)).view == "rear" and facet_of(1.7, ("rear",)).width == pytest.approx(0.25)


def test_narrowed_pictures_keep_their_middle_and_go_on_at_their_sides() -> None:
    layers_NCHW = torch.arange(8.0).expand(2, 4, 8, 8).contiguous()
    half = narrowed(layers_NCHW, [1.0, 0.5])
    assert torch.equal(half[0], layers_NCHW[0])
    assert half[1, 0, 0].tolist() == pytest.approx([0.0, 0.0, 0.5, 2.5, 4.5, 6.5, 7.0, 7.0])


def test_each_frame_shows_its_view() -> None:
    asked: list[tuple[str, list[int]]] = []

    def layer_of(view: str, frames: list[int]) -> Tensor:
        asked.append((view, frames))
        return torch.full((len(frames), 4, 2, 2), float(len(view)))

    turns = [0.0, 1.5, pi, 0.1, pi]
    shown_TCHW = turned_layers(turns, ALL, layer_of)
    assert sorted(asked) == [("front", [0, 3]), ("left", [1]), ("rear", [2, 4])], "what is not seen is not made"
    assert shown_TCHW[:, 0, 0, 0].tolist() == [5.0, 4.0, 4.0, 5.0, 4.0]


class HalfMatte:
    """Finds somebody in the left half of each picture."""

    def of(self, picture_BCHW: Tensor) -> Tensor:
        matte_B1HW = torch.zeros_like(picture_BCHW[:, :1])
        matte_B1HW[..., : picture_BCHW.shape[-1] // 2] = 1.0
        return matte_B1HW


def test_who_turns_is_seen_as_drawn_from_there_before_the_own_wall() -> None:
    poser = Poser(random_flow(), PictureCodec(), REST_M, matte=HalfMatte())  # type: ignore[arg-type]
    plain = showing(REST_M, random_picture(1))
    picture = replace(plain, views={"rear": random_picture(2)})
    rows_BFM = REST_M.expand(1, 2, -1)
    turns_BFT = torch.zeros(1, 2, FRAMES_PER_LATENT)
    facing = poser.moved(picture, rows_BFM, turns_BFT)
    assert torch.equal(facing.pixels_BTCHW, poser.moved(plain, rows_BFM).pixels_BTCHW)
    turns_BFT[:, 1] = pi
    turned = poser.moved(picture, rows_BFM, turns_BFT)
    front_TCHW, rear_TCHW = turned.pixels_BTCHW[0].split(FRAMES_PER_LATENT)
    assert torch.equal(front_TCHW, facing.pixels_BTCHW[0, :FRAMES_PER_LATENT]), "beside frames that turn too"
    matte_HW = poser._sheet(poser._look(picture.views["rear"]), "pictures").layers.character_BCHW[0, 3]  # type: ignore[union-attr]
    is_somebody_HW, is_wall_HW = matte_HW > 0.999, matte_HW < 0.001
    assert is_somebody_HW.any() and is_wall_HW.any()
    wall_CHW = poser._sheet(poser._look(picture.pixels_BCHW), "pictures").layers.plate_BCHW[0]  # type: ignore[union-attr]
    for frame_CHW in rear_TCHW:
        torch.testing.assert_close(
            frame_CHW[:, is_somebody_HW], picture.views["rear"][0][:, is_somebody_HW], atol=1e-4, rtol=0
        )
        torch.testing.assert_close(frame_CHW[:, is_wall_HW], wall_CHW[:, is_wall_HW], atol=1e-4, rtol=0)
    front, rear = turned.painted_BTCHW[0].split(FRAMES_PER_LATENT)
    assert bool((rear == 1.0).all()), "nobody draws into a picture that no model has seen"
    assert torch.equal(front, facing.painted_BTCHW[0, :FRAMES_PER_LATENT])
    for rows, turns in ((rows_BFM.expand(2, -1, -1), turns_BFT.expand(2, -1, -1)), (rows_BFM, turns_BFT[..., :1])):
        with pytest.raises(ValueError, match="are not those of the"):
            poser.moved(picture, rows, turns)
