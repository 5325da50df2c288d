"""The grid behind the tracks: frames, chunks and the end of the timeline. Drawn by every track in the same place."""

from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter

from studio.project.timecode import CHUNK_FRAMES
from studio.theme.colors import Colors
from studio.views.direct.time_scale import TimeScale

MIN_LINE_GAP_PX: Final = 8.0
HINT_LEFT_PX: Final = 20
_HINT_PX: Final = 12
_HINT_GROUND_PX: Final = 6


def marks(scale: TimeScale, every_frames: int) -> Iterator[int]:
    """The visible frames of a grid with this spacing."""
    first = int(max(scale.frame_at(0), 0)) // every_frames * every_frames
    last = int(min(scale.frame_at(scale.width_px), scale.num_frames))
    yield from range(first, last + 1, every_frames)


def chunk_spacing(scale: TimeScale, min_gap_px: float = MIN_LINE_GAP_PX) -> int:
    """The spacing of the chunk grid in frames: one chunk, or more where the lines would run into each other."""
    spacing = CHUNK_FRAMES
    for factor in (5, 2, 3, 2, 5, 2, 3, 2, 2, 2, 2):  # 5 s, 10 s, 30 s, 1 min, 5 min, 10 min ...
        if spacing * scale.px_per_frame >= min_gap_px:
            break
        spacing *= factor
    return spacing


def draw_grid(painter: QPainter, area: QRectF, scale: TimeScale, colors: Colors) -> None:
    """Fill `area` with the ground and draw the grid over it."""
    painter.fillRect(area, QColor(colors.field))
    top, height = area.top(), area.height()
    if scale.px_per_frame >= MIN_LINE_GAP_PX:
        for frame in marks(scale, 1):
            painter.fillRect(QRectF(round(scale.x_of(frame)), top, 1, height), QColor(colors.grid))
    for frame in marks(scale, chunk_spacing(scale)):
        painter.fillRect(QRectF(round(scale.x_of(frame)), top, 1, height), QColor(colors.grid_strong))
    painter.fillRect(QRectF(area.left(), area.bottom() - 1, area.width(), 1), QColor(colors.border))
    end_x = scale.x_of(scale.num_frames)
    if end_x < area.right():
        painter.fillRect(QRectF(end_x, top, area.right() - end_x, height), QColor(colors.panel))


def hint_font(font: QFont) -> QFont:
    """The letters of the words in an empty track."""
    made = QFont(font)
    made.setPixelSize(_HINT_PX)
    return made


def hint_width(text: str, font: QFont) -> float:
    """How wide the words in an empty track are."""
    return QFontMetricsF(hint_font(font)).horizontalAdvance(text)


def draw_hint(painter: QPainter, area: QRectF, text: str, colors: Colors) -> None:
    """Say what to do in an empty track, on a ground of its own: no line of the grid runs through the words."""
    painter.setFont(hint_font(painter.font()))
    metrics = QFontMetricsF(painter.font())
    room = area.adjusted(HINT_LEFT_PX, 0, -HINT_LEFT_PX, 0)
    words = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width())
    ground = QRectF(
        room.left(), room.center().y() - metrics.height() / 2, metrics.horizontalAdvance(words), metrics.height()
    )
    margin = _HINT_GROUND_PX
    painter.fillRect(ground.adjusted(-margin, -margin, margin, margin), QColor(colors.field))
    painter.setPen(QColor(colors.text_soft))
    painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
