"""Metrics of a run: one JSON line a record, and a picture of every curve so that a run can be judged at a glance."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

PANEL_PX = (360, 220)
UNDRAWN = frozenset({"step", "eta_s", "step_s"})
INK, PAPER, GRID, LINE = (60, 60, 60), (252, 252, 252), (225, 225, 225), (180, 90, 30)


class Metrics:
    """An append-only log of records, each with a `step`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: dict[str, Any]) -> None:
        """Adds one record; the file is opened and closed, so a kill loses at most this line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def forget_after(self, step: int) -> None:
        """Drops what was recorded after `step`, and a line that a kill cut off: a resumed run records those steps again."""
        if not self.path.exists():
            return
        kept = [record for record in self._records() if record["step"] <= step]
        partial = self.path.with_suffix(".partial")
        partial.write_text("".join(json.dumps(record) + "\n" for record in kept))
        partial.replace(self.path)

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Every metric as (step, value) pairs."""
        curves: dict[str, list[tuple[int, float]]] = {}
        for record in self._records():
            for name, value in record.items():
                if name not in UNDRAWN and isinstance(value, int | float):
                    curves.setdefault(name, []).append((record["step"], float(value)))
        return curves

    def _records(self) -> Iterator[dict[str, Any]]:
        for line in self.path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue

    def draw_curves(self, path: Path) -> None:
        """All curves as small multiples in one PNG."""
        panels = [draw_panel(name, points) for name, points in sorted(self.curves().items()) if len(points) > 1]
        if not panels:
            return
        num_columns = min(4, len(panels))
        blank = np.full_like(panels[0], PAPER[0])
        panels += [blank] * (-len(panels) % num_columns)
        rows = [np.hstack(panels[i : i + num_columns]) for i in range(0, len(panels), num_columns)]
        cv2.imwrite(str(path), np.vstack(rows))


def draw_panel(name: str, points: list[tuple[int, float]]) -> NDArray[np.uint8]:
    """One curve with its name, its range and its last value."""
    width, height = PANEL_PX
    panel = np.full((height, width, 3), PAPER, np.uint8)
    steps, values = np.array(points, dtype=np.float64).T
    low, high = float(np.min(values)), float(np.max(values))
    left, right, top, bottom = 12, width - 12, 44, height - 22
    for fraction in (0.0, 0.5, 1.0):
        y = int(top + fraction * (bottom - top))
        cv2.line(panel, (left, y), (right, y), GRID, 1)
    x = left + (steps - steps[0]) / max(1.0, steps[-1] - steps[0]) * (right - left)
    y = bottom - (values - low) / max(1e-12, high - low) * (bottom - top)
    cv2.polylines(panel, [np.stack([x, y], axis=1).round().astype(np.int32)], False, LINE, 1, cv2.LINE_AA)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(panel, f"{name}  {values[-1]:.4g}", (left, 18), font, 0.45, INK, 1, cv2.LINE_AA)
    cv2.putText(panel, f"{low:.4g} .. {high:.4g}", (left, 36), font, 0.35, INK, 1, cv2.LINE_AA)
    cv2.putText(panel, f"step {int(steps[-1])}", (left, height - 6), font, 0.35, INK, 1, cv2.LINE_AA)
    return panel
