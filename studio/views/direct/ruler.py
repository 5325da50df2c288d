"""The time ruler: time, frames, the stretch between in and out, and the handle of the playhead."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QWidget

from studio.project.timecode import CHUNK_FRAMES, FRAME_RATE_HZ, clock_text, format_timecode
from studio.views.direct.context import TimelineContext
from studio.views.direct.grid import chunk_spacing, marks
from studio.views.direct.time_scale import TimeScale

RULER_HEIGHT_PX = 32
LABEL_GAP_PX = 56.0
TIMECODE_GAP_PX = 88.0
_HANDLE_TOP_PX = 16  # the labels are above the handle


class Ruler(QWidget):
    """Shows the time and scrubs where it is pressed."""

    def __init__(self, context: TimelineContext, parent: QWidget | None = None) -> None:
        """Follow scale, playhead and document."""
        super().__init__(parent)
        self._context = context
        self.setFixedHeight(RULER_HEIGHT_PX)
        self.setAccessibleName(self.tr("Time ruler"))
        self.setToolTip(self.tr("Drag to scrub"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        context.scale.changed.connect(self.update)
        context.player.frame_changed.connect(self.update)
        context.session.project_changed.connect(self.update)
        context.look.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """One line of text and its ticks."""
        return QSize(400, RULER_HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw ticks, labels, the range and the playhead's handle."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = self._context.look.colors
        painter.fillRect(self.rect(), QColor(colors.panel))
        self._draw_range(painter)
        self._draw_ticks(painter)
        painter.fillRect(QRectF(0, self.height() - 1, self.width(), 1), QColor(colors.border))
        self._draw_handle(painter)

    def _draw_range(self, painter: QPainter) -> None:
        scale, colors = self._context.scale, self._context.look.colors
        timeline = self._context.session.project.timeline
        if timeline.in_frame is None and timeline.out_frame is None:
            return
        left = scale.x_of(timeline.in_frame or 0)
        right = scale.x_of(timeline.out_frame or timeline.num_frames)
        tint = QColor(colors.accent)
        tint.setAlpha(40)
        painter.fillRect(QRectF(left, 0, right - left, self.height()), tint)
        for x_px in (left, right - 2):
            painter.fillRect(QRectF(x_px, 0, 2, self.height()), QColor(colors.accent))

    def _draw_ticks(self, painter: QPainter) -> None:
        scale, colors = self._context.scale, self._context.look.colors
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        bottom = self.height() - 1
        if scale.px_per_frame * 4 >= 6:
            for frame in marks(scale, 1 if scale.px_per_frame >= 6 else 4):
                length = 6 if frame % (FRAME_RATE_HZ // 2) == 0 else 3
                painter.fillRect(
                    QRectF(round(scale.x_of(frame)), bottom - length, 1, length), QColor(colors.grid_strong)
                )
        for frame in marks(scale, chunk_spacing(scale)):
            painter.fillRect(QRectF(round(scale.x_of(frame)), bottom - 8, 1, 8), QColor(colors.text_faint))
        painter.setPen(QColor(colors.text_soft))
        spacing = label_spacing(scale)
        for frame in marks(scale, spacing):
            area = QRectF(scale.x_of(frame) + 5, 0, TIMECODE_GAP_PX * 2, _HANDLE_TOP_PX)
            text = label(frame, spacing)
            if area.left() + painter.fontMetrics().horizontalAdvance(text) <= self.width():
                painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _draw_handle(self, painter: QPainter) -> None:
        x_px = round(self._context.scale.x_of(self._context.player.frame)) + 0.5
        bottom = self.height()
        shape = [(-6, _HANDLE_TOP_PX), (6, _HANDLE_TOP_PX), (6, 23), (0, 30), (-6, 23)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._context.look.colors.playhead))
        painter.drawPolygon(QPolygonF([QPointF(x_px + dx, dy) for dx, dy in shape]))
        painter.drawRect(QRectF(x_px - 0.5, 22, 1, bottom - 22))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Scrub to the pressed frame."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._scrub(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub along."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._scrub(event.position().x())

    def _scrub(self, x_px: float) -> None:
        self._context.player.seek(int(self._context.scale.frame_at(x_px)))


def label_spacing(scale: TimeScale) -> int:
    """The spacing of the labels in frames: whole seconds, but for a zoom that shows each frame."""
    if scale.px_per_frame * (CHUNK_FRAMES // 4) >= TIMECODE_GAP_PX:
        return CHUNK_FRAMES // 4
    return chunk_spacing(scale, LABEL_GAP_PX)


def label(frame: int, spacing: int) -> str:
    """Seconds as a clock shows them; where frames are told too, the whole timecode, which nothing else can be read as."""
    return format_timecode(frame) if spacing % FRAME_RATE_HZ else clock_text(frame // FRAME_RATE_HZ)
