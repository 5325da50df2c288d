"""The render bar: one button that renders or cancels, progress, the time that is left, and the export beside it."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QWidget

from studio.background.engine_thread import RenderProgress
from studio.project.timecode import FRAME_RATE_HZ
from studio.theme.look import Look


class RenderBar(QWidget):
    """Shows how far a render or an export is; its buttons trigger the window's actions."""

    def __init__(
        self, look: Look, render: QAction, cancel: QAction, export: QAction, parent: QWidget | None = None
    ) -> None:
        """Stand in the top bar."""
        super().__init__(parent)
        self._look = look
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setMinimumWidth(48)
        self.progress.setMaximumWidth(160)
        self.progress.setRange(0, 0)
        self.progress.setAccessibleName(self.tr("Progress"))
        self.words = QLabel()
        self.words.setProperty("soft", True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.export_button = QToolButton()
        self.export_button.setDefaultAction(export)
        self.export_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.export_button.setIconSize(QSize(18, 18))
        self.render_button = _action_button(render, "primary")
        self.cancel_button = _action_button(cancel, "")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        for widget in (self.words, self.progress, self.cancel_button, self.export_button, self.render_button):
            layout.addWidget(widget)
        self.show_idle()

    def show_idle(self, words: str = "") -> None:
        """Nothing is under way."""
        self.words.setText(words)
        self.progress.hide()
        self.cancel_button.hide()
        self.render_button.show()
        self.export_button.show()

    def show_waiting(self, words: str) -> None:
        """Something began and cannot tell yet how long it takes."""
        self.words.setText(words)
        self.progress.setRange(0, 0)
        self.progress.show()
        self.cancel_button.show()
        self.render_button.hide()
        self.export_button.hide()

    def show_share(self, words: str, share: float) -> None:
        """Something is done in part."""
        self.show_waiting(words)
        self.progress.setRange(0, 1000)
        self.progress.setValue(round(share * 1000))

    def show_render(self, progress: RenderProgress) -> None:
        """A render came this far."""
        done_s, total_s = progress.done_frames / FRAME_RATE_HZ, progress.total_frames / FRAME_RATE_HZ
        words = [self.tr("{done:.0f} of {total:.0f} s").format(done=done_s, total=total_s)]
        if progress.reused_frames:
            words.append(self.tr("{kept:.1f} s kept").format(kept=progress.reused_frames / FRAME_RATE_HZ))
        if progress.remaining_s is not None:
            words.append(self.tr("{left} left").format(left=duration_words(progress.remaining_s)))
        self.show_share(", ".join(words), progress.done_frames / progress.total_frames)


def _action_button(action: QAction, name: str) -> QPushButton:
    button = QPushButton(action.text().replace("&", ""))
    button.setObjectName(name)
    button.setIconSize(QSize(16, 16))
    button.clicked.connect(action.trigger)

    def follow() -> None:
        button.setIcon(action.icon())
        button.setEnabled(action.isEnabled())
        button.setToolTip(action.toolTip())

    action.changed.connect(follow)
    follow()
    return button


def duration_words(seconds: float) -> str:
    """A waiting time as a person says it."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
