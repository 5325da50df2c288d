"""Hair seen from the front: what falls behind the head, the cap with its hairline, and what hangs before the shoulders.

Called by `training.actor.draw`. Knows nothing of the face.
"""

from functools import lru_cache

import numpy as np

from training.actor.drawing.geometry import Points, curve, ellipse, mirrored, points, stroke, with_depth
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import Colour, light, shade
from training.actor.identity import Identity

_CAP_DEPTH = -0.08
COVERS_EARS = ("long", "wavy", "bob")
_FRINGED = ("bob", "pixie")


def _tones(identity: Identity) -> tuple[Colour, Colour, Colour]:
    """Shadow, middle and shine of this hair."""
    return shade(identity.hair, 0.3), identity.hair, light(identity.hair, 0.22)


@lru_cache(maxsize=32)
def _cap_outer(identity: Identity, lift: float, top: float) -> Points:
    """The cap's silhouette from the right ear over the crown to the left one."""
    a = identity.head_width + lift
    right = points(
        (a - 0.02, -0.2), (a + 0.02, 0.12), (0.9 * a, 0.59), (0.55 * a, 0.925 + 0.92 * top), (0.0, 1.0 + top)
    )
    left = right[-2::-1] * np.array((-1.0, 1.0), dtype=np.float32)
    return curve(np.concatenate((right, left)), 36)


@lru_cache(maxsize=32)
def _hairline(identity: Identity) -> Points:
    """The hairline from the left ear to the right one, on the face."""
    a, style, fringe = identity.head_width, identity.hair_style, identity.fringe
    if style in _FRINGED:
        low = 0.56 - 0.06 * fringe
        right = points((0.0, low), (0.35 * a, low - 0.01), (0.68 * a, low - 0.09), (0.86 * a, 0.2), (0.92 * a, -0.14))
    elif style in ("side_part", "wavy"):
        high, low = 0.8, 0.5
        left = points((-0.93 * a, -0.14), (-0.88 * a, 0.2), (-0.68 * a, 0.46), (-0.4 * a, high - 0.02))
        right = points(
            (-0.1 * a, 0.72), (0.3 * a, low + 0.06), (0.66 * a, low - 0.12), (0.87 * a, 0.16), (0.93 * a, -0.14)
        )
        line = np.concatenate((left, right))
        if style in COVERS_EARS:
            line = np.concatenate((points((-0.95 * a, -0.55)), line, points((0.95 * a, -0.55))))
        return curve(line if identity.parting > 0 else line[::-1] * np.array((-1.0, 1.0), dtype=np.float32), 36)
    elif style == "long":
        right = points((0.0, 0.88), (0.25 * a, 0.7), (0.6 * a, 0.48), (0.86 * a, 0.16), (0.93 * a, -0.14))
    elif style == "curly":
        right = points((0.0, 0.6), (0.3 * a, 0.64), (0.62 * a, 0.5), (0.84 * a, 0.24), (0.93 * a, -0.14))
    else:
        high = 0.66 + 0.08 * fringe
        right = points((0.0, high), (0.4 * a, high + 0.01), (0.7 * a, high - 0.2), (0.87 * a, 0.2), (0.93 * a, -0.14))
    if style in COVERS_EARS:
        right = np.concatenate((right, points((0.95 * a, -0.55))))
    left = right[:0:-1] * np.array((-1.0, 1.0), dtype=np.float32)
    return curve(np.concatenate((left, right)), 36)


def _cap_measures(identity: Identity) -> tuple[float, float]:
    """How far the cap stands off at the sides and on top."""
    volume = identity.hair_volume
    sides = {"crop": 0.0, "quiff": 0.01, "bun": 0.02, "ponytail": 0.02, "curly": 0.1}.get(identity.hair_style, 0.07)
    top = {"crop": 0.04, "quiff": 0.1, "bun": 0.07, "ponytail": 0.08, "curly": 0.2}.get(identity.hair_style, 0.12)
    flat = 0.6 if identity.hat in ("beanie", "cap") else 1.0
    return (sides + 0.03 * volume) * flat, (top + 0.06 * volume) * flat


def draw_hair_behind(ink: Ink, identity: Identity) -> None:
    """What lies behind head, neck and shoulders."""
    a, (dark, middle, _) = identity.head_width, _tones(identity)
    style, volume = identity.hair_style, identity.hair_volume
    if style in ("long", "wavy"):
        half = points(
            (0.0, 1.05),
            (0.8 * a, 0.9),
            (1.16 * a, 0.2),
            (1.22 * a + 0.1 * volume, -0.6),
            (1.3 * a + 0.12 * volume, -1.3),
            (1.05 * a, -1.85),
            (0.0, -1.95),
        )
        ink.outline(curve(mirrored(half), 48, is_closed=True), dark, -0.22)
    elif style == "bob":
        half = points(
            (0.0, 1.05),
            (0.8 * a, 0.9),
            (1.17 * a, 0.2),
            (1.26 * a + 0.08 * volume, -0.5),
            (1.05 * a, -0.98),
            (0.0, -0.95),
        )
        ink.outline(curve(mirrored(half), 48, is_closed=True), dark, -0.22)
    elif style == "curly":
        _draw_curls(ink, identity, dark, 1.0, -0.2)
    elif style == "ponytail":
        side = identity.parting
        tail = points(
            (0.35, 0.75), (0.95, 0.7), (1.22, 0.1), (1.14, -0.7), (1.2, -1.2), (0.92, -0.75), (0.85, -0.1), (0.6, 0.4)
        )
        ink.outline(curve(tail, 40, is_closed=True) * np.array((side, 1.0), dtype=np.float32), dark, -0.45)
    elif style == "bun":
        ink.outline(ellipse(0.0, 1.15 + 0.05 * volume, 0.33 + 0.05 * volume, 0.27, 28), dark, -0.3)
        ink.outline(ellipse(-0.04, 1.19 + 0.05 * volume, 0.25 + 0.05 * volume, 0.19, 28), middle, -0.3)
    elif style == "pigtails":
        for side in (-1.0, 1.0):
            tail = points((0.85, 0.2), (1.3, 0.25), (1.5, -0.35), (1.3, -1.05), (1.12, -0.6), (0.95, -0.2))
            ink.outline(
                curve(tail, 36, is_closed=True) * np.array((side * a / 0.8, 1.0), dtype=np.float32), middle, -0.3
            )
            ink.outline(ellipse(side * 1.08 * a / 0.8 * 0.98, 0.1, 0.11, 0.11, 16), identity.accent, -0.25)


def _draw_curls(ink: Ink, identity: Identity, colour: Colour, size: float, depth: float) -> None:
    """A cloud of curls around the crown."""
    a, volume = identity.head_width, identity.hair_volume
    reach = 1.0 + 0.12 * volume
    angles = np.linspace(-0.5, np.pi + 0.5, 13)
    for angle in angles:
        x, y = np.cos(angle) * (a + 0.14) * reach, 0.2 + np.sin(angle) * 0.9 * reach
        ink.outline(ellipse(float(x), float(y), 0.25 * size, 0.25 * size, 20), colour, depth)


def draw_hair_front(ink: Ink, identity: Identity) -> None:
    """The cap and what hangs from it, over the face's edge and the shoulders."""
    style = identity.hair_style
    if style == "bald":
        return
    _, middle, shine = _tones(identity)
    sides, top = _cap_measures(identity)
    outer, line = _cap_outer(identity, sides, top), _hairline(identity)
    if style == "curly":
        _draw_curls(ink, identity, middle, 0.88, -0.1)
    ink.joined(with_depth(outer, _CAP_DEPTH), line, middle, 0.04)
    edge = stroke(line, 0.05, 0.3)
    ink.face(edge, shade(identity.hair, 0.14), 0.04)
    _draw_shine(ink, identity, shine)
    if style in ("long", "wavy"):
        _draw_locks(ink, identity, middle)
    elif style == "bob":
        _draw_bob_sides(ink, identity, middle)
    elif style == "quiff":
        _draw_quiff(ink, identity, middle, shine)


def _draw_shine(ink: Ink, identity: Identity, shine: Colour) -> None:
    if identity.hair_style == "curly":
        a = identity.head_width
        for x, y in ((-0.5, 0.95), (-0.15, 1.08), (-0.75, 0.66)):
            ink.outline(ellipse(x * a / 0.8, y, 0.12, 0.08, 16), shine, 0.1)
        return
    a = identity.head_width
    arc = curve(points((-0.66 * a, 0.72), (-0.42 * a, 0.9), (-0.1 * a, 0.97)), 12)
    ink.outline(stroke(arc, 0.085, 0.1), shine, 0.2)


def _draw_locks(ink: Ink, identity: Identity, middle: Colour) -> None:
    """Long strands before both shoulders."""
    a, volume = identity.head_width, identity.hair_volume
    wave = 0.09 if identity.hair_style == "wavy" else 0.0
    for side in (-1.0, 1.0):
        outer = points(
            (0.86 * a, 0.62),
            (1.08 * a, 0.2),
            (1.17 * a + 0.08 * volume, -0.4),
            (1.17 * a + wave, -0.8),
            (1.2 * a + 0.1 * volume, -1.2),
            (1.08 * a, -1.62),
        )
        inner = points(
            (0.93 * a, -1.45), (0.86 * a + wave, -1.1), (0.93 * a - wave, -0.7), (0.95 * a, -0.2), (0.88 * a, 0.2)
        )
        lock = np.concatenate((curve(outer, 20), curve(inner, 20))) * np.array((side, 1.0), dtype=np.float32)
        ink.outline(lock, middle, 0.16)
        strand = curve(
            points((0.98 * a, 0.1), (1.05 * a, -0.5), (1.03 * a + wave, -0.9), (1.06 * a, -1.35)), 14
        ) * np.array((side, 1.0), dtype=np.float32)
        ink.outline(stroke(strand, 0.05, 0.1), shade(identity.hair, 0.16), 0.16)


def _draw_bob_sides(ink: Ink, identity: Identity, middle: Colour) -> None:
    a, volume = identity.head_width, identity.hair_volume
    for side in (-1.0, 1.0):
        shape = points(
            (0.8 * a, 0.62),
            (1.07 * a, 0.3),
            (1.18 * a + 0.07 * volume, -0.3),
            (1.12 * a, -0.82),
            (0.9 * a, -0.84),
            (0.93 * a, -0.4),
            (0.9 * a, 0.15),
        )
        ink.outline(curve(shape, 36, is_closed=True) * np.array((side, 1.0), dtype=np.float32), middle, 0.16)


def _draw_quiff(ink: Ink, identity: Identity, middle: Colour, shine: Colour) -> None:
    a, volume, side = identity.head_width, identity.hair_volume, identity.parting
    tall = 0.08 + 0.16 * volume
    shape = points(
        (-0.8 * a, 0.62),
        (-0.72 * a, 0.98),
        (-0.3 * a, 1.14 + tall),
        (0.35 * a, 1.2 + tall),
        (0.78 * a, 1.0 + 0.6 * tall),
        (0.82 * a, 0.68),
        (0.3 * a, 0.74),
        (-0.3 * a, 0.7),
    )
    quiff = curve(shape, 44, is_closed=True) * np.array((side, 1.0), dtype=np.float32)
    ink.outline(quiff, middle, 0.28)
    sweep = curve(points((-0.5 * a, 0.86), (-0.1 * a, 1.04 + 0.7 * tall), (0.4 * a, 1.08 + 0.7 * tall)), 14) * np.array(
        (side, 1.0), dtype=np.float32
    )
    ink.outline(stroke(sweep, 0.07, 0.1), shine, 0.3)
