"""The take strip: a thumbnail of each chunk, and whether it is rendered, changed since, or not rendered yet.

The state is told by pattern and words as well as by colour.
"""

from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QHelpEvent, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from studio.background.engine_thread import RenderProgress
from studio.project.takes import ChunkState
from studio.project.timecode import CHUNK_FRAMES, chunk_of, format_timecode
from studio.qt_models.images import image_of
from studio.qt_models.wording import counted
from studio.views.direct.context import TimelineContext
from studio.views.direct.grid import draw_grid, draw_hint

TAKE_STRIP_HEIGHT_PX: Final = 56
_BAR_PX: Final = 4
MAX_THUMBNAILS: Final = 600


class TakeStrip(QWidget):
    """Shows what of the timeline is rendered."""

    def __init__(self, context: TimelineContext, parent: QWidget | None = None) -> None:
        """Follow takes and scale."""
        super().__init__(parent)
        self._context = context
        self._states: tuple[ChunkState, ...] = ()
        self._thumbnails: dict[int, QImage] = {}
        self._rendering: RenderProgress | None = None
        self.setFixedHeight(TAKE_STRIP_HEIGHT_PX)
        self.setAccessibleName(self.tr("Rendered takes"))
        context.scale.changed.connect(self.update)
        context.look.changed.connect(self.update)
        context.session.takes_changed.connect(self.refresh)
        context.session.project_opened.connect(self.forget)
        self.refresh()

    def sizeHint(self) -> QSize:
        """A strip of small pictures."""
        return QSize(400, TAKE_STRIP_HEIGHT_PX)

    @property
    def states(self) -> tuple[ChunkState, ...]:
        """What is shown of each chunk."""
        return self._states

    def refresh(self) -> None:
        """Ask what is rendered."""
        self._states = self._context.session.chunk_states()
        fresh = sum(state is ChunkState.FRESH for state in self._states)
        self.setAccessibleDescription(
            self.tr("{fresh} of {all} rendered").format(
                fresh=fresh, all=counted(len(self._states), self.tr("{num} chunk"), self.tr("{num} chunks"))
            )
        )
        self.update()

    def forget(self) -> None:
        """Another project was opened: no thumbnail holds any more."""
        self._thumbnails.clear()
        self.refresh()

    def show_progress(self, progress: RenderProgress | None) -> None:
        """A render came this far, or ended."""
        self._rendering = progress
        if progress is not None:
            for frame in range(progress.start_frame, progress.start_frame + progress.num_frames):
                self._thumbnails.pop(frame, None)
        self.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a cell for each visible chunk."""
        del event
        painter = QPainter(self)
        scale, colors = self._context.scale, self._context.look.colors
        draw_grid(painter, QRectF(self.rect()), scale, colors)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._states and all(state is ChunkState.EMPTY for state in self._states) and self._rendering is None:
            hint = self.tr("Nothing is rendered yet. Press Render, and the film appears here chunk by chunk")
            draw_hint(painter, QRectF(self.rect()), hint, colors)
            return
        first = max(int(scale.frame_at(0)) // CHUNK_FRAMES, 0)
        last = min(int(scale.frame_at(self.width())) // CHUNK_FRAMES + 1, len(self._states))
        for chunk in range(first, last):
            self._draw_chunk(painter, chunk)

    def _area(self, chunk: int) -> QRectF:
        scale = self._context.scale
        end_frame = min((chunk + 1) * CHUNK_FRAMES, self._context.session.project.timeline.num_frames)
        left, right = scale.x_of(chunk * CHUNK_FRAMES), scale.x_of(end_frame)
        return QRectF(left + 0.5, 3, max(right - left - 1, 1), self.height() - 6)

    def _draw_chunk(self, painter: QPainter, chunk: int) -> None:
        colors = self._context.look.colors
        area = self._area(chunk)
        state = self._states[chunk]
        bar = QRectF(area.left(), area.bottom() - _BAR_PX, area.width(), _BAR_PX)
        if state is ChunkState.EMPTY:
            painter.setPen(QPen(QColor(colors.grid_strong), 1.0, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            return
        picture_area = area.adjusted(0, 0, 0, -_BAR_PX - 1)
        painter.fillRect(picture_area, QColor(colors.stage))
        self._draw_thumbnails(painter, chunk, picture_area)
        if state is ChunkState.STALE:
            veil = QColor(colors.field)
            veil.setAlpha(165)
            painter.fillRect(picture_area, veil)
            painter.fillRect(bar, QColor(colors.grid_strong))
            painter.fillRect(bar, QBrush(QColor(colors.stale), Qt.BrushStyle.BDiagPattern))
            self._draw_word(painter, picture_area, self.tr("changed"))
        else:
            painter.fillRect(bar, QColor(colors.fresh))

    def _draw_thumbnails(self, painter: QPainter, chunk: int, area: QRectF) -> None:
        num_cells = max(round(area.width() / area.height()), 1)
        width = area.width() / num_cells
        for cell in range(num_cells):
            frame = chunk * CHUNK_FRAMES + int((cell + 0.5) * CHUNK_FRAMES / num_cells)
            image = self._thumbnail(min(frame, self._context.session.project.timeline.num_frames - 1))
            if not image.isNull() and width >= 4:
                target = QRectF(area.left() + cell * width, area.top(), width, area.height())
                painter.drawImage(target, image, covering(image, width / area.height()))

    def _draw_word(self, painter: QPainter, area: QRectF, word: str) -> None:
        font = QFont(self.font())
        font.setPixelSize(10)
        painter.setFont(font)
        if painter.fontMetrics().horizontalAdvance(word) + 8 < area.width():
            painter.setPen(QColor(self._context.look.colors.text))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, word)

    def _thumbnail(self, frame: int) -> QImage:
        if frame not in self._thumbnails:
            if len(self._thumbnails) > MAX_THUMBNAILS:
                self._thumbnails.clear()
            side = int(TAKE_STRIP_HEIGHT_PX * self.devicePixelRatioF())
            self._thumbnails[frame] = image_of(self._context.session.picture_of(frame), "JPEG").scaled(
                side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        return self._thumbnails[frame]

    def event(self, event: QEvent) -> bool:
        """Say in words what a chunk's state is."""
        if isinstance(event, QHelpEvent):
            chunk = chunk_of(max(int(self._context.scale.frame_at(event.pos().x())), 0))
            if chunk < len(self._states):
                time = format_timecode(chunk * CHUNK_FRAMES)
                text = self.tr("Chunk {number}, from {time}: {state}").format(
                    number=chunk + 1, time=time, state=self.tr(self._states[chunk].value)
                )
                QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to the pressed frame."""
        self._context.player.seek(int(self._context.scale.frame_at(event.position().x())))


def covering(image: QImage, ratio: float) -> QRectF:
    """The largest part of an image with this ratio of width to height, from its middle."""
    width, height = float(image.width()), float(image.height())
    if width / height > ratio:
        return QRectF((width - height * ratio) / 2, 0, height * ratio, height)
    return QRectF(0, (height - width / ratio) / 2, width, width / ratio)
