"""Where head and torso stand in the picture: from the acting to poses in pixels.

Called by `training.actor.draw` and `training.actor.keypoints`, so that both agree to a hair.
"""

from typing import Final

from training.actor.drawing.expression import Controls
from training.actor.drawing.geometry import HeadPose
from training.actor.drawing.torso import BodyPose
from training.actor.identity import Identity

_TALL_HAIR: Final = {"bun": 0.03, "quiff": 0.015, "curly": 0.015}  # moved down a little, to stay in the picture


def head_unit(identity: Identity) -> float:
    """Half the skull's height as a share of the picture."""
    return 0.5 * identity.head_height


def head_pose(identity: Identity, controls: Controls, size_px: float) -> HeadPose:
    """The head's pose in a picture of this size."""
    unit = head_unit(identity)
    grown = unit * (1.0 + 0.06 * controls.lean)
    x = 0.5 + 0.04 * controls.sway + 0.22 * unit * controls.yaw
    y = _rest_y(identity) - 0.008 * controls.breath + 0.03 * unit * controls.lean - 0.1 * unit * controls.pitch
    return HeadPose(
        centre_x_px=x * size_px,
        centre_y_px=y * size_px,
        unit_px=grown * size_px,
        yaw=controls.yaw,
        pitch=controls.pitch,
        roll=controls.roll,
        half_width=identity.head_width,
    )


def body_pose(identity: Identity, controls: Controls, size_px: float) -> BodyPose:
    """The torso's pose in a picture of this size."""
    unit = head_unit(identity)
    return BodyPose(
        x_px=(0.5 + 0.035 * controls.sway) * size_px,
        y_px=_rest_y(identity) * size_px,
        unit_px=unit * (1.0 + 0.03 * controls.lean) * size_px,
        lift=0.05 * controls.breath + 0.14 * controls.shoulders,
        turn=0.1 * controls.yaw,
    )


def _rest_y(identity: Identity) -> float:
    return 0.49 - 0.3 * (head_unit(identity) - 0.30) + _TALL_HAIR.get(identity.hair_style, 0.0)
