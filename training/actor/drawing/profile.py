"""The actor in profile: the face's silhouette, one eye, one ear, and the shoulders from the side.

Called by `training.actor.references` for the left and right views; drawn looking to the picture's right. The hair is in
`profile_hair`.
"""

import numpy as np

from training.actor.drawing.expression import Controls
from training.actor.drawing.geometry import Points, circle, curve, ellipse, points, stroke
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import INK, WHITE, blend, colour_of, deepen, light, shade
from training.actor.drawing.profile_hair import draw_profile_hair, draw_profile_hair_behind, draw_profile_hat
from training.actor.drawing.torso import second_colour
from training.actor.identity import Identity

_EAR_X = -0.08


def draw_profile(ink: Ink, identity: Identity, controls: Controls) -> None:
    """Everything but the backdrop, for a character at rest."""
    draw_profile_hair_behind(ink, identity)
    _draw_torso(ink, identity)
    _draw_neck(ink, identity)
    _draw_collar(ink, identity)
    outline = profile_outline(identity)
    focus = np.array((0.3, 0.1), dtype=np.float32)
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        nested = focus + (outline - focus) * np.float32(1.0 - 0.32 * share)
        ink.outline(nested, blend(shade(identity.skin, 0.14), light(identity.skin, 0.07), share))
    _draw_skin(ink, identity)
    _draw_beard(ink, identity)
    _draw_mouth(ink, identity)
    _draw_eye(ink, identity, controls)
    _draw_ear(ink, identity)
    draw_profile_hair(ink, identity)
    draw_profile_hat(ink, identity)
    _draw_brow(ink, identity)
    _draw_glasses(ink, identity)
    ink.flush()


def profile_outline(identity: Identity) -> Points:
    """Skull, forehead, nose, lips, chin and jaw, closed."""
    nose = {"button": 0.0, "long": 0.05, "wide": 0.01}[identity.nose] + 0.12 * (identity.nose_size - 1.0)
    lips = 0.04 * (identity.lip_fullness - 0.8)
    chin = 0.1 * (identity.chin_width - 0.25)
    front = points(
        (0.0, 1.0),
        (0.42, 0.9),
        (0.7, 0.6),
        (0.765, 0.32),
        (0.73, 0.14),
        (0.79, -0.02),
        (0.94 + nose, -0.18),
        (0.92 + nose, -0.25),
        (0.79, -0.31),
        (0.775, -0.37),
        (0.82 + lips, -0.455),
        (0.815 + lips, -0.5),
        (0.765, -0.535),
        (0.8 + lips, -0.58),
        (0.785, -0.64),
        (0.735, -0.7),
        (0.765 + chin, -0.83),
        (0.72 + chin, -0.95),
        (0.55, -1.02),
        (0.25, -0.9 - 0.1 * identity.jaw_width),
        (-0.02, -0.72),
    )
    back = points((-0.3, -0.6), (-0.62, -0.52), (-0.86, -0.2), (-0.95, 0.25), (-0.82, 0.66), (-0.46, 0.93))
    return curve(np.concatenate((front, back)), 150, is_closed=True)


def _draw_torso(ink: Ink, identity: Identity) -> None:
    wide = 0.9 + 0.3 * (identity.body_width - 0.9)
    shape = points((-0.5, -1.2), (-0.82, -1.42), (-1.06 * wide, -1.8), (-1.12 * wide, -2.4), (-1.1 * wide, -3.2))
    front = points((0.86 * wide, -3.2), (0.84 * wide, -2.3), (0.66 * wide, -1.72), (0.3, -1.36), (0.0, -1.2))
    outline = curve(np.concatenate((shape, front)), 60, is_closed=True)
    ink.outline(outline, shade(identity.cloth, 0.16))
    focus = np.array((0.1, -2.5), dtype=np.float32)
    for share in (0.33, 0.67, 1.0):
        lit = focus + (outline - focus) * np.float32(1.0 - 0.13 * share)
        ink.outline(lit, shade(identity.cloth, 0.16 * (1.0 - share)))
    arm = curve(points((0.18, -1.72), (0.32, -2.1), (0.28, -2.6), (0.3, -3.2)), 20)
    ink.outline(stroke(arm, 0.06, 0.3), shade(identity.cloth, 0.26))


def _draw_neck(ink: Ink, identity: Identity) -> None:
    skin, wide = identity.skin, identity.neck_width
    throat = 0.12 + 0.6 * (wide - 0.33)
    neck = points(
        (-0.62, -0.4), (-0.6, -0.9), (-0.6, -1.32), (0.22, -1.42), (throat + 0.1, -1.15), (throat + 0.06, -0.8)
    )
    ink.outline(np.concatenate((neck, points((0.0, -0.5)))), shade(skin, 0.13))
    shadow = points((-0.3, -0.55), (-0.1, -0.86), (throat + 0.04, -1.08), (throat + 0.3, -0.95), (throat + 0.2, -0.7))
    ink.outline(shadow, shade(skin, 0.28))


def _draw_collar(ink: Ink, identity: Identity) -> None:
    high = {"turtleneck": 0.3, "hoodie": 0.22, "shirt": 0.2, "jacket": 0.16}.get(identity.clothes, 0.06)
    top = points((-0.68, -1.3 + high), (-0.2, -1.42 + high), (0.3, -1.48 + 0.8 * high))
    low = points((0.4, -1.5), (-0.15, -1.5), (-0.76, -1.34))
    collar = np.concatenate((curve(top, 14), curve(low, 14)))
    is_plain = identity.clothes in ("turtleneck", "hoodie")
    ink.outline(collar, light(identity.cloth, 0.14) if is_plain else second_colour(identity))
    if identity.clothes == "hoodie":
        hood = points((-0.5, -1.1), (-0.8, -1.08), (-1.02, -1.35), (-0.95, -1.7), (-0.6, -1.66), (-0.3, -1.45))
        ink.outline(curve(hood, 36, is_closed=True), light(identity.cloth, 0.16))


def _draw_skin(ink: Ink, identity: Identity) -> None:
    rosy = blend(identity.skin, colour_of("#e2506a"), 0.55)
    ink.spot_on_outline(0.4, -0.28, 0.28, rosy, 0.2 + 0.28 * identity.blush)
    if identity.freckles > 0.0:
        tone = blend(shade(identity.skin, 0.22), colour_of("#a0522d"), 0.35)
        for x, y in ((0.4, -0.2), (0.53, -0.25), (0.45, -0.34), (0.6, -0.17)):
            ink.outline(ellipse(x, y, 0.027, 0.027, 10), tone)
    ink.outline(ellipse(0.84, -0.245, 0.045, 0.03, 12), shade(identity.skin, 0.45))
    wing = curve(points((0.74, -0.16), (0.7, -0.24), (0.77, -0.3)), 9)
    ink.outline(stroke(wing, 0.035), shade(identity.skin, 0.36))
    if identity.wrinkles > 0.0:
        tone = blend(identity.skin, shade(identity.skin, 0.34), identity.wrinkles)
        for line in (
            points((0.68, -0.28), (0.56, -0.38), (0.53, -0.52)),
            points((0.6, -0.2), (0.46, -0.22), (0.36, -0.14)),
        ):
            ink.outline(stroke(curve(line, 9), 0.035), tone)


def _draw_mouth(ink: Ink, identity: Identity) -> None:
    lips = 0.04 * (identity.lip_fullness - 0.8)
    upper = points((0.778, -0.41), (0.82 + lips, -0.46), (0.815 + lips, -0.5), (0.767, -0.535), (0.53, -0.525))
    lower = points((0.767, -0.535), (0.8 + lips, -0.58), (0.785, -0.635), (0.7, -0.615), (0.53, -0.53))
    ink.outline(upper, shade(identity.lip, 0.14))
    ink.outline(lower, identity.lip)
    line = curve(points((0.78, -0.535), (0.65, -0.545), (0.5, -0.51)), 12)
    ink.outline(stroke(line, 0.04), shade(identity.lip, 0.6))


def _draw_eye(ink: Ink, identity: Identity, controls: Controls) -> None:
    size, skin = identity.eye_size, identity.skin
    x, y = 0.49, 0.02
    opened = 0.5 * (controls.open_left + controls.open_right)
    top = y + 0.22 * size * opened
    socket = points((x - 0.17 * size, y), (x + 0.02, y + 0.23 * size), (x + 0.15 * size, y + 0.16 * size))
    lid = points((x - 0.17 * size, y), (x + 0.0, top - 0.03), (x + 0.13 * size, top - 0.07 * size))
    low = points((x + 0.135 * size, y + 0.02), (x + 0.1 * size, y - 0.13 * size), (x - 0.04, y - 0.12 * size))
    rim_top, rim_low = curve(lid, 14), curve(np.concatenate((lid[-1:], low, lid[:1])), 18)
    ink.outline(np.concatenate((curve(socket, 12), rim_low)), shade(skin, 0.13))
    ink.outline(np.concatenate((rim_top, rim_low)), WHITE)
    centre_x, centre_y, tall = x + 0.075 * size, y + 0.035, 0.15 * size
    for colour, share in ((shade(identity.eye_colour, 0.5), 1.0), (identity.eye_colour, 0.8), (INK, 0.5)):
        iris = circle(24) * np.array((0.07 * size * share, tall * share), dtype=np.float32)
        iris = iris + np.array((centre_x, centre_y), dtype=np.float32)
        iris[:, 1] = np.minimum(iris[:, 1], np.interp(iris[:, 0], rim_top[:, 0], rim_top[:, 1]))
        ink.outline(iris, colour)
    ink.outline(ellipse(centre_x + 0.005, centre_y + 0.055, 0.035, 0.045, 14), WHITE)
    ink.outline(stroke(rim_low[3:], 0.028), shade(skin, 0.4))
    lash = np.concatenate((rim_top, points((x + 0.155 * size, top - 0.07 * size + 0.03 * identity.lashes))))
    ink.outline(stroke(lash, 0.06, 0.5), blend(INK, shade(identity.hair, 0.5), 0.25))


def _draw_brow(ink: Ink, identity: Identity) -> None:
    arch = {"straight": 0.01, "arched": 0.06, "rounded": 0.045}[identity.brow_shape]
    line = curve(points((0.76, 0.375), (0.58, 0.41 + arch), (0.32, 0.35)), 13)
    widths = np.linspace(0.11, 0.05, 13).astype(np.float32) * np.float32(identity.brow_thickness)
    ink.outline(stroke(line, widths, 0.45), identity.brow)


def _draw_ear(ink: Ink, identity: Identity) -> None:
    if identity.hair_style in ("long", "wavy", "bob"):
        return
    size = identity.ear_size
    shape = points((-0.1, 0.2), (0.04, 0.15), (0.06, 0.0), (0.0, -0.14), (-0.08, -0.22), (-0.15, -0.1), (-0.2, 0.08))
    place = np.array((_EAR_X, -0.02), dtype=np.float32)
    ear = curve(shape, 32, is_closed=True)
    ink.outline(ear * np.float32(size) + place, shade(identity.skin, 0.1))
    ink.outline(ear * np.float32(0.55 * size) + place + points((-0.02, 0.02)), shade(identity.skin, 0.3))
    low = -0.02 - 0.24 * size
    if identity.earrings == "stud":
        ink.outline(ellipse(_EAR_X - 0.04, low + 0.04, 0.055, 0.055, 14), identity.metal)
    elif identity.earrings == "hoop":
        ring = circle(20) * np.array((0.08, 0.12), dtype=np.float32) + points((_EAR_X - 0.05, low - 0.08))
        ink.outline(stroke(np.concatenate((ring, ring[:1])), 0.045, 1.0), identity.metal)


def _draw_beard(ink: Ink, identity: Identity) -> None:
    if identity.beard in ("stubble", "full"):
        is_full = identity.beard == "full"
        tone = identity.beard_colour if is_full else blend(identity.skin, deepen(identity.beard_colour, 0.3), 0.2)
        low = 0.05 if is_full else 0.0
        jaw = points((0.12, 0.0), (0.1, -0.4), (0.3, -0.46), (0.55, -0.42), (0.76, -0.37), (0.8, -0.42), (0.78, -0.65))
        chin = points(
            (0.76 + low, -0.78), (0.74 + low, -0.97 - low), (0.55, -1.04 - low), (0.22, -0.98 - low), (-0.04, -0.76)
        )
        ink.outline(np.concatenate((jaw, curve(chin, 24), points((-0.06, -0.3)))), tone)
    if identity.beard == "goatee":
        tuft = points((0.76, -0.72), (0.6, -0.74), (0.56, -0.95), (0.66, -1.1), (0.8, -1.04), (0.8, -0.86))
        ink.outline(curve(tuft, 30, is_closed=True), identity.beard_colour)
    if identity.beard in ("goatee", "moustache"):
        wing = points((0.84, -0.36), (0.85, -0.44), (0.7, -0.46), (0.5, -0.52), (0.58, -0.4), (0.72, -0.34))
        ink.outline(curve(wing, 30, is_closed=True), identity.beard_colour)


def _draw_glasses(ink: Ink, identity: Identity) -> None:
    if identity.glasses == "none":
        return
    wide = points((0.17, 0.29)) if identity.glasses == "round" else points((0.16, 0.24))
    base = circle(28)
    rim = base if identity.glasses == "round" else np.sign(base) * np.abs(base) ** np.float32(0.55)
    rim = (rim * wide + points((0.58, 0.02))).astype(np.float32)
    ink.outline(stroke(np.concatenate((rim, rim[:1])), 0.048, 1.0), identity.frame)
    ink.outline(stroke(points((0.42, 0.07), (0.15, 0.08), (_EAR_X, 0.09)), 0.05, 1.0), identity.frame)
