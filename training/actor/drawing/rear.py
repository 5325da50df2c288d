"""The actor seen from behind: the back of the head, its hair, and the clothes with their print.

Called by `training.actor.references` for the rear view. Knows nothing of the face.
"""

import numpy as np

from training.actor.drawing.accessories import draw_hat_from_behind
from training.actor.drawing.geometry import Points, circle, curve, ellipse, mirrored, points, stroke
from training.actor.drawing.hair import COVERS_EARS
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import blend, light, shade
from training.actor.drawing.prints import print_shapes
from training.actor.drawing.torso import BodyPose, draw_torso, second_colour
from training.actor.identity import Identity

_PRINT_Y = -2.06
_SIDES = (-1.0, 1.0)


def draw_rear(ink: Ink, identity: Identity, body: BodyPose) -> None:
    """Everything but the backdrop."""
    _draw_back_of_clothes(ink, identity, body)
    _draw_nape(ink, identity, body)
    if identity.hair_style not in COVERS_EARS:
        for side in _SIDES:
            _draw_ear(ink, identity, side)
    _draw_skull(ink, identity)
    _draw_hair(ink, identity)
    draw_hat_from_behind(ink, identity)
    ink.flush()


def _draw_back_of_clothes(ink: Ink, identity: Identity, body: BodyPose) -> None:
    draw_torso(ink.canvas, identity, body)
    accent = second_colour(identity)
    place = np.array((0.0, _PRINT_Y), dtype=np.float32)
    for shape in print_shapes(identity.back_print):
        ink.canvas.fill(body.pixels(shape * np.float32(0.32) + place), accent)


def _draw_nape(ink: Ink, identity: Identity, body: BodyPose) -> None:
    neck = identity.neck_width
    tube = points((-neck, -0.5), (-neck - 0.02, -1.1), (-neck - 0.02, -1.32), (neck + 0.02, -1.32), (neck + 0.02, -1.1))
    shape = np.concatenate((tube, points((neck, -0.5))))
    ink.outline(shape, shade(identity.skin, 0.12))
    shadow = points((-neck, -0.6), (-neck, -0.98), (0.0, -1.12), (neck, -0.98), (neck, -0.6))
    ink.outline(shadow, shade(identity.skin, 0.26))
    ink.flush()
    high = 0.26 if identity.clothes in ("turtleneck", "hoodie") else 0.12
    low_rim = points((-neck - 0.16, -1.36), (0.0, -1.5), (neck + 0.16, -1.36))
    top_rim = points((neck + 0.1, -1.36 + high), (0.0, -1.44 + high), (-neck - 0.1, -1.36 + high))
    collar = np.concatenate((curve(low_rim, 14), curve(top_rim, 14)))
    ink.canvas.fill(body.pixels(collar), light(identity.cloth, 0.14))
    if identity.clothes == "hoodie":
        hood = points(
            (-0.7, -1.36), (-0.52, -1.24), (0.0, -1.32), (0.52, -1.24), (0.7, -1.36), (0.44, -1.66), (0.0, -1.8)
        )
        both = np.concatenate((hood, points((-0.44, -1.66))))
        ink.canvas.fill(body.pixels(curve(both, 44, is_closed=True)), light(identity.cloth, 0.16))


def _draw_ear(ink: Ink, identity: Identity, side: float) -> None:
    x, size = side * (identity.head_width + 0.035), identity.ear_size
    ink.outline(ellipse(x, -0.02, 0.12 * size, 0.2 * size, 20), shade(identity.skin, 0.16))
    if identity.earrings != "none":
        ink.outline(ellipse(x + side * 0.03, -0.02 - 0.23 * size, 0.06, 0.07, 14), identity.metal)


def _back_outline(identity: Identity) -> Points:
    a = identity.head_width
    half = points((0.0, 1.0), (0.53 * a, 0.91), (0.88 * a, 0.56), (a, 0.12), (0.95 * a, -0.34), (0.74 * a, -0.7))
    return curve(mirrored(np.concatenate((half, points((0.4 * a, -0.86), (0.0, -0.9))))), 56, is_closed=True)


def _draw_skull(ink: Ink, identity: Identity) -> None:
    outline = _back_outline(identity)
    focus = np.array((-0.2 * identity.head_width, 0.2), dtype=np.float32)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        nested = focus + (outline - focus) * np.float32(1.0 - 0.36 * share)
        ink.outline(nested, blend(shade(identity.skin, 0.16), identity.skin, share))
    for y in (-0.6, -0.74):
        fold = curve(points((-0.26, y), (0.0, y - 0.04), (0.26, y)), 10)
        ink.outline(stroke(fold, 0.035), shade(identity.skin, 0.26))


def _hair_outline(identity: Identity) -> Points | None:
    """The mass of hair from behind; `None` for no hair."""
    a, volume = identity.head_width, identity.hair_volume
    crown = ((0.0, 1.12 + 0.06 * volume), (0.56 * a, 1.02), (0.95 * a, 0.6), (a + 0.06, 0.12))
    ends: dict[str, tuple[tuple[float, float], ...]] = {
        "long": ((1.18 * a, -0.5), (1.24 * a, -1.1), (1.0 * a, -1.5), (0.0, -1.58)),
        "wavy": ((1.24 * a, -0.4), (1.16 * a, -0.8), (1.3 * a, -1.15), (1.04 * a, -1.52), (0.0, -1.48)),
        "bob": ((1.2 * a, -0.4), (1.18 * a, -0.86), (0.6 * a, -0.98), (0.0, -0.99)),
        "curly": ((1.1 * a, -0.3), (0.86 * a, -0.8), (0.0, -0.88)),
        "crop": ((0.93 * a, -0.3), (0.6 * a, -0.6), (0.0, -0.62)),
    }
    if identity.hair_style == "bald":
        return None
    low = ends.get(identity.hair_style, ((0.96 * a, -0.34), (0.62 * a, -0.78), (0.0, -0.84)))
    return curve(mirrored(points(*crown, *low)), 60, is_closed=True)


def _draw_hair(ink: Ink, identity: Identity) -> None:
    outline = _hair_outline(identity)
    if outline is None:
        return
    a, style, hair = identity.head_width, identity.hair_style, identity.hair
    if style == "curly":
        for angle in np.linspace(-0.75, np.pi + 0.75, 15):
            x, y = np.cos(angle) * (a + 0.14), 0.16 + np.sin(angle) * 0.94
            ink.outline(ellipse(float(x), float(y), 0.25, 0.25, 20), shade(hair, 0.1))
    if style == "quiff":
        ink.outline(ellipse(0.2 * a * identity.parting, 1.05, 0.62 * a, 0.28, 28), shade(hair, 0.1))
    focus = np.array((-0.2 * a, 0.4), dtype=np.float32)
    for share in (0.0, 0.33, 0.67, 1.0):
        nested = focus + (outline - focus) * np.float32(1.0 - 0.22 * share)
        ink.outline(nested, blend(shade(hair, 0.2), hair, share))
    for x in (-0.5, 0.0, 0.5):
        low = float(outline[:, 1].min()) + 0.14 + 0.1 * abs(x)
        strand = curve(points((x * 0.5 * a, 0.5), (x * a, 0.0), (x * 1.1 * a, low)), 12)
        ink.outline(stroke(strand, 0.05, 0.1), shade(hair, 0.18))
    shine = curve(points((-0.66 * a, 0.6), (-0.42 * a, 0.8), (-0.1 * a, 0.88)), 12)
    ink.outline(stroke(shine, 0.085, 0.1), light(hair, 0.22))
    _draw_tied_hair(ink, identity)


def _draw_tied_hair(ink: Ink, identity: Identity) -> None:
    hair, a = identity.hair, identity.head_width
    if identity.hair_style == "bun":
        ink.outline(ellipse(0.0, 0.86, 0.4, 0.36, 32), shade(hair, 0.24))
        ink.outline(ellipse(-0.03, 0.9, 0.32, 0.28, 32), light(hair, 0.06))
        ink.outline(stroke(curve(points((-0.2, 0.98), (0.0, 1.08), (0.18, 0.96)), 10), 0.05), light(hair, 0.22))
    elif identity.hair_style == "ponytail":
        tail = points((-0.16, 0.3), (0.16, 0.3), (0.36, -0.4), (0.28, -1.1), (0.0, -1.5), (-0.28, -1.1), (-0.36, -0.4))
        ink.outline(curve(tail, 44, is_closed=True), light(hair, 0.08))
        ink.outline(stroke(curve(points((0.0, 0.1), (0.08, -0.5), (0.0, -1.2)), 12), 0.06, 0.1), shade(hair, 0.14))
        ink.outline(ellipse(0.0, 0.3, 0.2, 0.1, 20), identity.accent)
    elif identity.hair_style == "pigtails":
        ink.outline(stroke(points((0.0, 0.9), (0.0, 0.4), (0.0, -0.1), (0.0, -0.7)), 0.05), shade(hair, 0.3))
        for side in _SIDES:
            tail = points((0.85, 0.2), (1.3, 0.25), (1.5, -0.35), (1.3, -1.05), (1.12, -0.6), (0.95, -0.2))
            ink.outline(curve(tail, 36, is_closed=True) * points((side * a / 0.8, 1.0)), light(hair, 0.05))
            ink.outline(circle(16) * np.float32(0.12) + points((side * 1.06 * a / 0.8, 0.1)), identity.accent)
