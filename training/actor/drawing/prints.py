"""The prints on the back of the clothes, which only a rear view shows.

Called by `training.actor.drawing.rear`.
"""

import numpy as np

from training.actor.drawing.geometry import Points, circle, curve, points

_STAR_POINTS = 5


def print_shapes(name: str) -> list[Points]:
    """The polygons of a print, about 1 in radius around the origin."""
    if name == "star":
        angles = np.pi / 2 + np.arange(2 * _STAR_POINTS) * np.pi / _STAR_POINTS
        radii = np.where(np.arange(2 * _STAR_POINTS) % 2 == 0, 1.0, 0.46)
        return [np.column_stack((np.cos(angles) * radii, np.sin(angles) * radii)).astype(np.float32)]
    if name == "heart":
        half = points((0.0, 0.45), (0.42, 0.85), (0.92, 0.6), (0.9, 0.05), (0.45, -0.5), (0.0, -0.9))
        left = half[-2:0:-1] * points((-1.0, 1.0))
        return [np.concatenate((curve(half, 24), curve(np.concatenate((half[-1:], left, half[:1])), 24)))]
    if name == "stripes":
        return [points((-1.0, y), (1.0, y), (1.0, y - 0.4), (-1.0, y - 0.4)) for y in (0.9, 0.2, -0.5)]
    if name == "bolt":
        return [
            points((0.2, 1.0), (-0.65, -0.15), (-0.08, -0.15), (-0.3, -1.0), (0.65, 0.25), (0.08, 0.25), (0.55, 1.0))
        ]
    return [circle(32) * np.float32(0.9)]
