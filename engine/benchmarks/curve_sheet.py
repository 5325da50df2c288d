"""Curves of a long session as one small picture: time a chunk, memory, identity and face colour over its minutes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.benchmarks.drift import MOST_FACE_DE00
from engine.media.whole_files import whole_file

_PANEL_PX: Final = (360, 200)
_MARGIN_PX: Final = 28
_INK, _PAPER, _GRID = (60, 60, 60), (252, 252, 252), (225, 225, 225)
_LINE, _BOUND = (180, 90, 30), (60, 60, 200)


def write_curves(path: Path, length: Mapping[str, Any]) -> None:
    """JPEG from the figures of one length of film, whole or not at all."""
    minutes, drift = float(length["minutes"]), length["drift"]
    panels = [
        _panel("computing a chunk, ms", length["curve"]["chunk_cpu_ms"], minutes),
        _panel("resident memory, MB", length["curve"]["memory_mb"], minutes),
    ]
    if "curve" in drift:
        bounds = drift["bounds"]
        own = drift["curve"]["identity_distance"]
        panels += [
            _panel("identity distance", own, minutes, own[0] + bounds["identity_change"]),
            _panel("face colour, dE00 from minute 1", drift["curve"]["face_de00"], minutes, MOST_FACE_DE00),
        ]
    rows = [np.concatenate(panels[start : start + 2], axis=1) for start in range(0, len(panels), 2)]
    done, content = cv2.imencode(".jpg", np.concatenate(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done, "OpenCV always has a JPEG encoder"
    with whole_file(path) as temporary:
        temporary.write_bytes(content.tobytes())


def _panel(title: str, values: Sequence[float], minutes: float, bound: float | None = None) -> NDArray[np.uint8]:
    """One curve from 0 up, with its bound where it has one."""
    width, height = _PANEL_PX
    canvas = np.full((height, width, 3), _PAPER, np.uint8)
    top = 1.15 * max(*values, bound or 0.0, 1e-9)
    bottom_px, span_px = height - _MARGIN_PX, height - 2 * _MARGIN_PX
    right_px = width - 12

    def row(value: float) -> int:
        return round(bottom_px - value / top * span_px)

    for share in (0.0, 0.5, 1.0):
        cv2.line(canvas, (_MARGIN_PX, row(share * top)), (right_px, row(share * top)), _GRID, 1)
    if bound is not None:
        cv2.line(canvas, (_MARGIN_PX, row(bound)), (right_px, row(bound)), _BOUND, 1, cv2.LINE_AA)
    columns = np.linspace(_MARGIN_PX, right_px, len(values)).round().astype(int)
    points = np.array([[x, row(value)] for x, value in zip(columns, values, strict=True)], np.int32)
    cv2.polylines(canvas, [points], isClosed=False, color=_LINE, thickness=1, lineType=cv2.LINE_AA)
    _write(canvas, title, (_MARGIN_PX, 18))
    _write(canvas, f"{values[0]:.4g} .. {values[-1]:.4g}, at most {max(values):.4g}", (_MARGIN_PX, height - 8))
    _write(canvas, f"{minutes:g} min", (right_px - 44, 18))
    return canvas


def _write(canvas: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
