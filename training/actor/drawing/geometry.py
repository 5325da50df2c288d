"""The 2.5D geometry: curves, strokes, and the turn of the head.

Head units: the skull's half height is 1, x to the picture's right, y up, z to the viewer. Called by every part of the
drawing; knows nothing of colours or of what the shapes mean.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import cos, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

DEPTH: Final = 0.72  # the face's bulge towards the viewer
SURFACE_HEIGHT: Final = 1.3  # half height of the ellipsoid that carries the features
PIVOT_Y: Final = -1.15  # the neck joint, about which the head rolls


def points(*places: tuple[float, ...]) -> Points:
    """Literal points as an array [N, 2], or [N, 3] where the depth is given too."""
    return np.array(places, dtype=np.float32)


def joined_columns(x_N: Points, y_N: Points) -> Points:
    """Points from their two coordinates, [N, 2]."""
    xy_N2 = np.empty((len(x_N), 2), dtype=np.float32)
    xy_N2[:, 0], xy_N2[:, 1] = x_N, y_N
    return xy_N2


def with_depth(xy_N2: Points, depth: float | Points) -> Points:
    """Points of the silhouette with their depth, [N, 3]."""
    xyz_N3 = np.empty((len(xy_N2), 3), dtype=np.float32)
    xyz_N3[:, :2], xyz_N3[:, 2] = xy_N2, depth
    return xyz_N3


def mirrored(half_N2: Points) -> Points:
    """A right half from top to bottom, closed by its mirror image; the first and last point lie on the axis."""
    left = half_N2[-2:0:-1] * np.array((-1.0, 1.0), dtype=np.float32)
    return np.concatenate((half_N2, left))


@lru_cache(maxsize=256)
def _spline_basis(num_controls: int, num_points: int, is_closed: bool) -> Points:
    """Catmull-Rom weights [num_points, num_controls]: sampled curve = basis @ controls."""
    num_spans = num_controls if is_closed else num_controls - 1
    where = np.linspace(0.0, num_spans, num_points, endpoint=not is_closed)
    span = np.minimum(where.astype(int), num_spans - 1)
    t = where - span
    weights = (
        0.5 * (-(t**3) + 2 * t**2 - t),
        0.5 * (3 * t**3 - 5 * t**2 + 2),
        0.5 * (-3 * t**3 + 4 * t**2 + t),
        0.5 * (t**3 - t**2),
    )
    basis = np.zeros((num_points, num_controls), dtype=np.float32)
    rows = np.arange(num_points)
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        columns = span + offset
        columns = columns % num_controls if is_closed else np.clip(columns, 0, num_controls - 1)
        np.add.at(basis, (rows, columns), weight)
    return basis


def curve(controls_M2: Points, num_points: int, is_closed: bool = False) -> Points:
    """A smooth curve through the control points."""
    return _spline_basis(len(controls_M2), num_points, is_closed) @ controls_M2


@lru_cache(maxsize=64)
def circle(num_points: int) -> Points:
    """The unit circle; do not write into it."""
    angles = np.linspace(0.0, 2 * np.pi, num_points, endpoint=False)
    return np.stack((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def ellipse(x: float, y: float, radius_x: float, radius_y: float, num_points: int = 24) -> Points:
    """An ellipse as a polygon."""
    scale = np.array((radius_x, radius_y), dtype=np.float32)
    return circle(num_points) * scale + np.array((x, y), dtype=np.float32)


@lru_cache(maxsize=64)
def _taper(num_points: int, end_share: float) -> Points:
    """Width along a stroke, 1 in the middle and rounded off to `end_share` at both ends."""
    t = np.linspace(-1.0, 1.0, num_points)
    return (end_share + (1.0 - end_share) * np.sqrt(np.clip(1.0 - t**4, 0.0, 1.0))).astype(np.float32)


def stroke(line_N2: Points, width: float | Points, end_share: float = 0.25) -> Points:
    """A line with a width, as a polygon [2N, 2] with softened ends, so that widths may change without steps."""
    along = np.empty_like(line_N2)
    along[1:-1] = line_N2[2:] - line_N2[:-2]
    along[0], along[-1] = line_N2[1] - line_N2[0], line_N2[-1] - line_N2[-2]
    length = np.sqrt(along[:, 0] ** 2 + along[:, 1] ** 2) + 1e-6
    half = (0.5 * width * _taper(len(line_N2), end_share) / length)[:, None]
    normal = np.stack((-along[:, 1], along[:, 0]), axis=1) * half
    return np.asarray(np.concatenate((line_N2 + normal, (line_N2 - normal)[::-1])), dtype=np.float32)


def surface_depth(xy_N2: Points, half_width: float) -> Points:
    """z of points on the face's ellipsoid."""
    inside = 1.0 - (xy_N2[:, 0] / half_width) ** 2 - (xy_N2[:, 1] / SURFACE_HEIGHT) ** 2
    return np.asarray(DEPTH * np.sqrt(np.maximum(inside, 0.02)), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadPose:
    """Where the head is and how it is turned, for one picture of a given size."""

    centre_x_px: float
    centre_y_px: float
    unit_px: float
    yaw: float
    pitch: float
    roll: float
    half_width: float  # of the face, in head units

    def on_face(self, xy_N2: Points, lift: float | Points = 0.0) -> Points:
        """Pixels of points that lie on the face, `lift` above its surface."""
        depth = surface_depth(xy_N2, self.half_width) + lift
        return self._turned(xy_N2, depth, is_outline=False)

    def on_outline(self, xy_N2: Points, depth_N: Points) -> Points:
        """Pixels of points of the silhouette: they keep their width when the head turns, and depth carries them along."""
        return self._turned(xy_N2, depth_N, is_outline=True)

    def _turned(self, xy_N2: Points, depth_N: Points, is_outline: bool) -> Points:
        x, y = xy_N2[:, 0], xy_N2[:, 1]
        sin_yaw, cos_yaw, sin_pitch = sin(self.yaw), cos(self.yaw), sin(self.pitch)
        if is_outline:
            turned_x = x + depth_N * sin_yaw
            turned_y = y + depth_N * sin_pitch
        else:
            turned_x = x * cos_yaw + depth_N * sin_yaw
            turned_y = y * cos(self.pitch) + (depth_N * cos_yaw - x * sin_yaw) * sin_pitch
        sin_roll, cos_roll = sin(self.roll), cos(self.roll)
        above = turned_y - PIVOT_Y
        pixels = np.empty((len(x), 2), dtype=np.float32)
        pixels[:, 0] = self.centre_x_px + self.unit_px * (turned_x * cos_roll + above * sin_roll)
        pixels[:, 1] = self.centre_y_px - self.unit_px * (above * cos_roll - turned_x * sin_roll + PIVOT_Y)
        return pixels
