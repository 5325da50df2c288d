"""Pen and ink for one head: shapes in head units, put on the canvas through the head's pose.

Shapes are collected and turned together when `flush` is called, since turning many points at once costs little more than
turning a few. Called by the parts of the drawing. Knows nothing of what the shapes are.
"""

from dataclasses import dataclass

import numpy as np

from training.actor.drawing.canvas import Canvas, to_fixed
from training.actor.drawing.geometry import HeadPose, Points, points, with_depth
from training.actor.drawing.palette import Colour


class _Heap:
    """Points waiting to be turned together."""

    def __init__(self) -> None:
        self._runs: list[Points] = []
        self._num_points = 0

    def add(self, xyz_N3: Points) -> tuple[int, int]:
        """Append a run of points; where it starts and stops."""
        start = self._num_points
        self._runs.append(xyz_N3)
        self._num_points += len(xyz_N3)
        return start, self._num_points

    def columns(self) -> tuple[Points, Points]:
        """Places [N, 2] and depths [N] of all points."""
        together = np.concatenate(self._runs) if self._runs else np.empty((0, 3), dtype=np.float32)
        return together[:, :2], together[:, 2]


@dataclass(frozen=True, slots=True)
class _Part:
    """A run of points waiting in one of the two heaps."""

    is_on_face: bool
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Shape:
    """A polygon, or with a radius a soft spot, waiting to be drawn."""

    parts: tuple[_Part, ...]
    colour: Colour
    radius: float = 0.0
    strength: float = 1.0


class Ink:
    """Draws for one pose on one canvas, in the order of the calls; nothing is seen before `flush`."""

    def __init__(self, canvas: Canvas, pose: HeadPose) -> None:
        self.canvas = canvas
        self.pose = pose
        self._on_face, self._in_outline = _Heap(), _Heap()
        self._shapes: list[_Shape] = []

    def face(self, polygon_N2: Points, colour: Colour, lift: float | Points = 0.0) -> None:
        """A shape on the face, `lift` above its surface."""
        self._shapes.append(_Shape((self._wait(polygon_N2, lift, is_on_face=True),), colour))

    def outline(self, polygon_N2: Points, colour: Colour, depth: float | Points = 0.0) -> None:
        """A shape in the plane of the silhouette, carried along by its depth when the head turns."""
        self._shapes.append(_Shape((self._wait(polygon_N2, depth, is_on_face=False),), colour))

    def joined(self, outline_N3: Points, face_N2: Points, colour: Colour, lift: float = 0.0) -> None:
        """A shape that begins in the silhouette (with the depth of each point) and ends on the face."""
        first = self._wait(outline_N3[:, :2], outline_N3[:, 2], is_on_face=False)
        second = self._wait(face_N2, lift, is_on_face=True)
        self._shapes.append(_Shape((first, second), colour))

    def spot(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """A soft spot on the face."""
        part = self._wait(points((x, y)), 0.0, is_on_face=True)
        self._shapes.append(_Shape((part,), colour, radius, strength))

    def spot_on_outline(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """A soft spot in the plane of the silhouette."""
        part = self._wait(points((x, y)), 0.0, is_on_face=False)
        self._shapes.append(_Shape((part,), colour, radius, strength))

    def flush(self) -> None:
        """Draw what has been collected."""
        on_face = self.pose.on_face(*self._on_face.columns())
        in_outline = self.pose.on_outline(*self._in_outline.columns())
        fixed_on_face, fixed_in_outline = to_fixed(on_face), to_fixed(in_outline)
        for shape in self._shapes:
            if shape.radius > 0.0:
                part = shape.parts[0]
                x, y = (on_face if part.is_on_face else in_outline)[part.start].tolist()
                self.canvas.spot(x, y, shape.radius * self.pose.unit_px, shape.colour, shape.strength)
                continue
            runs = [
                (fixed_on_face if part.is_on_face else fixed_in_outline)[part.start : part.stop] for part in shape.parts
            ]
            self.canvas.fill_fixed(runs[0] if len(runs) == 1 else np.concatenate(runs), shape.colour)
        self._on_face, self._in_outline = _Heap(), _Heap()
        self._shapes = []

    def _wait(self, polygon_N2: Points, depth: float | Points, is_on_face: bool) -> _Part:
        heap = self._on_face if is_on_face else self._in_outline
        return _Part(is_on_face, *heap.add(with_depth(polygon_N2, depth)))
