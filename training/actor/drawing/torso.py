"""Shoulders and clothes from the front.

Called by `training.actor.draw`; `BodyPose` is also used for the neck and by the stills. Knows nothing of the head.
"""

from dataclasses import dataclass

import numpy as np

from training.actor.drawing.canvas import Canvas
from training.actor.drawing.geometry import Points, curve, mirrored, points, stroke
from training.actor.drawing.palette import WHITE, Colour, contrast, light, shade
from training.actor.identity import Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyPose:
    """Where the torso is; the origin is the middle of the head at rest."""

    x_px: float
    y_px: float
    unit_px: float
    lift: float  # how far the shoulders are raised, head units
    turn: float  # the torso follows the head a little

    def pixels(self, xy_N2: Points) -> Points:
        """Pixels of points of the torso."""
        weight = np.clip((np.abs(xy_N2[:, 0]) - 0.2) / 0.6, 0.25, 1.0)
        moved = np.empty((len(xy_N2), 2), dtype=np.float32)
        moved[:, 0] = self.x_px + self.unit_px * (xy_N2[:, 0] + self.turn)
        moved[:, 1] = self.y_px - self.unit_px * (xy_N2[:, 1] + 0.08 + self.lift * weight)
        return moved


def torso_outline(identity: Identity) -> Points:
    """The outline of the shoulders, closed."""
    wide, neck = identity.body_width, identity.neck_width
    half = points(
        (0.0, -1.3),
        (neck * 0.95, -1.27),
        (neck + 0.28, -1.42),
        (1.05 * wide, -1.58),
        (1.36 * wide, -1.84),
        (1.48 * wide, -2.4),
        (1.5 * wide, -3.0),
        (0.0, -3.0),
    )
    return curve(mirrored(half), 56, is_closed=True)


def neck_ends(identity: Identity, pose: BodyPose) -> tuple[Points, Points]:
    """Where the neck meets the shoulders: the picture's left and right end, in pixels."""
    ends = pose.pixels(points((-identity.neck_width - 0.06, -1.36), (identity.neck_width + 0.06, -1.36)))
    return ends[0], ends[1]


def draw_torso(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    """Shoulders in their clothes, with soft shading; the collar comes later, over the neck."""
    cloth = identity.cloth
    outline = torso_outline(identity)
    canvas.fill(pose.pixels(outline), shade(cloth, 0.16))
    for step, inset in ((0.33, 0.95), (0.67, 0.9), (1.0, 0.85)):
        lit = (outline - points((-0.1, -2.4))) * np.float32(inset) + points((-0.1, -2.44))
        canvas.fill(pose.pixels(lit), shade(cloth, 0.16 * (1.0 - step)))


def draw_collar(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    """Neckline and collar over the neck."""
    draw = {
        "crew": _crew,
        "v_neck": _v_neck,
        "hoodie": _hoodie,
        "shirt": _shirt,
        "turtleneck": _turtleneck,
        "jacket": _jacket,
    }[identity.clothes]
    draw(canvas, identity, pose)


def second_colour(identity: Identity) -> Colour:
    """The accent, as long as it shows on the cloth."""
    return identity.accent if contrast(identity.accent, identity.cloth) > 0.15 else WHITE


def _crew(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    neck = identity.neck_width
    skin = curve(
        points((-neck - 0.08, -1.3), (-neck * 0.6, -1.52), (0.0, -1.6), (neck * 0.6, -1.52), (neck + 0.08, -1.3)), 20
    )
    canvas.fill(pose.pixels(skin), shade(identity.skin, 0.13))
    canvas.fill(pose.pixels(stroke(skin, 0.09, 1.0)), second_colour(identity))


def _v_neck(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    neck = identity.neck_width
    skin = points((-neck - 0.1, -1.3), (0.0, -1.95), (neck + 0.1, -1.3))
    canvas.fill(pose.pixels(skin), shade(identity.skin, 0.1))
    for side in (-1.0, 1.0):
        band = points((neck + 0.08, -1.26), (neck + 0.2, -1.34), (0.0, -2.1), (0.0, -1.92)) * points((side, 1.0))
        canvas.fill(pose.pixels(band), second_colour(identity))


def _hoodie(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    neck = identity.neck_width
    skin = points((-neck - 0.06, -1.3), (0.0, -1.66), (neck + 0.06, -1.3))
    canvas.fill(pose.pixels(skin), shade(identity.skin, 0.13))
    for side in (-1.0, 1.0):
        hood = points(
            (neck - 0.02, -1.18),
            (neck + 0.34, -1.22),
            (neck + 0.42, -1.46),
            (0.12, -1.86),
            (0.0, -1.74),
            (neck - 0.08, -1.44),
        )
        canvas.fill(pose.pixels(curve(hood, 30, is_closed=True) * points((side, 1.0))), light(identity.cloth, 0.16))
        cord = points((0.16, -1.76), (0.18, -2.0), (0.16, -2.3)) * points((side, 1.0))
        canvas.fill(pose.pixels(stroke(cord, 0.06, 0.9)), second_colour(identity))


def _shirt(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    neck = identity.neck_width
    skin = points((-neck - 0.06, -1.3), (0.0, -1.72), (neck + 0.06, -1.3))
    canvas.fill(pose.pixels(skin), shade(identity.skin, 0.13))
    canvas.fill(
        pose.pixels(points((-0.035, -1.7), (0.035, -1.7), (0.045, -3.0), (-0.045, -3.0))), shade(identity.cloth, 0.28)
    )
    for side in (-1.0, 1.0):
        leaf = points((neck - 0.02, -1.16), (neck + 0.2, -1.3), (0.3, -1.78), (0.0, -1.7), (0.04, -1.62)) * points(
            (side, 1.0)
        )
        canvas.fill(pose.pixels(leaf), second_colour(identity))


def _turtleneck(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    neck = identity.neck_width
    tube = points(
        (-neck - 0.07, -1.12),
        (0.0, -1.2),
        (neck + 0.07, -1.12),
        (neck + 0.14, -1.44),
        (0.0, -1.58),
        (-neck - 0.14, -1.44),
    )
    canvas.fill(pose.pixels(curve(tube, 36, is_closed=True)), light(identity.cloth, 0.12))
    fold = curve(points((-neck - 0.12, -1.42), (0.0, -1.56), (neck + 0.12, -1.42)), 14)
    canvas.fill(pose.pixels(stroke(fold, 0.05)), shade(identity.cloth, 0.22))


def _jacket(canvas: Canvas, identity: Identity, pose: BodyPose) -> None:
    neck = identity.neck_width
    inside = points((-neck - 0.1, -1.3), (-0.42, -3.0), (0.42, -3.0), (neck + 0.1, -1.3))
    canvas.fill(pose.pixels(inside), second_colour(identity))
    skin = curve(
        points((-neck - 0.02, -1.3), (-neck * 0.6, -1.5), (0.0, -1.56), (neck * 0.6, -1.5), (neck + 0.02, -1.3)), 20
    )
    canvas.fill(pose.pixels(skin), shade(identity.skin, 0.13))
    for side in (-1.0, 1.0):
        lapel = points(
            (neck, -1.22),
            (neck + 0.24, -1.3),
            (neck + 0.3, -1.75),
            (neck + 0.16, -1.85),
            (0.34, -2.7),
            (0.26, -2.2),
            (neck + 0.02, -1.6),
        ) * points((side, 1.0))
        canvas.fill(pose.pixels(lapel), shade(identity.cloth, 0.14))
