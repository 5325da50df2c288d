"""How far a character has turned round, frame by frame, and which of its pictures is seen then, how narrow.

A turn goes from one picture of a character to the next, as in drawn films: what turns away narrows as a flat thing would, and half-way
to the next picture that one takes its place, as narrow, and widens. (Both at once, one fading into the other, are a ghost of two faces.)

Turns are radians, positive to the character's own left. Called where motion is planned and where it is drawn. It knows numbers and no
pictures.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import cos, pi
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

FACE: Final = "front"
VIEW_TURNS: Final = {"left": pi / 2, "right": -pi / 2, "rear": pi}
QUICKNESS: Final = 0.32  # of a critically damped spring, per frame: half a turn takes about two thirds of a second
STILL: Final = (0.02, 0.01)  # radians from the goal, and a frame: there it has arrived
NARROWEST: Final = 0.25  # of a picture's width


@dataclass(frozen=True, kw_only=True)
class TurnGoal:
    """How far round a character is to turn, and by which side it goes between its face and its back: 1 by its left, -1 by its right."""

    turn: float = 0.0
    side: float = 1.0


FACING: Final = TurnGoal()


@dataclass(frozen=True, kw_only=True)
class Facet:
    """The picture that is seen while turning, and how wide it is now (1: as drawn)."""

    view: str
    width: float = 1.0


def goal_of(view: str, views: Collection[str]) -> TurnGoal:
    """How a character turns that shows one of its views: by a side of which there is a picture."""
    side = -1.0 if "right" in views and "left" not in views else 1.0
    return TurnGoal(turn=VIEW_TURNS.get(view, 0.0), side=side)


def turned_towards(goal: TurnGoal, last_2: tuple[float, float], num_frames: int) -> list[float]:
    """The turns of the next frames behind the last two, each from -pi to pi: the shorter way round."""
    before, turn = last_2
    speed, turns = 0.0 if turn == goal.turn else _between(before, turn), []
    for _ in range(num_frames):
        way = _way_to(goal, turn)
        speed += QUICKNESS**2 * way - 2.0 * QUICKNESS * speed
        turn = _between(0.0, turn + speed)
        if abs(_between(turn, goal.turn)) < STILL[0] and abs(speed) < STILL[1]:
            turn, speed = goal.turn, 0.0
        turns.append(turn)
    return turns


def facet_of(turn: float, views: Collection[str]) -> Facet:
    """What is seen of a character of which there is its face and these views."""
    drawn = [(0.0, FACE), *((VIEW_TURNS[view], view) for view in views)]
    away, view = min((abs(_between(turn, drawn_at)), view) for drawn_at, view in drawn)
    return Facet(view=view, width=max(cos(away), NARROWEST))


def is_turned(turns_BFT: Tensor) -> bool:
    """Whether the character has turned at all in any of these frames."""
    return bool((turns_BFT != 0.0).any())


def turned_layers(turns: list[float], views: Collection[str], layer_of: Callable[[str, list[int]], Tensor]) -> Tensor:
    """A character [T, C, H, W] in frames in which it has turned so far; `layer_of` gives what one of its views shows in some frames."""
    facets = [facet_of(turn, views) for turn in turns]
    parts: list[tuple[list[int], Tensor]] = []
    for view in sorted({facet.view for facet in facets}):
        frames = [frame for frame, facet in enumerate(facets) if facet.view == view]
        parts.append((frames, narrowed(layer_of(view, frames), [facets[frame].width for frame in frames])))
    if not parts:
        raise ValueError("there is no frame to turn in")
    character_TCHW = torch.cat([layers_NCHW for _, layers_NCHW in parts])
    order = torch.tensor([frame for frames, _ in parts for frame in frames], device=character_TCHW.device)
    return character_TCHW[order.argsort()]


def narrowed(layers_NCHW: Tensor, widths: list[float]) -> Tensor:
    """Pictures, each made so narrow about its middle; what they show at their sides goes on beyond."""
    if all(width == 1.0 for width in widths):
        return layers_NCHW
    moves_N23 = layers_NCHW.new_tensor([[[1.0 / width, 0.0, 0.0], [0.0, 1.0, 0.0]] for width in widths])
    with torch.autocast(layers_NCHW.device.type, enabled=False):
        places_NHWC = functional.affine_grid(moves_N23.float(), list(layers_NCHW.shape), align_corners=False)
        return functional.grid_sample(layers_NCHW.float(), places_NHWC, padding_mode="border", align_corners=False)


def _between(turn: float, other: float) -> float:
    """The shorter way from one turn to another, more than -pi and at most pi."""
    way = (other - turn) % (2 * pi)
    return way - 2 * pi if way > pi else way


def _way_to(goal: TurnGoal, turn: float) -> float:
    """The shorter way to a goal. Of two that are as long: between face and back by the goal's side, from side to side by the face."""
    way = _between(turn, goal.turn)
    if abs(way) < pi - STILL[0]:
        return way
    if abs(cos(turn)) < STILL[0]:
        return -pi if turn > 0 else pi
    return pi * goal.side if abs(turn) < pi / 2 else -pi * goal.side
