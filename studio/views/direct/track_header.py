"""The head of a track: its sign, its name and the switch that takes it out of the performance."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from studio.commands.project_edits import set_track_muted
from studio.project.document import TrackName
from studio.theme.icons import icon_pixmap
from studio.views.direct.context import TimelineContext

HEADER_WIDTH_PX: Final = 152
_ICONS: Final[dict[str, str]] = {"speak": "speak", "listen": "listen", "prompts": "prompt", "takes": "film"}


class TrackHeader(QWidget):
    """Name and mute switch of one track; the take strip has a name only."""

    def __init__(
        self,
        context: TimelineContext,
        title: str,
        track: TrackName | None,
        height_px: int,
        parent: QWidget | None = None,
    ) -> None:
        """Stand beside a track of the same height."""
        super().__init__(parent)
        self._context = context
        self._track = track
        self._icon = _ICONS[track or "takes"]
        self.setFixedSize(HEADER_WIDTH_PX, height_px)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(40, 0, 8, 0)
        layout.setSpacing(4)
        self._title = QLabel(title, self)
        layout.addWidget(self._title, 1)
        self.mute = QToolButton(self)
        self.mute.setCheckable(True)
        self.mute.setIconSize(QSize(18, 18))
        self.mute.setAccessibleName(self.tr("Mute {track}").format(track=title))
        self.mute.setVisible(track is not None)
        self.mute.clicked.connect(self._toggle)
        layout.addWidget(self.mute)
        context.session.project_changed.connect(self._refresh)
        context.look.changed.connect(self._refresh)
        self._refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the track's sign in its colour."""
        del event
        colors = self._context.look.colors
        tints = {"speak": colors.speak, "listen": colors.listen, "prompt": colors.prompt, "film": colors.text_soft}
        painter = QPainter(self)
        pixmap = icon_pixmap(self._icon, tints[self._icon], 20, self.devicePixelRatioF())
        painter.fillRect(QRectF(0, self.height() - 1, self.width(), 1), QColor(colors.border))
        painter.drawPixmap(12, (self.height() - 20) // 2, pixmap)

    def _toggle(self, is_checked: bool) -> None:
        track = self._track
        if track is not None:
            label = self.tr("Mute track") if is_checked else self.tr("Unmute track")
            self._context.session.do(label, lambda project: set_track_muted(project, track, is_checked))

    def _refresh(self) -> None:
        is_muted = self._track in self._context.session.project.timeline.muted
        colors = self._context.look.colors
        self.mute.setChecked(is_muted)
        names = ("eye_off", "eye") if self._track == "prompts" else ("sound_off", "sound_on")
        self.mute.setIcon(
            self._context.look.icon(names[0] if is_muted else names[1], colors.stale if is_muted else colors.text_soft)
        )
        self.mute.setToolTip(
            self.tr("This track is left out; press to use it again")
            if is_muted
            else self.tr("Leave this track out of the performance")
        )
        self._title.setProperty("soft", is_muted)
        self._title.style().unpolish(self._title)
        self._title.style().polish(self._title)
        self.update()


def empty_header(height_px: int) -> QWidget:
    """The corner above the heads, beside the ruler."""
    corner = QWidget()
    corner.setFixedSize(HEADER_WIDTH_PX, height_px)
    corner.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return corner
