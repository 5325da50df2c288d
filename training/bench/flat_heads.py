"""Portraits by another hand than the actor's: flat heads in the manner of vector drawings, one colour an area, no shading and no ink.

No pack has learned from them. Called by `other_hands` and by the picture in `docs/pictures`. Knows no model and nothing of the actor.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
HairStyle = Literal["cap", "bob", "bun", "none"]

UNITS: Final = 192  # a drawing's side in the units below
FINER: Final = 4  # a drawing is made so many times as large
WHITE, BLACK, LIPS = (255, 255, 255), (10, 10, 10), (150, 60, 60)
WALLS: Final = ((200, 215, 235), (240, 225, 200), (215, 235, 215), (235, 210, 220), (90, 100, 120), (245, 240, 150))
SKINS: Final = ((236, 188, 150), (150, 105, 80), (250, 220, 200), (110, 75, 55), (205, 150, 110))
HAIRS: Final = ((60, 40, 30), (30, 25, 40), (210, 170, 80), (170, 70, 40), (190, 190, 200), (70, 90, 160))
CLOTHES: Final = ((180, 60, 60), (60, 120, 110), (90, 90, 160), (60, 60, 60), (230, 200, 90))
EYES: Final = ((60, 90, 140), (40, 60, 30), (90, 130, 90), (80, 50, 30))


@dataclass(frozen=True, kw_only=True)
class FlatHead:
    """What is drawn: colours, and lengths in units of `UNITS` a side."""

    wall: Colour
    skin: Colour
    hair: Colour
    clothes: Colour
    eyes: Colour
    face_across: int = 40
    face_down: int = 48
    eyes_apart: int = 17
    eye_across: int = 8
    mouth_across: int = 12
    brow_across: int = 17
    hair_style: HairStyle = "cap"
    is_bearded: bool = False
    has_glasses: bool = False

    @property
    def areas(self) -> tuple[Colour, Colour, Colour, Colour]:
        """The colours of the large areas: wall, skin, hair, clothes."""
        return self.wall, self.skin, self.hair, self.clothes


def random_head(seed: int) -> FlatHead:
    """A head by lot; the same number is the same head."""
    rng = np.random.default_rng([seed, 11])

    def one_of(colours: tuple[Colour, ...]) -> Colour:
        return colours[int(rng.integers(len(colours)))]

    head = FlatHead(
        wall=one_of(WALLS),
        skin=one_of(SKINS),
        hair=one_of(HAIRS),
        clothes=one_of(CLOTHES),
        eyes=one_of(EYES),
        face_across=int(rng.integers(34, 45)),
        face_down=int(rng.integers(42, 53)),
        eyes_apart=int(rng.integers(14, 20)),
        eye_across=int(rng.integers(6, 11)),
        mouth_across=int(rng.integers(9, 16)),
        brow_across=int(rng.integers(12, 19)),
    )
    styles: tuple[HairStyle, ...] = ("cap", "bob", "bun", "none")
    return replace(
        head,
        hair_style=styles[int(rng.integers(len(styles)))],
        is_bearded=bool(rng.random() < 0.25),
        has_glasses=bool(rng.random() < 0.25),
    )


def draw_flat_head(head: FlatHead, size_px: int) -> NDArray[np.uint8]:
    """Head and shoulders from the front, uint8 RGB [size_px, size_px, 3]."""
    unit_px = FINER * max(1, -(-size_px // UNITS))
    pen = _Pen(np.full((unit_px * UNITS, unit_px * UNITS, 3), head.wall, np.uint8), unit_px)
    shade = (int(0.85 * head.skin[0]), int(0.85 * head.skin[1]), int(0.85 * head.skin[2]))
    _draw_hair_behind(pen, head)
    pen.oval(96, 200, 70, 50, head.clothes)
    pen.box(84, 130, 108, 165, shade)
    if head.hair_style != "none":
        pen.oval(96, 84, head.face_across + 10, head.face_down + 6, head.hair)
    pen.oval(96, 98, head.face_across, head.face_down, head.skin)
    if head.is_bearded:
        pen.oval(96, 108, head.face_across, head.face_down - 10, head.hair, 0, 180)
    if head.hair_style != "none":
        pen.oval(96, 64, head.face_across + 2, 24, head.hair, 180, 360)
    _draw_face(pen, head, shade)
    return np.asarray(cv2.resize(pen.sheet_HWC, (size_px, size_px), interpolation=cv2.INTER_AREA), dtype=np.uint8)


class _Pen:
    """Draws on a sheet, in units."""

    def __init__(self, sheet_HWC: NDArray[np.uint8], unit_px: int) -> None:
        self.sheet_HWC, self._unit_px = sheet_HWC, unit_px

    def oval(self, x: int, y: int, across: int, down: int, colour: Colour, start: int = 0, end: int = 360) -> None:
        """An ellipse, or from one angle to another a part of one."""
        radii = self._at(across, down)
        cv2.ellipse(self.sheet_HWC, self._at(x, y), radii, 0, start, end, colour, -1, cv2.LINE_AA)

    def ring(self, x: int, y: int, radius: int, colour: Colour) -> None:
        """A circle that is not filled."""
        cv2.circle(self.sheet_HWC, self._at(x, y), radius * self._unit_px, colour, 2 * self._unit_px, cv2.LINE_AA)

    def box(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        """A filled box."""
        cv2.rectangle(self.sheet_HWC, self._at(left, top), self._at(right, bottom), colour, -1)

    def stroke(self, x: int, y: int, to_x: int, to_y: int, colour: Colour, width: int) -> None:
        """A line with round ends."""
        cv2.line(self.sheet_HWC, self._at(x, y), self._at(to_x, to_y), colour, width * self._unit_px, cv2.LINE_AA)

    def _at(self, x: int, y: int) -> tuple[int, int]:
        return self._unit_px * x, self._unit_px * y


def _draw_hair_behind(pen: _Pen, head: FlatHead) -> None:
    if head.hair_style == "bob":
        pen.box(96 - head.face_across - 10, 84, 96 + head.face_across + 10, 150, head.hair)
    elif head.hair_style == "bun":
        pen.oval(96, 84 - head.face_down - 8, 16, 16, head.hair)


def _draw_face(pen: _Pen, head: FlatHead, shade: Colour) -> None:
    for side in (-1, 1):
        x = 96 + side * head.eyes_apart
        for across, down, colour in (
            (head.eye_across, head.eye_across - 2, WHITE),
            (head.eye_across // 2, head.eye_across // 2, head.eyes),
            (head.eye_across // 4, head.eye_across // 4, BLACK),
        ):
            pen.oval(x, 92, across, down, colour)
        inner = 96 + side * (head.eyes_apart - head.brow_across // 2)
        pen.stroke(inner, 80, inner + side * head.brow_across, 79, BLACK if head.hair_style == "none" else head.hair, 3)
        if head.has_glasses:
            pen.ring(x, 92, head.eye_across + 4, BLACK)
    if head.has_glasses:
        pen.stroke(
            96 - head.eyes_apart + head.eye_across + 4, 92, 96 + head.eyes_apart - head.eye_across - 4, 92, BLACK, 2
        )
    pen.stroke(96, 98, 93, 112, shade, 2)
    pen.stroke(96 - head.mouth_across, 126, 96 + head.mouth_across, 126, LIPS, 3)
