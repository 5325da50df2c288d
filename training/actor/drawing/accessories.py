"""Glasses and hats.

Called by `training.actor.draw` after the hair.
"""

import numpy as np

from training.actor.drawing.geometry import Points, circle, curve, points, stroke
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import light, shade
from training.actor.identity import Identity


def draw_glasses(ink: Ink, identity: Identity) -> None:
    """Two rims, the bridge and what is seen of the temples."""
    if identity.glasses == "none":
        return
    eye_x = 0.345 * identity.eye_spacing * identity.head_width / 0.8
    lift = 0.1
    for side in (-1.0, 1.0):
        rim = _rim(identity) + np.array((side * eye_x, 0.0), dtype=np.float32)
        ink.face(stroke(np.concatenate((rim, rim[:1])), 0.048, 1.0), identity.frame, lift)
        ear_x, rim_x = side * identity.head_width * 0.97, side * (eye_x + 0.29)
        ear_end = np.array(((ear_x, 0.095, -0.05), (ear_x, 0.045, -0.05)), dtype=np.float32)
        ink.joined(ear_end, points((rim_x, 0.035), (rim_x, 0.085)), identity.frame, lift)
    bridge = curve(points((-eye_x + 0.285, 0.04), (0.0, 0.09), (eye_x - 0.285, 0.04)), 9)
    ink.face(stroke(bridge, 0.05, 1.0), identity.frame, lift + 0.04)


def _rim(identity: Identity) -> Points:
    if identity.glasses == "round":
        return circle(28) * np.float32(0.3)
    corners = np.sign(circle(28)) * np.abs(circle(28)) ** 0.55
    return (corners * np.array((0.3, 0.245), dtype=np.float32)).astype(np.float32)


def draw_hat(ink: Ink, identity: Identity) -> None:
    """The hat, over the hair."""
    if identity.hat == "none":
        return
    a, colour = identity.head_width + 0.09, identity.hat_colour
    dark = shade(colour, 0.2)
    if identity.hat == "headband":
        band_top = curve(points((-0.98 * a, 0.4), (-0.6 * a, 0.74), (0.0, 0.84), (0.6 * a, 0.74), (0.98 * a, 0.4)), 24)
        band_low = band_top[::-1] * np.float32(0.99) - np.array((0.0, 0.15), dtype=np.float32)
        ink.outline(np.concatenate((band_top, band_low)), colour, 0.2)
        return
    top = 1.3 if identity.hat == "beanie" else 1.22
    crown = curve(
        points(
            (1.0 * a, 0.45),
            (0.95 * a, 0.8),
            (0.56 * a, top - 0.12),
            (0.0, top),
            (-0.56 * a, top - 0.12),
            (-0.95 * a, 0.8),
            (-1.0 * a, 0.45),
        ),
        36,
    )
    hem = curve(points((-1.0 * a, 0.45), (-0.5 * a, 0.6), (0.0, 0.64), (0.5 * a, 0.6), (1.0 * a, 0.45)), 24)
    depth = np.repeat(np.array((0.0, 0.25), dtype=np.float32), (len(crown), len(hem)))
    ink.outline(np.concatenate((crown, hem)), colour, depth)
    gleam = curve(points((-0.7 * a, 0.86), (-0.45 * a, 1.06), (-0.12 * a, top - 0.12)), 12)
    ink.outline(stroke(gleam, 0.09, 0.1), light(colour, 0.25), 0.15)
    if identity.hat == "beanie":
        cuff = np.concatenate(
            (hem + np.array((0.0, 0.16), dtype=np.float32), hem[::-1] - np.array((0.0, 0.05), dtype=np.float32))
        )
        ink.outline(cuff * np.array((1.02, 1.0), dtype=np.float32), dark, 0.2)
        return
    brim = curve(
        points(
            (-0.8 * a, 0.54),
            (-0.4 * a, 0.62),
            (0.4 * a, 0.62),
            (0.8 * a, 0.54),
            (0.62 * a, 0.42),
            (0.0, 0.36),
            (-0.62 * a, 0.42),
        ),
        36,
        is_closed=True,
    )
    ink.outline(brim, dark, 0.6)


def draw_hat_from_behind(ink: Ink, identity: Identity) -> None:
    """The hat as a rear view shows it."""
    if identity.hat == "none":
        return
    a, colour = identity.head_width + 0.09, identity.hat_colour
    if identity.hat == "headband":
        band = curve(points((-0.97 * a, 0.3), (0.0, 0.12), (0.97 * a, 0.3)), 20)
        ink.outline(stroke(band, 0.17, 1.0), colour)
        return
    top = 1.3 if identity.hat == "beanie" else 1.22
    crown = points((1.0 * a, 0.3), (0.95 * a, 0.8), (0.56 * a, top - 0.12), (0.0, top))
    left = crown[-2::-1] * points((-1.0, 1.0))
    hem = points((-0.5 * a, 0.2), (0.0, 0.16), (0.5 * a, 0.2))
    shape = np.concatenate((curve(np.concatenate((crown, left)), 36), hem))
    ink.outline(shape, colour)
    gleam = curve(points((-0.7 * a, 0.86), (-0.45 * a, 1.06), (-0.12 * a, top - 0.12)), 12)
    ink.outline(stroke(gleam, 0.09, 0.1), light(colour, 0.25))
    if identity.hat == "beanie":
        cuff = curve(points((-1.01 * a, 0.34), (0.0, 0.22), (1.01 * a, 0.34)), 20)
        ink.outline(stroke(cuff, 0.24, 1.0), shade(colour, 0.2))
