"""Hair and hats in profile, looking to the picture's right.

Called by `training.actor.drawing.profile`.
"""

import numpy as np

from training.actor.drawing.geometry import Points, curve, ellipse, points, stroke
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import light, shade
from training.actor.identity import Identity

_CURLS = (
    (0.5, 0.86),
    (0.3, 1.06),
    (0.0, 1.16),
    (-0.32, 1.14),
    (-0.62, 1.0),
    (-0.88, 0.74),
    (-1.02, 0.42),
    (-1.06, 0.08),
    (-0.98, -0.24),
    (-0.76, -0.48),
    (-0.5, -0.58),
)


def _cap_outline(identity: Identity) -> Points:
    """The hair on the skull: from the forehead over the crown to the nape, and back along the hairline."""
    thick = 0.04 if identity.hair_style == "crop" else 0.09 + 0.05 * identity.hair_volume
    if identity.hat in ("beanie", "cap"):
        thick *= 0.6
    back = -0.95 - thick
    over = points(
        (0.66, 0.66), (0.44, 0.92 + thick), (0.0, 1.0 + thick), (-0.5, 0.95 + thick), (-0.84, 0.68 + 0.5 * thick)
    )
    nape = points((back, 0.25), (-0.88 - 0.5 * thick, -0.22), (-0.66, -0.58))
    low = 0.5 if identity.hair_style in ("bob", "pixie") else 0.6
    line = points((-0.4, -0.5), (-0.28, -0.2), (-0.24, 0.1), (-0.05, 0.24), (0.1, 0.06), (0.16, -0.14), (0.24, 0.1))
    front = points((0.34, 0.36), (0.56, low))
    return np.concatenate((curve(np.concatenate((over, nape)), 36), curve(np.concatenate((line, front)), 30)))


def draw_profile_hair_behind(ink: Ink, identity: Identity) -> None:
    """What lies behind neck and shoulder."""
    style, dark = identity.hair_style, shade(identity.hair, 0.26)
    if style == "bun":
        ink.outline(ellipse(-0.55, 1.02, 0.36, 0.33, 28), dark)
        ink.outline(ellipse(-0.58, 1.06, 0.28, 0.25, 28), identity.hair)
    elif style == "ponytail":
        tail = points(
            (-0.75, 0.68), (-1.1, 0.72), (-1.42, 0.2), (-1.35, -0.6), (-1.42, -1.15), (-1.05, -0.7), (-1.05, 0.0)
        )
        ink.outline(curve(tail, 44, is_closed=True), dark)
        ink.outline(ellipse(-0.9, 0.66, 0.12, 0.13, 16), identity.accent)
    elif style == "curly":
        for x, y in _CURLS:
            ink.outline(ellipse(x, y, 0.27, 0.27, 20), dark)


def draw_profile_hair(ink: Ink, identity: Identity) -> None:
    """The hair over skull, ear and shoulder."""
    style, hair = identity.hair_style, identity.hair
    if style == "bald":
        return
    ink.outline(_cap_outline(identity), hair)
    if style in ("long", "wavy", "bob"):
        _draw_fall(ink, identity)
    elif style == "curly":
        for x, y in _CURLS:
            ink.outline(ellipse(x * 0.97, y * 0.97, 0.24, 0.24, 20), hair)
    elif style == "quiff":
        tall = 0.1 + 0.14 * identity.hair_volume
        shape = points(
            (0.72, 0.62), (0.88, 0.92), (0.7, 1.16 + tall), (0.1, 1.16 + tall), (-0.4, 1.06), (-0.1, 0.84), (0.4, 0.72)
        )
        ink.outline(curve(shape, 44, is_closed=True), hair)
    elif style == "pigtails":
        tail = points((-0.36, 0.1), (-0.16, -0.1), (-0.14, -0.5), (-0.3, -1.1), (-0.52, -0.6), (-0.56, -0.1))
        ink.outline(curve(tail, 36, is_closed=True), light(hair, 0.06))
        ink.outline(ellipse(-0.36, 0.06, 0.13, 0.13, 16), identity.accent)
    elif style in ("side_part", "pixie"):
        fringe = points((0.1, 0.9), (0.56, 0.9), (0.8, 0.62), (0.74, 0.48), (0.5, 0.5), (0.28, 0.42), (0.1, 0.6))
        ink.outline(curve(fringe, 40, is_closed=True), hair)
    arc = curve(points((0.36, 0.84), (0.1, 0.95), (-0.24, 0.93)), 12)
    ink.outline(stroke(arc, 0.085, 0.1), light(hair, 0.22))
    if style in ("bun", "ponytail", "side_part", "quiff", "pixie"):
        sweep = curve(points((0.3, 0.52), (-0.2, 0.5), (-0.7, 0.6 if style in ("bun", "ponytail") else 0.2)), 12)
        ink.outline(stroke(sweep, 0.05, 0.1), shade(hair, 0.18))


def _draw_fall(ink: Ink, identity: Identity) -> None:
    """Hair that falls past the ear."""
    volume, hair = identity.hair_volume, identity.hair
    if identity.hair_style == "bob":
        shape = points(
            (0.3, 0.62),
            (0.3, 0.1),
            (0.28, -0.5),
            (0.2, -0.86),
            (-0.5, -0.96),
            (-1.1 - 0.06 * volume, -0.8),
            (-1.1, 0.1),
        )
    else:
        wave = 0.08 if identity.hair_style == "wavy" else 0.0
        shape = points((0.3, 0.62), (0.24, 0.1), (0.14 + wave, -0.5), (0.16 - wave, -1.0), (0.08, -1.6), (-0.5, -1.78))
        rest = points((-1.16 - 0.1 * volume, -1.6), (-1.2 - wave, -1.0), (-1.08 + wave, -0.5), (-1.1, 0.1))
        shape = np.concatenate((shape, rest))
    top = points((-0.8, 0.7), (-0.2, 0.9))
    ink.outline(curve(np.concatenate((shape, top)), 60, is_closed=True), hair)
    low = -0.7 if identity.hair_style == "bob" else -1.4
    for x in (-0.05, -0.5):
        strand = curve(points((x - 0.1, 0.4), (x, -0.2), (x - 0.06, low)), 12)
        ink.outline(stroke(strand, 0.05, 0.1), shade(hair, 0.18))


def draw_profile_hat(ink: Ink, identity: Identity) -> None:
    """The hat over the hair."""
    colour = identity.hat_colour
    if identity.hat == "none":
        return
    if identity.hat == "headband":
        band = curve(points((0.72, 0.72), (0.3, 0.78), (-0.3, 0.6), (-0.9, 0.2)), 24)
        ink.outline(stroke(band, 0.17, 0.9), colour)
        return
    top = 1.3 if identity.hat == "beanie" else 1.22
    crown = points(
        (0.8, 0.52), (0.7, 0.9), (0.3, top - 0.06), (-0.2, top), (-0.76, top - 0.3), (-1.1, 0.6), (-1.1, 0.32)
    )
    hem = points((-0.6, 0.36), (0.1, 0.5))
    ink.outline(np.concatenate((curve(crown, 36), hem)), colour)
    gleam = curve(points((0.36, 0.95), (0.05, 1.08), (-0.3, 1.07)), 12)
    ink.outline(stroke(gleam, 0.09, 0.1), light(colour, 0.25))
    if identity.hat == "beanie":
        cuff = points((0.84, 0.48), (0.84, 0.72), (-0.2, 0.66), (-1.14, 0.5), (-1.14, 0.26), (-0.2, 0.44))
        ink.outline(cuff, shade(colour, 0.2))
    else:
        brim = points((0.5, 0.6), (0.9, 0.6), (1.34, 0.44), (1.3, 0.38), (0.86, 0.46), (0.5, 0.48))
        ink.outline(curve(brim, 36, is_closed=True), shade(colour, 0.2))
