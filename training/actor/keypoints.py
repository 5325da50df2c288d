"""Exact places of the drawn features: what no recorded footage can give.

Called by clip writing (ground truth), by training (loss weights on mouth and eyes) and by the benchmark. It uses the same
shapes and poses as the drawing and draws nothing itself.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.drawing.expression import Controls, controls_of
from training.actor.drawing.eyes import brow_line, eye_shape
from training.actor.drawing.geometry import HeadPose, points
from training.actor.drawing.head import outline_now
from training.actor.drawing.mouth import mouth_shape
from training.actor.drawing.staging import head_pose
from training.actor.identity import Identity

KEYPOINT_NAMES: Final = (
    "mouth_left",
    "mouth_right",
    "mouth_centre",
    "lip_upper",
    "lip_lower",
    "eye_left",
    "eye_right",
    "brow_left",
    "brow_right",
    "chin",
    "nose",
    "head_centre",
)
Box = tuple[float, float, float, float]
_MOUTH_LIFT: Final = 0.05
_NOSE_TIP: Final = points((0.0, -0.21))


def keypoints(identity: Identity, state_K: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features in the order of `KEYPOINT_NAMES`, float32 [12, 2] (x, y) in 0..1 of the picture; left is the picture's left.

    The lips are their inner edges, the eyes are the irises' middles, the brows their middles.
    """
    controls = controls_of(state_K)
    pose = head_pose(identity, controls, 1.0)
    mouth = mouth_shape(identity, controls)
    middle = len(mouth.inner_upper) // 2
    upper, lower = mouth.inner_upper[middle], mouth.inner_lower[middle]
    lips = pose.on_face(
        np.stack((mouth.inner_upper[0], mouth.inner_upper[-1], 0.5 * (upper + lower), upper, lower)), _MOUTH_LIFT
    )
    eyes = [eye_shape(identity, controls, side) for side in (-1.0, 1.0)]
    irises = pose.on_face(points(*((eye.iris_x, eye.iris_y) for eye in eyes)))
    brows = [brow_line(identity, controls, side) for side in (-1.0, 1.0)]
    brow_middles = pose.on_face(np.stack([line[len(line) // 2] for line in brows]), 0.03)
    outline = outline_now(identity, controls)
    lowest = outline[np.argmin(outline[:, 1])][None]
    chin = pose.on_outline(lowest[:, :2], lowest[:, 2])
    nose = pose.on_face(_NOSE_TIP, 0.24)
    centre = pose.on_outline(points((0.0, 0.0)), points((0.0,))[0])
    return np.concatenate((lips, irises, brow_middles, chin, nose, centre)).astype(np.float32)


def mouth_box(identity: Identity, state_K: NDArray[np.float32]) -> Box:
    """The mouth with a small margin: left, top, right, bottom in 0..1 of the picture."""
    controls = controls_of(state_K)
    shape = mouth_shape(identity, controls)
    lips = np.concatenate((shape.outer_upper, shape.outer_lower))
    return _box_around(identity, controls, lips, _MOUTH_LIFT)


def eye_box(identity: Identity, state_K: NDArray[np.float32]) -> Box:
    """Both eyes and brows with a small margin: left, top, right, bottom in 0..1 of the picture."""
    controls = controls_of(state_K)
    parts = []
    for side in (-1.0, 1.0):
        eye = eye_shape(identity, controls, side)
        parts += [eye.lid_socket, eye.lid_lower, brow_line(identity, controls, side)]
    return _box_around(identity, controls, np.concatenate(parts), 0.0)


def _box_around(identity: Identity, controls: Controls, xy_N2: NDArray[np.float32], lift: float) -> Box:
    pose: HeadPose = head_pose(identity, controls, 1.0)
    placed = pose.on_face(xy_N2, lift)
    margin = 0.06 * pose.unit_px
    left, top = np.clip(placed.min(axis=0) - margin, 0.0, 1.0)
    right, bottom = np.clip(placed.max(axis=0) + margin, 0.0, 1.0)
    return float(left), float(top), float(right), float(bottom)
