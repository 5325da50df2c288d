"""The mouth: lips, teeth, tongue, and the dark inside, all as functions of the place along the lips.

Called by `training.actor.draw` and, for the places of the features, by `training.actor.keypoints`.
"""

from dataclasses import dataclass

import numpy as np

from training.actor.drawing.expression import Controls
from training.actor.drawing.geometry import Points, joined_columns, stroke
from training.actor.drawing.ink import Ink
from training.actor.drawing.palette import MOUTH_INSIDE, TONGUE, WHITE, blend, light, shade
from training.actor.identity import Identity

_ALONG = -np.cos(np.linspace(0.0, np.pi, 33)).astype(np.float32)  # denser at the corners, where the lips turn
_BULGE = np.clip(1.0 - _ALONG**2, 0.0, 1.0).astype(np.float32)
MOUTH_Y = -0.53


@dataclass(frozen=True, kw_only=True, slots=True)
class MouthShape:
    """The mouth's curves in head units, each [33, 2] from the picture's left corner to the right one."""

    outer_upper: Points
    inner_upper: Points
    inner_lower: Points
    outer_lower: Points
    opening: float


def mouth_shape(identity: Identity, controls: Controls) -> MouthShape:
    """Where the lips are in this frame."""
    half_width = 0.365 * identity.mouth_width * identity.head_width / 0.8 * controls.mouth_width
    side = np.where(_ALONG < 0.0, controls.corner_left, controls.corner_right)
    mean = 0.5 * (controls.corner_left + controls.corner_right)
    middle = MOUTH_Y + identity.manner.mouth_rise + side * np.abs(_ALONG) ** 1.7 - 0.4 * mean
    opening = controls.mouth_open
    upper_share = 0.3 - 0.16 * controls.smile
    inner_upper = middle + upper_share * opening * _BULGE**0.65
    inner_lower = middle - (1.0 - upper_share) * opening * _BULGE**0.5
    raised = controls.upper_raise * _BULGE**1.3
    inner_upper = inner_upper + raised
    full = identity.lip_fullness * (1.0 - 0.6 * controls.press) * (1.0 + 0.3 * controls.pout)
    full *= 1.0 - 0.18 * controls.smile
    bow = 1.0 - 0.28 * np.exp(-((_ALONG / 0.16) ** 2))
    outer_upper = inner_upper + 0.088 * full * bow * _BULGE**0.6
    outer_lower = inner_lower - 0.105 * full * _BULGE**0.7 - 0.05 * controls.pout * _BULGE
    x = half_width * _ALONG

    def line(y: Points) -> Points:
        return joined_columns(x, y)

    return MouthShape(
        outer_upper=line(outer_upper),
        inner_upper=line(inner_upper),
        inner_lower=line(inner_lower),
        outer_lower=line(outer_lower),
        opening=float(np.max(inner_upper - inner_lower)),
    )


def draw_mouth(ink: Ink, identity: Identity, controls: Controls) -> None:
    """The mouth of this frame."""
    shape = mouth_shape(identity, controls)
    lift = 0.05 + 0.05 * controls.mouth_round
    lip = identity.lip
    ink.face(np.concatenate((shape.outer_upper, shape.outer_lower[::-1])), lip, lift)
    ink.face(np.concatenate((shape.outer_upper, shape.inner_upper[::-1])), shade(lip, 0.14), lift)
    if shape.opening > 0.012:
        ink.face(np.concatenate((shape.inner_upper, shape.inner_lower[::-1])), MOUTH_INSIDE, lift)
        _draw_tongue(ink, shape, lift)
        _draw_teeth(ink, identity, controls, shape, lift)
    parting = blend(shade(lip, 0.55), MOUTH_INSIDE, 0.4)
    ink.face(stroke(shape.inner_upper, 0.042, 0.45), parting, lift)
    gloss = shape.outer_lower[11:22] * 0.55 + shape.inner_lower[11:22] * 0.45
    ink.face(stroke(gloss, 0.03 * identity.lip_fullness * (1.0 - 0.7 * controls.press), 0.1), light(lip, 0.3), lift)
    if identity.beard in ("full", "goatee"):
        return
    below = shape.outer_lower[10:23] - np.array((0.0, 0.06), dtype=np.float32)
    ink.face(stroke(below, 0.04, 0.1), shade(identity.skin, 0.13))


def _draw_tongue(ink: Ink, shape: MouthShape, lift: float) -> None:
    height = 0.42 * max(0.0, shape.opening - 0.06)
    profile = height * np.clip(1.0 - (_ALONG / 0.72) ** 2, 0.0, 1.0) ** 0.5
    top = np.minimum(shape.inner_lower[:, 1] + profile, shape.inner_upper[:, 1])
    tongue = joined_columns(shape.inner_lower[:, 0], top)
    ink.face(np.concatenate((tongue, shape.inner_lower[::-1])), TONGUE, lift)


def _draw_teeth(ink: Ink, identity: Identity, controls: Controls, shape: MouthShape, lift: float) -> None:
    """Upper teeth, hanging from the upper lip, cut off by the lower one; a gap and scallops as this identity has them."""
    span = 0.86
    bared = max(controls.teeth, 0.9 * controls.smile, min(1.0, controls.upper_raise * 8.0))
    length = (0.105 + 0.06 * bared) * identity.tooth_length * (1.0 - 0.55 * controls.mouth_round)
    profile = np.clip(1.0 - (np.abs(_ALONG) / span) ** 4, 0.0, 1.0) ** 0.5
    scallop = 1.0 - 0.22 * identity.tooth_scallop * (0.5 + 0.5 * np.cos(_ALONG * np.pi * 6.0))
    edge = shape.inner_upper[:, 1] - length * profile * scallop
    edge = np.maximum(edge, shape.inner_lower[:, 1])
    teeth = joined_columns(shape.inner_upper[:, 0], edge)
    inside = np.abs(_ALONG) <= span
    ink.face(np.concatenate((shape.inner_upper[inside], teeth[inside][::-1])), WHITE, lift)
    if identity.tooth_gap > 0.0:
        middle = len(_ALONG) // 2
        top, bottom = shape.inner_upper[middle], teeth[middle]
        half = np.array((0.026 * identity.tooth_gap, 0.0), dtype=np.float32)
        ink.face(np.stack((top - half, top + half, bottom + half, bottom - half)), MOUTH_INSIDE, lift)
