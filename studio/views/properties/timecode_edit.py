"""A field for a time on the timeline: shows and takes timecode, knows frames."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from studio.project.timecode import format_timecode, parse_timecode
from studio.qt_models.wording import timecode_words


class TimecodeEdit(QLineEdit):
    """Emits `frame_edited` when a person typed a time; anything else is put back."""

    frame_edited = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """`name` is what a screen reader says."""
        super().__init__(parent)
        self._frame = 0
        self.setAccessibleName(name)
        self.setToolTip(timecode_words())
        self.setMaxLength(14)
        self.editingFinished.connect(self._take)

    def set_frame(self, frame: int) -> None:
        """Show a time."""
        self._frame = frame
        self.setText(format_timecode(frame))

    def _take(self) -> None:
        frame = parse_timecode(self.text())
        if frame is None or frame == self._frame:
            self.setText(format_timecode(self._frame))
            return
        self.frame_edited.emit(frame)
