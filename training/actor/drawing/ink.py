"""Pen and ink for one head: shapes in head units, put on the canvas through the head's pose.

Called by the parts of the drawing. Knows nothing of what the shapes are.
"""

import numpy as np

from training.actor.drawing.canvas import Canvas
from training.actor.drawing.geometry import HeadPose, Points, points
from training.actor.drawing.palette import Colour


class Ink:
    """Draws for one pose on one canvas, in the order of the calls."""

    def __init__(self, canvas: Canvas, pose: HeadPose) -> None:
        self.canvas = canvas
        self.pose = pose

    def face(self, polygon_N2: Points, colour: Colour, lift: float = 0.0) -> None:
        """A shape on the face, `lift` above its surface."""
        self.canvas.fill(self.pose.on_face(polygon_N2, lift), colour)

    def outline(self, polygon_N2: Points, colour: Colour, depth: float | Points = 0.0) -> None:
        """A shape in the plane of the silhouette, carried along by its depth when the head turns."""
        depths = np.broadcast_to(np.float32(depth), (len(polygon_N2),))
        self.canvas.fill(self.pose.on_outline(np.column_stack((polygon_N2, depths))), colour)

    def spot(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """A soft spot on the face."""
        centre = self.pose.on_face(points((x, y)))[0]
        self.canvas.spot(float(centre[0]), float(centre[1]), radius * self.pose.unit_px, colour, strength)
