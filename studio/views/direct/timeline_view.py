"""The timeline: ruler, speak, listen, directions and takes under one playhead, with zoom and scrolling."""

from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPalette, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollBar, QToolButton, QVBoxLayout, QWidget

from studio.playback.player import Player
from studio.project.document import SoundTrack
from studio.project.timecode import seconds_text
from studio.qt_models.session import StudioSession
from studio.theme.look import Look
from studio.views.direct.context import TimelineContext
from studio.views.direct.prompt_track import PROMPT_TRACK_HEIGHT_PX, PromptTrack
from studio.views.direct.ruler import RULER_HEIGHT_PX, Ruler
from studio.views.direct.take_strip import TAKE_STRIP_HEIGHT_PX, TakeStrip
from studio.views.direct.time_scale import ZOOM_STEP, TimeScale
from studio.views.direct.track_header import TrackHeader, empty_header
from studio.views.direct.waveform_track import SOUND_TRACK_HEIGHT_PX, WaveformTrack
from studio.views.dropped_files import dropped_paths

SCROLL_UNITS_PER_FRAME: Final = 8
TOOLS_AND_SCROLL_BAR_PX: Final = 72


class PlayheadLine(QWidget):
    """One red line over all tracks."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        """Lie over the parent without taking the mouse from it."""
        super().__init__(parent)
        self._look = look
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAutoFillBackground(True)
        look.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.Window, self._look.colors.playhead)
        self.setPalette(palette)


class TimelineView(QWidget):
    """All tracks of the project over time. Sounds that are dropped on a track are handed on by `sounds_dropped`,
    a wish for some by `sounds_wanted`.
    """

    sounds_dropped = Signal(list, str, int)
    sounds_wanted = Signal(str)
    prompt_edit_requested = Signal(str)

    def __init__(self, session: StudioSession, player: Player, look: Look, parent: QWidget | None = None) -> None:
        """Compose the tracks."""
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAcceptDrops(True)
        self.scale = TimeScale(self)
        self.context = TimelineContext(session=session, player=player, look=look, scale=self.scale)
        self.ruler = Ruler(self.context)
        self.speak = WaveformTrack(self.context, "speak")
        self.listen = WaveformTrack(self.context, "listen")
        self.prompts = PromptTrack(self.context)
        self.takes = TakeStrip(self.context)
        self._scroll_bar = QScrollBar(Qt.Orientation.Horizontal)
        self._length = QLabel()
        self._compose()
        self._playhead = PlayheadLine(look, self._lanes)
        tracks_px = RULER_HEIGHT_PX + 2 * SOUND_TRACK_HEIGHT_PX + PROMPT_TRACK_HEIGHT_PX + TAKE_STRIP_HEIGHT_PX
        self.setMinimumHeight(tracks_px + TOOLS_AND_SCROLL_BAR_PX)
        self._connect()
        self._document_changed()

    def _compose(self) -> None:
        heads = QVBoxLayout()
        heads.setSpacing(0)
        heads.addWidget(empty_header(RULER_HEIGHT_PX))
        heads.addWidget(TrackHeader(self.context, self.tr("Speak"), "speak", SOUND_TRACK_HEIGHT_PX))
        heads.addWidget(TrackHeader(self.context, self.tr("Listen"), "listen", SOUND_TRACK_HEIGHT_PX))
        heads.addWidget(TrackHeader(self.context, self.tr("Directions"), "prompts", PROMPT_TRACK_HEIGHT_PX))
        heads.addWidget(TrackHeader(self.context, self.tr("Takes"), None, TAKE_STRIP_HEIGHT_PX))
        heads.addStretch(1)
        self._lanes = QWidget()
        self._lanes.installEventFilter(self)
        tracks = QVBoxLayout(self._lanes)
        tracks.setContentsMargins(0, 0, 0, 0)
        tracks.setSpacing(0)
        for track in (self.ruler, self.speak, self.listen, self.prompts, self.takes):
            tracks.addWidget(track)
        for track in (self.speak, self.listen):
            track.setAcceptDrops(False)
            track.viewport().setAcceptDrops(False)
        tracks.addStretch(1)
        tracks.addWidget(self._scroll_bar)
        body = QHBoxLayout()
        body.setSpacing(0)
        body.addLayout(heads)
        body.addWidget(self._lanes, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 8, 8)
        layout.setSpacing(0)
        layout.addLayout(self._make_tools())
        layout.addLayout(body, 1)

    def _make_tools(self) -> QHBoxLayout:
        tools = QHBoxLayout()
        tools.setContentsMargins(12, 4, 0, 4)
        tools.setSpacing(4)
        heading = QLabel(self.tr("Timeline"))
        heading.setProperty("heading", True)
        tools.addWidget(heading)
        self._length.setProperty("soft", True)
        tools.addSpacing(8)
        tools.addWidget(self._length)
        tools.addStretch(1)
        self.tools = tools
        return tools

    def add_tool(self, button: QToolButton) -> None:
        """Put a button into the line above the tracks."""
        button.setIconSize(QSize(18, 18))
        self.tools.addWidget(button)

    def add_tool_space(self) -> None:
        """Leave a gap between groups of buttons."""
        self.tools.addSpacing(16)

    def _connect(self) -> None:
        session, player = self.context.session, self.context.player
        session.project_changed.connect(self._document_changed)
        session.project_opened.connect(self.scale.fit)
        player.frame_changed.connect(self._playhead_moved)
        self.scale.changed.connect(self._scale_changed)
        self._scroll_bar.valueChanged.connect(self._scrolled)
        self.prompts.edit_requested.connect(self.prompt_edit_requested)
        self.speak.import_button.clicked.connect(lambda: self.sounds_wanted.emit("speak"))
        self.listen.import_button.clicked.connect(lambda: self.sounds_wanted.emit("listen"))

    @property
    def is_snapping(self) -> bool:
        """Whether drags snap to the chunk grid."""
        return self.context.is_snapping

    def set_snapping(self, is_snapping: bool) -> None:
        """Let drags snap to the chunk grid, or not."""
        self.context.is_snapping = is_snapping

    def zoom_in(self) -> None:
        """Show less, larger, around the playhead."""
        self.scale.zoom(ZOOM_STEP, self.context.player.frame)

    def zoom_out(self) -> None:
        """Show more, smaller."""
        self.scale.zoom(1 / ZOOM_STEP, self.context.player.frame)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The lanes became wider or narrower."""
        if watched is self._lanes and isinstance(event, QResizeEvent):
            self.scale.set_width(event.size().width())
        return super().eventFilter(watched, event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll; with Ctrl, zoom around the mouse."""
        steps = (event.angleDelta().y() or event.angleDelta().x()) / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            x_px = self._lanes.mapFrom(self, event.position()).x()
            self.scale.zoom(ZOOM_STEP**steps, self.scale.frame_at(x_px))
        else:
            self.scale.scroll_to(self.scale.first_frame - steps * self.scale.visible_frames * 0.1)
        event.accept()

    def _document_changed(self) -> None:
        timeline = self.context.session.project.timeline
        self.scale.set_num_frames(timeline.num_frames)
        self._length.setText(seconds_text(timeline.num_frames))
        self.context.player.set_timeline(timeline.num_frames, timeline.in_frame, timeline.out_frame)

    def _playhead_moved(self, frame: int) -> None:
        if self.context.player.is_playing:
            self.scale.keep_visible(frame)
        self._place_playhead()

    def _place_playhead(self) -> None:
        x_px = round(self.scale.x_of(self.context.player.frame))
        height = self.takes.geometry().bottom() + 1 - RULER_HEIGHT_PX
        self._playhead.setGeometry(x_px, RULER_HEIGHT_PX, 1, max(height, 0))
        self._playhead.raise_()
        self._playhead.setVisible(x_px >= 0)

    def _scale_changed(self) -> None:
        scale = self.scale
        self._scroll_bar.blockSignals(True)
        self._scroll_bar.setRange(0, round(scale.last_first_frame * SCROLL_UNITS_PER_FRAME))
        self._scroll_bar.setPageStep(round(scale.visible_frames * SCROLL_UNITS_PER_FRAME))
        self._scroll_bar.setValue(round(scale.first_frame * SCROLL_UNITS_PER_FRAME))
        self._scroll_bar.blockSignals(False)
        is_needed = scale.px_per_frame * scale.num_frames > scale.width_px
        self._scroll_bar.setEnabled(is_needed)
        self._place_playhead()

    def _scrolled(self, value: int) -> None:
        self.scale.scroll_to(value / SCROLL_UNITS_PER_FRAME)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Hand on dropped files with the track and the frame they fell on."""
        paths = dropped_paths(event)
        position = self._lanes.mapFrom(self, event.position().toPoint())
        track: SoundTrack = "listen" if self.listen.geometry().contains(position) else "speak"
        frame = max(int(self.scale.frame_at(position.x())), 0)
        if paths:
            event.acceptProposedAction()
            self.sounds_dropped.emit(paths, track, frame)
