"""The prompt track: directions as blocks on the chunk grid, made, moved, trimmed and chosen by mouse.

Drags show a preview of the document and become one command when the mouse is let go.
"""

from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from studio.commands.prompt_edits import add_prompt, move_prompt, suggested_prompt, trim_prompt
from studio.project.document import Project, PromptSpan
from studio.project.timecode import CHUNK_FRAMES, nearest_chunk_edge
from studio.views.direct.context import TimelineContext
from studio.views.direct.drags import Drag, grip_at
from studio.views.direct.grid import draw_grid, draw_hint

PROMPT_TRACK_HEIGHT_PX: Final = 56
_RADIUS_PX: Final = 5.0


class PromptTrack(QWidget):
    """Shows the directions of the timeline."""

    edit_requested = Signal(str)

    def __init__(self, context: TimelineContext, parent: QWidget | None = None) -> None:
        """Follow document, selection and scale."""
        super().__init__(parent)
        self._context = context
        self._drag: Drag | None = None
        self._preview: Project | None = None
        self._hovered = ""
        self.setFixedHeight(PROMPT_TRACK_HEIGHT_PX)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Directions track"))
        self.setAccessibleDescription(self.tr("The same directions are listed as a table in the properties."))
        context.scale.changed.connect(self.update)
        context.session.project_changed.connect(self.update)
        context.session.selection_changed.connect(self.update)
        context.look.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Two lines of words."""
        return QSize(400, PROMPT_TRACK_HEIGHT_PX)

    @property
    def _project(self) -> Project:
        return self._preview or self._context.session.project

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the grid and each direction."""
        del event
        painter = QPainter(self)
        colors = self._context.look.colors
        draw_grid(painter, QRectF(self.rect()), self._context.scale, colors)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        timeline = self._project.timeline
        if not timeline.prompts:
            hint = self.tr("Double-click here, or press D, to say what the character should do")
            draw_hint(painter, QRectF(self.rect()), hint, colors)
        painter.setOpacity(0.45 if "prompts" in timeline.muted else 1.0)
        for prompt in timeline.prompts:
            self._draw(painter, prompt)

    def _area(self, prompt: PromptSpan) -> QRectF:
        scale = self._context.scale
        left, right = scale.x_of(prompt.start_frame), scale.x_of(prompt.end_frame)
        return QRectF(left + 1, 4, max(right - left - 2, 2), self.height() - 8)

    def _draw(self, painter: QPainter, prompt: PromptSpan) -> None:
        colors = self._context.look.colors
        area = self._area(prompt)
        if area.right() < 0 or area.left() > self.width():
            return
        is_selected = self._context.session.selection.id == prompt.id
        fill = QColor(colors.prompt)
        fill.setAlpha(110 if is_selected else 78 if prompt.id == self._hovered else 56)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.field))  # no line of the grid runs through the words
        painter.drawRoundedRect(area, _RADIUS_PX, _RADIUS_PX)
        painter.setBrush(fill)
        painter.setPen(QPen(QColor(colors.text if is_selected else colors.prompt), 1.5 if is_selected else 1.0))
        painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)
        if is_selected or prompt.id == self._hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.text if is_selected else colors.prompt))
            for x_px in (area.left() + 4, area.right() - 6):
                painter.drawRoundedRect(QRectF(x_px, area.center().y() - 8, 2, 16), 1, 1)
        seen = area.intersected(QRectF(self.rect()))  # a direction that begins further left keeps its words in sight
        self._draw_words(painter, prompt, seen.adjusted(12, 1, -12, -1))
        if prompt.start_frame % CHUNK_FRAMES:
            self._draw_effect_line(painter, prompt)

    def _draw_words(self, painter: QPainter, prompt: PromptSpan, area: QRectF) -> None:
        if area.width() < 16:
            return
        colors = self._context.look.colors
        font = QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        painter.setPen(QColor(colors.text if prompt.text else colors.text_soft))
        text = prompt.text or self.tr("Write a direction")
        lines = wrapped(text, QFontMetricsF(font), area.width(), 2)
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "\n".join(lines))

    def _draw_effect_line(self, painter: QPainter, prompt: PromptSpan) -> None:
        frame = -(-prompt.start_frame // CHUNK_FRAMES) * CHUNK_FRAMES
        if frame < prompt.end_frame:
            x_px = self._context.scale.x_of(frame)
            painter.setPen(QPen(QColor(self._context.look.colors.prompt), 1.0, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x_px, 4), QPointF(x_px, self.height() - 4))

    def _prompt_at(self, x_px: float) -> PromptSpan | None:
        frame = self._context.scale.frame_at(x_px)
        return next((p for p in self._project.timeline.prompts if p.start_frame <= frame < p.end_frame), None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select a direction and grip it."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x_px = event.position().x()
        prompt = self._prompt_at(x_px)
        if prompt is None:
            self._context.session.select()
            return
        self._context.session.select("prompt", prompt.id)
        area = self._area(prompt)
        self._drag = Drag(
            grip=grip_at(x_px, area.left(), area.right()),
            item_id=prompt.id,
            grab_frame=self._context.scale.frame_at(x_px),
            start_frame=prompt.start_frame,
            end_frame=prompt.end_frame,
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show where the drag would lead, or what would be gripped."""
        x_px = event.position().x()
        if self._drag is None:
            self._hover(x_px)
            return
        self._preview = self._dragged(self._drag, self._context.scale.frame_at(x_px))
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The drag becomes a command."""
        drag, preview = self._drag, self._preview
        self._drag = self._preview = None
        if drag is not None and preview is not None:
            frame = self._context.scale.frame_at(event.position().x())
            label = self.tr("Move direction") if drag.grip == "move" else self.tr("Trim direction")
            self._context.session.do(label, lambda project: self._dragged(drag, frame, project))
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Edit the words of a direction, or make a new one here."""
        self._drag = self._preview = None
        prompt = self._prompt_at(event.position().x())
        if prompt is None:
            self.add_at(int(self._context.scale.frame_at(event.position().x())))
        else:
            self.edit_requested.emit(prompt.id)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the mouse any more."""
        del event
        self._hovered = ""
        self.update()

    def add_at(self, frame: int) -> None:
        """Make a new direction at the chunk that holds `frame`, or in the next free space, and edit its words."""
        session = self._context.session
        prompt = suggested_prompt(session.project, max(frame, 0))
        if prompt is None:
            session.failed.emit(self.tr("There is no free space for a direction here; shorten or split another one."))
            return
        if session.do(self.tr("Add direction"), lambda project: add_prompt(project, prompt)):
            session.select("prompt", prompt.id)
            self.edit_requested.emit(prompt.id)

    def _dragged(self, drag: Drag, frame: float, project: Project | None = None) -> Project:
        project = project or self._context.session.project
        start, end = drag.moved(frame)
        if self._context.is_snapping:
            start = nearest_chunk_edge(start) if drag.grip != "end" else start
            end = nearest_chunk_edge(end) if drag.grip == "end" else end
        if drag.grip == "move":
            return move_prompt(project, drag.item_id, start)
        return trim_prompt(project, drag.item_id, start, end)

    def _hover(self, x_px: float) -> None:
        prompt = self._prompt_at(x_px)
        self._hovered = prompt.id if prompt else ""
        shape = Qt.CursorShape.ArrowCursor
        if prompt is not None:
            area = self._area(prompt)
            is_edge = grip_at(x_px, area.left(), area.right()) != "move"
            shape = Qt.CursorShape.SizeHorCursor if is_edge else Qt.CursorShape.OpenHandCursor
            self.setToolTip(prompt.text)
        self.setCursor(shape)
        self.update()


def wrapped(text: str, metrics: QFontMetricsF, width_px: float, max_lines: int) -> list[str]:
    """Words broken into at most `max_lines` lines, the last one cut short with an ellipsis."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < max_lines:
        line = words.pop(0)
        while words and metrics.horizontalAdvance(f"{line} {words[0]}") <= width_px:
            line = f"{line} {words.pop(0)}"
        lines.append(line)
    if lines:
        lines[-1] = " ".join([lines[-1], *words])
    return [metrics.elidedText(line, Qt.TextElideMode.ElideRight, width_px) for line in lines]
