"""Eyes and brows.

Called by `training.actor.draw` and, for the places of the features, by `training.actor.keypoints`.
"""

from dataclasses import dataclass

import numpy as np

from training.actor.drawing.expression import Controls
from training.actor.drawing.geometry import Points, ellipse, joined_columns, stroke
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import INK, WHITE, blend, light, shade
from training.actor.identity import LEAST_EYE_SIZE, Identity

_ALONG = np.linspace(-1.0, 1.0, 19).astype(np.float32)
_ROUND = (np.clip(1.0 - np.abs(_ALONG) ** 2.3, 0.0, 1.0) ** 0.75).astype(np.float32)
_BROW_ALONG = np.linspace(0.0, 1.0, 13).astype(np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class EyeShape:
    """One eye in head units; `side` is -1 for the picture's left."""

    side: float
    x: float
    y: float
    half_width: float
    lid_upper: Points
    lid_lower: Points
    lid_socket: Points  # where the upper lid would be with the eye normally open
    openness: float
    iris_x: float
    iris_y: float
    iris_radius: float


def eye_shape(identity: Identity, controls: Controls, side: float) -> EyeShape:
    """Where the eye and its lids are in this frame."""
    size = identity.eye_size
    x = side * 0.345 * identity.eye_spacing * identity.head_width / 0.8
    y = 0.02
    half_width = 0.245 * size
    height = size * identity.manner.eye_height
    reach = gaze_reach(identity)
    openness = controls.open_left if side < 0 else controls.open_right
    tilt = 0.045 * identity.eye_tilt * side * _ALONG
    lower = y + tilt - _ROUND * (0.16 * height * (1.0 - 1.1 * controls.lower_lid))
    top = y + tilt + _ROUND * 0.235 * height
    closed = lower + _ROUND * 0.02
    upper = closed + (top - closed) * openness
    lower = np.minimum(lower, upper)
    along_x = x + half_width * _ALONG
    return EyeShape(
        side=side,
        x=x,
        y=y,
        half_width=half_width,
        lid_upper=joined_columns(along_x, upper),
        lid_lower=joined_columns(along_x, lower),
        lid_socket=joined_columns(along_x, np.maximum(top, upper)),
        openness=openness,
        iris_x=x + 0.095 * reach * controls.gaze_x,
        iris_y=y + 0.03 + 0.085 * reach * controls.gaze_y,
        iris_radius=0.168 * size * identity.manner.iris_size,
    )


def gaze_reach(identity: Identity) -> float:
    """How far irises go, of what they do in the actor's own eyes: less in eyes that are smaller than any of these."""
    return min(1.0, identity.eye_size / LEAST_EYE_SIZE)


def _within_lids(shape: EyeShape, polygon_N2: Points) -> Points:
    """A round shape cut off by the lids."""
    along_x = shape.lid_upper[:, 0]
    x = np.clip(polygon_N2[:, 0], along_x[0], along_x[-1])
    upper = np.interp(x, along_x, shape.lid_upper[:, 1])
    lower = np.interp(x, along_x, shape.lid_lower[:, 1])
    return joined_columns(x, np.clip(polygon_N2[:, 1], lower, upper))


def draw_eye(ink: Ink, identity: Identity, controls: Controls, side: float) -> None:
    """One eye with its lids and lashes."""
    shape = eye_shape(identity, controls, side)
    skin = identity.skin
    ink.face(np.concatenate((shape.lid_socket, shape.lid_lower[::-1])), shade(skin, 0.13))
    if shape.openness > 0.03:
        _draw_ball(ink, identity, controls, shape)
    lash = blend(INK, shade(identity.hair, 0.5), 0.25)
    ink.face(stroke(shape.lid_lower, 0.028), shade(skin, 0.4))
    widths = 0.05 + 0.03 * np.clip(side * _ALONG, -0.4, 1.0) * (0.5 + identity.lashes)
    widths = widths * identity.manner.lash_width
    ink.face(stroke(shape.lid_upper, widths.astype(np.float32), 0.5), lash)
    if identity.lashes > 0.35:
        corner = shape.lid_upper[-1 if side > 0 else 0]
        tip = corner + np.array((side * 0.075, 0.065), dtype=np.float32) * identity.lashes
        inner = corner + np.array((-side * 0.07, 0.02), dtype=np.float32)
        ink.face(np.stack((inner, tip, corner + np.array((-side * 0.02, -0.03), dtype=np.float32))), lash)


def _draw_ball(ink: Ink, identity: Identity, controls: Controls, shape: EyeShape) -> None:
    ink.face(np.concatenate((shape.lid_upper, shape.lid_lower[::-1])), WHITE)
    x, y, radius = shape.iris_x, shape.iris_y, shape.iris_radius
    iris = identity.eye_colour
    ink.face(_within_lids(shape, ellipse(x, y, radius, radius * 1.04, 28)), shade(iris, 0.5))
    ink.face(_within_lids(shape, ellipse(x, y, radius * 0.82, radius * 0.86, 28)), iris)
    ink.face(_within_lids(shape, ellipse(x, y - radius * 0.32, radius * 0.55, radius * 0.45, 20)), light(iris, 0.35))
    pupil = 0.5 * radius * controls.pupil
    ink.face(_within_lids(shape, ellipse(x, y, pupil, pupil, 20)), INK)
    shadow = shape.lid_upper - np.array((0.0, 0.05), dtype=np.float32)
    shadow[:, 1] = np.maximum(shadow[:, 1], shape.lid_lower[:, 1])
    ink.face(np.concatenate((shape.lid_upper, shadow[::-1])), blend(shade(WHITE, 0.2), INK, 0.12))
    reach = gaze_reach(identity)
    glint = ellipse(x - 0.055 * reach, y + 0.07 * reach, 0.05 * reach, 0.052 * reach, 16)
    ink.face(_within_lids(shape, glint), WHITE)


def brow_line(identity: Identity, controls: Controls, side: float) -> Points:
    """The middle line of a brow from its inner to its outer end, head units."""
    eye_x = 0.345 * identity.eye_spacing * identity.head_width / 0.8
    inner = controls.brow_inner_left if side < 0 else controls.brow_inner_right
    outer = controls.brow_outer_left if side < 0 else controls.brow_outer_right
    arch = {"straight": 0.02, "arched": 0.07, "rounded": 0.05}[identity.brow_shape] + controls.brow_arch
    peak = {"straight": 0.5, "arched": 0.68, "rounded": 0.5}[identity.brow_shape]
    along = _BROW_ALONG
    manner = identity.manner
    x = eye_x + manner.brow_length * (0.46 * along - 0.21)
    bump = np.where(along < peak, along / peak, (1.0 - along) / (1.0 - peak))
    bump = np.sin(0.5 * np.pi * bump)
    y = 0.385 + manner.brow_rise + inner * (1.0 - along) ** 1.2 + outer * along + arch * bump - 0.03 * along
    return joined_columns(side * x, y)


def draw_brow(ink: Ink, identity: Identity, controls: Controls, side: float) -> None:
    """One brow, thick at its inner end."""
    widths = (0.115 - 0.06 * _BROW_ALONG) * identity.brow_thickness
    ink.face(stroke(brow_line(identity, controls, side), widths.astype(np.float32), 0.45), identity.brow, 0.03)
