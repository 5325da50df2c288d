"""A sound track: waveforms drawn with pyqtgraph, sounds moved, trimmed and chosen by mouse, files dropped on it.

The ground and the frames of the clips are painted in pixels behind and before pyqtgraph's curves, on the timeline's own scale.
"""

from typing import Final

import numpy as np
import pyqtgraph
from PySide6.QtCore import QEvent, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPainter, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QPushButton, QWidget

from engine.errors import LpmError
from studio.commands.sound_edits import move_sound, trim_sound
from studio.project.document import Project, SoundClip, SoundTrack
from studio.project.sound_cache import SAMPLES_PER_PEAK, outline
from studio.project.timecode import SAMPLES_PER_FRAME, nearest_chunk_edge
from studio.views.direct.context import TimelineContext
from studio.views.direct.drags import SNAP_PX, Drag, grip_at, nearest
from studio.views.direct.grid import HINT_LEFT_PX, draw_grid, draw_hint, hint_width

SOUND_TRACK_HEIGHT_PX: Final = 64
PEAKS_PER_FRAME: Final = SAMPLES_PER_FRAME // SAMPLES_PER_PEAK
_RADIUS_PX: Final = 5.0
_LABEL_HEIGHT_PX: Final = 18
_BUTTON_GAP_PX: Final = 14


class WaveformTrack(pyqtgraph.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Shows the sounds of the speak or the listen track; where there are none, `import_button` leads to some."""

    def __init__(self, context: TimelineContext, track: SoundTrack, parent: QWidget | None = None) -> None:
        """Follow document, selection and scale."""
        self._context = context
        self._track: SoundTrack = track
        self._drag: Drag | None = None
        self._preview: Project | None = None
        super().__init__(parent, background=None)
        self.setFixedHeight(SOUND_TRACK_HEIGHT_PX)
        self.setFrameShape(self.Shape.NoFrame)
        self.setViewportUpdateMode(self.ViewportUpdateMode.FullViewportUpdate)
        self.setCacheMode(self.CacheModeFlag.CacheNone)  # the ground shows the clips, so it changes with them
        self.setAntialiasing(True)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Speak track") if track == "speak" else self.tr("Listen track"))
        self.import_button = self._make_import_button()
        plot = self.getPlotItem()
        plot.hideAxis("left")
        plot.hideAxis("bottom")
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setContentsMargins(0, 0, 0, 0)
        plot.layout.setContentsMargins(0, 0, 0, 0)
        plot.vb.setMouseEnabled(False, False)
        plot.vb.setDefaultPadding(0.0)
        plot.vb.disableAutoRange()
        context.scale.changed.connect(self.refresh)
        context.session.project_changed.connect(self.refresh)
        context.session.selection_changed.connect(self._repaint)
        context.look.changed.connect(self.refresh)

    @property
    def _color(self) -> QColor:
        colors = self._context.look.colors
        return QColor(colors.speak if self._track == "speak" else colors.listen)

    @property
    def _project(self) -> Project:
        return self._preview or self._context.session.project

    @property
    def _clips(self) -> tuple[SoundClip, ...]:
        return self._project.timeline.clips_on(self._track)

    def refresh(self) -> None:
        """Draw the waveforms anew, as fine as the screen shows them."""
        scale = self._context.scale
        plot = self.getPlotItem()
        plot.clear()
        plot.vb.setRange(xRange=(scale.frame_at(0), scale.frame_at(self.width())), yRange=(-1.15, 1.6), padding=0)
        is_off = self._track in self._project.timeline.muted
        for clip in self._clips:
            color = QColor(self._color)
            color.setAlpha(90 if is_off or clip.is_muted else 230)
            self._add_curves(clip, color)
        self._place_import_button()
        self._repaint()

    def _make_import_button(self) -> QPushButton:
        button = QPushButton(self.tr("Import…"), self)
        button.setObjectName("chip")
        button.setToolTip(self.tr("Pick sounds; they begin at the playhead"))
        button.setAccessibleName(self.tr("Import sounds to the {track}").format(track=self.accessibleName()))
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        return button

    def _place_import_button(self) -> None:
        button = self.import_button
        button.setHidden(bool(self._clips))
        button.adjustSize()
        behind_words = HINT_LEFT_PX + round(hint_width(self._hint, self.font())) + _BUTTON_GAP_PX
        furthest = self.width() - button.width() - _BUTTON_GAP_PX
        button.move(min(behind_words, furthest), (self.height() - button.height()) // 2)

    def _repaint(self) -> None:
        self.viewport().update()

    def _add_curves(self, clip: SoundClip, color: QColor) -> None:
        try:
            peaks = self._context.session.sounds.peaks(clip.media_sha)
        except LpmError as error:
            self._context.session.failed.emit(str(error))
            return
        scale = self._context.scale
        first_frame = max(scale.frame_at(0), clip.start_frame)
        last_frame = min(scale.frame_at(self.width()), clip.end_frame)
        if last_frame <= first_frame:
            return
        offset = clip.in_sample // SAMPLES_PER_PEAK
        first = offset + int((first_frame - clip.start_frame) * PEAKS_PER_FRAME)
        last = offset + int((last_frame - clip.start_frame) * PEAKS_PER_FRAME) + 1
        last = min(last, -(-clip.out_sample // SAMPLES_PER_PEAK))
        shape = outline(peaks[first:last], int((last_frame - first_frame) * scale.px_per_frame))
        if len(shape) < 2:
            return
        loudness = 10.0 ** (clip.gain_db / 20.0)
        start = clip.start_frame + (first - offset) / PEAKS_PER_FRAME
        end = min(start + (last - first) / PEAKS_PER_FRAME, clip.end_frame)
        x = np.linspace(start, end, len(shape))
        for column in (0, 1):
            y = np.clip(shape[:, column] * loudness, -1.0, 1.0)
            curve = pyqtgraph.PlotCurveItem(
                x, y, pen=pyqtgraph.mkPen(color, width=1), fillLevel=0.0, brush=pyqtgraph.mkBrush(color)
            )
            self.getPlotItem().addItem(curve)

    def _area(self, clip: SoundClip) -> QRectF:
        scale = self._context.scale
        left, right = scale.x_of(clip.start_frame), scale.x_of(clip.end_frame)
        return QRectF(left + 1, 3, max(right - left - 2, 2), self.height() - 6)

    def drawBackground(self, painter: QPainter, area: QRectF) -> None:
        """The grid and the bodies of the clips, behind the curves."""
        del area
        painter.save()
        painter.resetTransform()
        draw_grid(painter, QRectF(self.viewport().rect()), self._context.scale, self._context.look.colors)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for clip in self._clips:
            fill = QColor(self._color)
            fill.setAlpha(58 if self._context.session.selection.id == clip.id else 34)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(self._area(clip), _RADIUS_PX, _RADIUS_PX)
        painter.restore()

    def drawForeground(self, painter: QPainter, area: QRectF) -> None:
        """Names and frames of the clips, before the curves; what to do where there are none."""
        del area
        painter.save()
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        for clip in self._clips:
            self._draw_label(painter, clip, QFontMetricsF(font))
        if not self._clips:
            draw_hint(painter, QRectF(self.viewport().rect()), self._hint, self._context.look.colors)
        painter.restore()

    def _draw_label(self, painter: QPainter, clip: SoundClip, metrics: QFontMetricsF) -> None:
        colors = self._context.look.colors
        is_selected = self._context.session.selection.id == clip.id
        area = self._area(clip)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colors.text) if is_selected else self._color, 1.5 if is_selected else 1.0))
        painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)
        left = max(area.left(), 0.0) + 9
        room = area.right() - left - 8
        if room > 20:
            name = self.tr("{name} (muted)").format(name=clip.name) if clip.is_muted else clip.name
            painter.setPen(QColor(colors.text))
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRectF(left, area.top() + 1, room, _LABEL_HEIGHT_PX), Qt.AlignmentFlag.AlignVCenter, text)

    @property
    def _hint(self) -> str:
        if self._track == "speak":
            words = self.tr("Drop a recording here: the character will say it")
        else:
            words = self.tr("Drop the other person's voice here: the character will listen to it")
        return str(words)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The curves follow the width."""
        super().resizeEvent(event)
        if self.isVisible():
            self.refresh()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scrolling belongs to the timeline."""
        event.ignore()

    def _clip_at(self, x_px: float) -> SoundClip | None:
        hits = [clip for clip in self._clips if self._area(clip).left() <= x_px <= self._area(clip).right()]
        return hits[-1] if hits else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select a sound and grip it."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        x_px = event.position().x()
        clip = self._clip_at(x_px)
        if clip is None:
            self._context.session.select()
            return
        self._context.session.select("sound", clip.id)
        area = self._area(clip)
        self._drag = Drag(
            grip=grip_at(x_px, area.left(), area.right()),
            item_id=clip.id,
            grab_frame=self._context.scale.frame_at(x_px),
            start_frame=clip.start_frame,
            end_frame=clip.end_frame,
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show where the drag would lead, or what would be gripped."""
        x_px = event.position().x()
        if self._drag is not None:
            self._preview = self._dragged(self._drag, self._context.scale.frame_at(x_px))
            self.refresh()
            return
        clip = self._clip_at(x_px)
        shape = Qt.CursorShape.ArrowCursor
        if clip is not None:
            area = self._area(clip)
            is_edge = grip_at(x_px, area.left(), area.right()) != "move"
            shape = Qt.CursorShape.SizeHorCursor if is_edge else Qt.CursorShape.OpenHandCursor
        self.viewport().setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The drag becomes a command."""
        drag, preview = self._drag, self._preview
        self._drag = self._preview = None
        if drag is not None and preview is not None:
            frame = self._context.scale.frame_at(event.position().x())
            label = self.tr("Move sound") if drag.grip == "move" else self.tr("Trim sound")
            self._context.session.do(label, lambda project: self._dragged(drag, frame, project))
            self.refresh()

    def leaveEvent(self, event: QEvent) -> None:
        """Keep pyqtgraph's hover handling out of it."""
        event.accept()

    def _dragged(self, drag: Drag, frame: float, project: Project | None = None) -> Project:
        project = project or self._context.session.project
        start, end = drag.moved(frame)
        if self._context.is_snapping:
            reach = SNAP_PX / self._context.scale.px_per_frame
            playhead = self._context.player.frame
            snapped_start = nearest(start, (nearest_chunk_edge(start), playhead), reach)
            end = nearest(end, (nearest_chunk_edge(end), playhead), reach)
            if drag.grip == "move" and snapped_start == start:
                snapped_start = end - (drag.end_frame - drag.start_frame)
            start = snapped_start
        if drag.grip == "move":
            return move_sound(project, drag.item_id, start)
        clip = project.sound(drag.item_id)
        length = 0 if clip is None else len(self._context.session.sounds.samples(clip.media_sha))
        start, end = (start, drag.end_frame) if drag.grip == "start" else (drag.start_frame, end)
        return trim_sound(project, drag.item_id, start, end, length)
