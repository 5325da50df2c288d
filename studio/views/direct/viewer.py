"""The viewer: picture, timecode, transport and scrub bar. It shows the frame of the player and starts nothing by itself."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QVBoxLayout, QWidget

from engine.errors import LpmError
from studio.background.engine_thread import RenderProgress
from studio.playback.player import Player
from studio.project.takes import ChunkState
from studio.project.timecode import chunk_of, format_timecode
from studio.qt_models.images import image_of
from studio.qt_models.session import StudioSession
from studio.theme.look import Look
from studio.views.direct.picture_view import PictureView


class Viewer(QWidget):
    """Shows what is rendered, in step with the player."""

    def __init__(self, session: StudioSession, player: Player, look: Look, parent: QWidget | None = None) -> None:
        """Follow playhead, takes and document."""
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._player = player
        self._look = look
        self._states: tuple[ChunkState, ...] = ()
        self._is_rendering = False
        self._still = QImage()
        self.picture = PictureView(look)
        self._now = QLabel()
        self._length = QLabel()
        self.scrub = QSlider(Qt.Orientation.Horizontal)
        self._buttons = QHBoxLayout()
        self._compose()
        player.frame_changed.connect(self._frame_changed)
        session.project_changed.connect(self.refresh)
        session.takes_changed.connect(self.refresh)
        session.selection_changed.connect(self._leave_still)
        look.changed.connect(self.refresh)
        self.refresh()

    def _compose(self) -> None:
        for label, name in ((self._now, self.tr("Position")), (self._length, self.tr("Length"))):
            label.setProperty("mono", True)
            label.ensurePolished()
            label.setFixedWidth(label.fontMetrics().horizontalAdvance(format_timecode(0)) + 4)
            label.setAccessibleName(name)
        self._now.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._length.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._length.setProperty("soft", True)
        self.scrub.setAccessibleName(self.tr("Scrub through the film"))
        self.scrub.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scrub.valueChanged.connect(self._player.seek)
        self._buttons.setSpacing(4)
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 0, 8, 0)
        bar.setSpacing(0)
        bar.addWidget(self._now)
        bar.addStretch(1)
        bar.addLayout(self._buttons)
        bar.addStretch(1)
        bar.addWidget(self._length)
        scrub_line = QHBoxLayout()
        scrub_line.setContentsMargins(8, 0, 8, 0)
        scrub_line.addWidget(self.scrub)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.picture, 1)
        layout.addLayout(scrub_line)
        layout.addLayout(bar)

    def add_transport(self, action: QAction, is_play: bool = False) -> QToolButton:
        """Put an action into the transport."""
        button = QToolButton()
        button.setDefaultAction(action)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setIconSize(QSize(20, 20) if is_play else QSize(18, 18))
        if is_play:
            button.setObjectName("play")
            button.setFixedSize(36, 36)
        self._buttons.addWidget(button)
        return button

    def refresh(self) -> None:
        """Document or takes changed."""
        timeline = self._session.project.timeline
        self._states = self._session.chunk_states()
        self.scrub.blockSignals(True)
        self.scrub.setRange(0, timeline.num_frames - 1)
        self.scrub.blockSignals(False)
        self._length.setText(format_timecode(timeline.num_frames))
        self._show(self._player.frame)

    def show_progress(self, progress: RenderProgress) -> None:
        """A piece was rendered: show its last frame, unless the person is playing something."""
        self._is_rendering = True
        if not self._player.is_playing:
            self._player.seek(progress.done_frames - 1)

    def render_started(self) -> None:
        """The badge says from now on that a render is under way."""
        self._is_rendering = True
        self._show(self._player.frame)

    def render_ended(self) -> None:
        """The badge says again what the picture is."""
        self._is_rendering = False
        self.refresh()

    def show_still(self, image: QImage, name: str) -> None:
        """Show a reference picture until the playhead moves."""
        self._still = image
        self.picture.set_hint("", "")
        self.picture.show_image(image)
        self.picture.set_badge(name, self._look.colors.accent)

    def _leave_still(self) -> None:
        if not self._still.isNull() and self._session.selection.kind != "character":
            self._show(self._player.frame)

    def _frame_changed(self, frame: int) -> None:
        self._show(frame)

    def _show(self, frame: int) -> None:
        self._still = QImage()
        self.scrub.blockSignals(True)
        self.scrub.setValue(frame)
        self.scrub.blockSignals(False)
        self._now.setText(format_timecode(frame))
        content = self._session.picture_of(frame)
        if content is not None:
            self.picture.set_hint("", "")
            self.picture.show_image(image_of(content, "JPEG"))
            self._show_state(frame)
        else:
            self._show_nothing_rendered()

    def _show_state(self, frame: int) -> None:
        colors = self._look.colors
        chunk = chunk_of(frame)
        state = self._states[chunk] if chunk < len(self._states) else ChunkState.EMPTY
        if self._is_rendering:
            self.picture.set_badge(self.tr("Rendering"), colors.accent)
        elif state is ChunkState.STALE:
            self.picture.set_badge(self.tr("Changed since this take"), colors.stale)
        else:
            self.picture.set_badge("")

    def _show_nothing_rendered(self) -> None:
        character = self._session.project.character
        self.picture.set_badge(self.tr("Rendering") if self._is_rendering else "", self._look.colors.accent)
        if character is None:
            self.picture.show_image(QImage())
            hint = self.tr("Add a character in the library, or drop a picture here.")
            if self._session.project.characters:
                hint = self.tr("Choose a character in the library.")
            self.picture.set_hint(self.tr("Who is going to perform?"), hint)
            return
        self.picture.show_image(self._portrait())
        if self._is_rendering:
            self.picture.set_hint(self.tr("Rendering the first frames"), self.tr("They appear here as they are made."))
        elif not self._session.project.timeline.sounds:
            self.picture.set_hint(
                self.tr("Give {name} something to say").format(name=character.name),
                self.tr("Drop a recording on the Speak track, or render at once: {name} then just waits.").format(
                    name=character.name
                ),
            )
        else:
            self.picture.set_hint(
                self.tr("{name} is ready").format(name=character.name), self.tr("Press Render to see the performance.")
            )

    def _portrait(self) -> QImage:
        character = self._session.project.character
        if character is None or character.portrait is None:
            return QImage()
        try:
            return image_of(self._session.store.media(character.portrait.media_sha), "PNG")
        except LpmError:
            return QImage()
