"""The bare head: skull and jaw with soft shading, ears, nose, cheeks, freckles, folds and beard.

Called by `training.actor.draw`. Knows nothing of eyes, mouth and hair.
"""

from functools import lru_cache
from math import sin

import numpy as np

from training.actor.drawing.expression import Controls
from training.actor.drawing.geometry import Points, curve, ellipse, mirrored, points, stroke
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import blend, colour_of, deepen, light, shade
from training.actor.identity import Identity

_NUM_SHADES = 6
_EAR_DEPTH = -0.1


@lru_cache(maxsize=32)
def head_outline(identity: Identity) -> Points:
    """The outline of skull and jaw, closed, [N, 3] with the depth that carries each point when the head turns."""
    a, jaw, chin = identity.head_width, identity.jaw_width, identity.chin_width
    cheek = 0.95 + 0.05 * identity.cheek_fullness
    half = points(
        (0.0, 1.0),
        (0.53 * a, 0.91),
        (0.88 * a, 0.56),
        (a, 0.12),
        (cheek * a, -0.3),
        (jaw, -0.62),
        (0.5 * jaw + 0.5 * chin, -0.86),
        (chin, -0.97),
        (0.0, -1.02),
    )
    outline_N2 = curve(mirrored(half), 64, is_closed=True)
    depth = 0.4 * np.clip((0.15 - outline_N2[:, 1]) / 1.15, 0.0, 1.0) ** 1.3
    return np.column_stack((outline_N2, depth)).astype(np.float32)


def jaw_drop(controls: Controls) -> float:
    """How far the chin goes down, head units."""
    return 0.3 * controls.mouth_open * (1.0 - 0.3 * controls.upper_raise)


def outline_now(identity: Identity, controls: Controls) -> Points:
    """The outline with the jaw where it is in this frame."""
    outline = head_outline(identity).copy()
    share = np.clip((-0.25 - outline[:, 1]) / 0.75, 0.0, 1.0)
    outline[:, 1] -= share * jaw_drop(controls)
    outline[:, 0] *= 1.0 + 0.03 * controls.cheek * np.exp(-(((outline[:, 1] + 0.35) / 0.3) ** 2))
    return outline


def draw_neck(ink: Ink, identity: Identity, base_left: Points, base_right: Points) -> None:
    """The neck, from the head down to the two given pixels, with the chin's shadow on it."""
    wide = identity.neck_width
    top = ink.pose.on_outline(points((-wide, -0.5), (wide, -0.5)), points((-0.1, -0.1))[0])
    low = ink.pose.on_outline(points((-wide, -1.02), (wide, -1.02)), points((0.0, 0.0))[0])
    sides = np.stack((base_left, 0.75 * low[0] + 0.25 * base_left, top[0], top[1]))
    polygon = np.concatenate((sides, [0.75 * low[1] + 0.25 * base_right, base_right]))
    ink.canvas.fill(polygon.astype(np.float32), shade(identity.skin, 0.13))
    shadow_left, shadow_right = 0.3 * base_left + 0.7 * low[0], 0.3 * base_right + 0.7 * low[1]
    middle = 0.5 * (shadow_left + shadow_right) + np.array((0.0, 0.16 * ink.pose.unit_px))
    rim = curve(np.stack((shadow_left, middle, shadow_right)).astype(np.float32), 12)
    ink.canvas.fill(np.concatenate((rim, top[1:], top[:1])).astype(np.float32), shade(identity.skin, 0.3))


def draw_skull(ink: Ink, identity: Identity, controls: Controls) -> None:
    """Skull and jaw: nested outlines from the shaded rim to the lit side."""
    outline = outline_now(identity, controls)
    focus = np.array((-0.2 * identity.head_width, 0.12, 0.25), dtype=np.float32)
    rim, middle = shade(identity.skin, 0.14), identity.skin
    for step in range(_NUM_SHADES):
        share = step / (_NUM_SHADES - 1)
        nested = focus + (outline - focus) * (1.0 - 0.36 * share)
        ink.outline(nested[:, :2], blend(rim, light(middle, 0.07), share), nested[:, 2])


def draw_ears(ink: Ink, identity: Identity) -> None:
    """Both ears; the far one goes out of sight as the head turns, the near one moves in over the face's edge."""
    size = identity.ear_size
    for side in (-1.0, 1.0):
        towards = side * sin(ink.pose.yaw)  # positive: the far side
        seen = min(1.25, 1.0 - (2.1 if towards > 0.0 else 1.5) * towards)
        if seen <= 0.03:
            continue
        middle = side * (identity.head_width + 0.015 + 0.28 * min(0.0, towards))
        outside = middle - side * 0.06 * (1.0 - seen)
        ink.outline(ellipse(outside, -0.02, 0.125 * size * seen, 0.2 * size, 20), shade(identity.skin, 0.1), _EAR_DEPTH)
        inside = middle + side * 0.03 * seen
        ink.outline(ellipse(inside, -0.03, 0.06 * size * seen, 0.11 * size, 16), shade(identity.skin, 0.3), _EAR_DEPTH)
        _draw_earring(ink, identity, inside, min(1.0, seen))


def _draw_earring(ink: Ink, identity: Identity, x: float, seen: float) -> None:
    low = -0.02 - 0.2 * identity.ear_size
    if identity.earrings == "stud":
        ink.outline(ellipse(x, low, 0.055 * seen, 0.055 * seen, 14), identity.metal, _EAR_DEPTH)
    elif identity.earrings == "hoop":
        ring = ellipse(x, low - 0.11 * seen, 0.1 * seen, 0.12 * seen, 20)
        ink.outline(stroke(np.concatenate((ring, ring[:1])), 0.045 * seen, 1.0), identity.metal, _EAR_DEPTH)


def draw_cheeks(ink: Ink, identity: Identity, controls: Controls) -> None:
    """Blush, freckles, folds and dimples: all that lies in the skin."""
    a = identity.head_width
    rosy = blend(identity.skin, colour_of("#e2506a"), 0.55)
    for side in (-1.0, 1.0):
        facing = 1.0 - max(0.0, side * sin(ink.pose.yaw)) * 1.9  # the far cheek's blush must not spill over its edge
        strength = (0.2 + 0.28 * identity.blush + 0.16 * controls.cheek) * facing
        ink.spot(side * 0.62 * a, -0.3 + 0.05 * controls.cheek, 0.27, rosy, strength)
    if identity.freckles > 0.0:
        spot = blend(shade(identity.skin, 0.22), colour_of("#a0522d"), 0.35)
        for side in (-1.0, 1.0):
            for x, y in ((0.4, -0.2), (0.55, -0.27), (0.47, -0.36), (0.66, -0.19)):
                ink.face(ellipse(side * x * a / 0.8, y, 0.027, 0.027, 10), spot)
    _draw_folds(ink, identity, controls)


def _draw_folds(ink: Ink, identity: Identity, controls: Controls) -> None:
    a, skin = identity.head_width, identity.skin
    fold = identity.wrinkles * (0.35 + 0.65 * max(controls.smile, controls.nose_wrinkle))
    fold = max(fold, 0.8 * controls.smile * (0.3 + 0.5 * identity.wrinkles), 0.7 * controls.nose_wrinkle)
    for side in (-1.0, 1.0):
        if fold > 0.03:
            line = curve(points((0.2, -0.22), (0.36, -0.34), (0.45 + 0.03 * controls.smile, -0.52)), 10)
            line = line * np.array((side * a / 0.8, 1.0), dtype=np.float32)
            ink.face(stroke(line, 0.04), blend(skin, shade(skin, 0.42), min(1.0, fold)))
        if identity.dimples > 0.0 and controls.smile > 0.05:
            x = side * (0.42 * identity.mouth_width * a / 0.8 * controls.mouth_width + 0.1)
            ink.face(
                stroke(curve(points((x, -0.36), (x + side * 0.035, -0.45), (x, -0.54)), 8), 0.05),
                blend(skin, shade(skin, 0.5), identity.dimples * controls.smile),
            )
        if identity.wrinkles > 0.0:
            tone = blend(skin, shade(skin, 0.3), identity.wrinkles)
            under = curve(points((side * 0.16, -0.2), (side * 0.34, -0.26), (side * 0.5, -0.19)), 9)
            ink.face(stroke(under, 0.03), tone)
    raised = max(0.0, 0.5 * (controls.brow_inner_left + controls.brow_inner_right))
    forehead = max(0.5 * identity.wrinkles, min(1.0, raised * 4.0) * (0.25 + 0.75 * identity.wrinkles))
    if forehead > 0.05:
        for y in (0.58, 0.68):
            line = curve(points((-0.32, y - 0.02), (0.0, y + 0.02), (0.32, y - 0.02)), 9)
            ink.face(stroke(line, 0.03), blend(skin, shade(skin, 0.3), forehead))
    lowered = max(0.0, -0.5 * (controls.brow_inner_left + controls.brow_inner_right))
    if lowered > 0.02:
        tone = blend(skin, shade(skin, 0.4), min(1.0, lowered * 5.0))
        for side in (-1.0, 1.0):
            ink.face(
                stroke(curve(points((side * 0.07, 0.24), (side * 0.06, 0.32), (side * 0.08, 0.4)), 7), 0.035), tone
            )


def draw_nose(ink: Ink, identity: Identity, controls: Controls) -> None:
    """The nose: a shaded side, a rounded tip with a highlight, nostrils; it stands out, so it shifts when the head turns."""
    size, skin = identity.nose_size, identity.skin
    length = {"button": 0.0, "long": 0.07, "wide": 0.02}[identity.nose]
    wide = {"button": 0.115, "long": 0.105, "wide": 0.155}[identity.nose] * size
    y = -0.2 - length + 0.05 * controls.nose_wrinkle
    wide *= 1.0 + 0.12 * controls.nose_wrinkle
    tip = shade(blend(skin, colour_of("#e0605c"), 0.2), 0.08)
    bridge = points((0.0, 0.1), (0.045, 0.02), (wide * 0.9, y + 0.02), (wide * 0.5, y - 0.06), (0.0, y - 0.04))
    lifts = np.array((0.1, 0.1, 0.18, 0.2, 0.26), dtype=np.float32)
    ink.face(bridge, shade(skin, 0.16), lifts)
    ink.face(ellipse(0.0, y - 0.01, wide, 0.085 * size, 20), tip, 0.2)
    under = curve(points((-wide * 0.95, y - 0.03), (0.0, y - 0.115 * size), (wide * 0.95, y - 0.03)), 12)
    ink.face(stroke(under, 0.045), shade(skin, 0.42), 0.17)
    ink.face(ellipse(-0.03, y + 0.025, 0.035, 0.026, 12), light(skin, 0.5), 0.24)
    if controls.nose_wrinkle > 0.05:
        tone = blend(skin, shade(skin, 0.42), min(1.0, controls.nose_wrinkle))
        for x in (-1.0, 1.0):
            ink.face(stroke(curve(points((x * 0.05, 0.02), (x * 0.1, 0.06), (x * 0.16, 0.04)), 7), 0.035), tone, 0.1)


def draw_beard(ink: Ink, identity: Identity, controls: Controls) -> None:
    """What grows on the jaw; the moustache is part of it."""
    if identity.beard == "none":
        return
    is_stubble = identity.beard == "stubble"
    colour = blend(identity.skin, deepen(identity.beard_colour, 0.3), 0.2) if is_stubble else identity.beard_colour
    if identity.beard in ("stubble", "full"):
        outline = outline_now(identity, controls)
        low = outline[outline[:, 1] < -0.12]
        right = low[low[:, 0] >= 0]
        right = right[np.argsort(-right[:, 1])]
        left = low[low[:, 0] < 0]
        left = left[np.argsort(left[:, 1])]
        grown = np.concatenate((right, left)) * np.array((1.01, 1.0 if is_stubble else 1.05, 1.0), dtype=np.float32)
        a = identity.head_width
        inner = curve(
            points(
                (-0.9 * a, -0.14),
                (-0.76 * a, -0.4),
                (-0.3, -0.4),
                (0.0, -0.34),
                (0.3, -0.4),
                (0.76 * a, -0.4),
                (0.9 * a, -0.14),
            ),
            24,
        )
        ink.joined(grown, inner, colour)
        return
    if identity.beard == "goatee":
        drop = jaw_drop(controls)
        shape = curve(
            points(
                (-0.26, -0.74 - 0.8 * drop),
                (0.0, -0.68 - 0.6 * drop),
                (0.26, -0.74 - 0.8 * drop),
                (0.2, -0.98 - drop),
                (0.0, -1.1 - drop),
                (-0.2, -0.98 - drop),
            ),
            30,
            is_closed=True,
        )
        ink.face(shape, colour)


def draw_moustache(ink: Ink, identity: Identity, upper_lip_y: float) -> None:
    """The moustache of those who have one, right above the upper lip."""
    if identity.beard not in ("goatee", "moustache"):
        return
    y = upper_lip_y + 0.045
    for side in (-1.0, 1.0):
        wing = points(
            (0.0, y + 0.05), (side * 0.16, y + 0.06), (side * 0.36, y - 0.06), (side * 0.18, y - 0.03), (0.0, y - 0.02)
        )
        ink.face(curve(wing, 20, is_closed=True), identity.beard_colour, 0.06)
