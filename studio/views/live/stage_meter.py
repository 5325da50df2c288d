"""The stages of the newest chunk one after another, against the time that the chunk lasts: who keeps within it is live."""

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.theme.look import Look

STAGES: Final = ("encode", "plan", "generator", "refiner", "posing", "vae")
_ROW_PX: Final = 22
_BAR_PX: Final = 6
_NAME_PX: Final = 72
_NUMBER_PX: Final = 64


class StageMeter(QWidget):
    """A row for each stage: name, bar from where the one before ended, milliseconds."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        """Begin without figures."""
        super().__init__(parent)
        self._look = look
        self._stages_ms: Mapping[str, float] = {}
        self._budget_ms = 1000.0
        self.setFixedHeight(_ROW_PX * (len(STAGES) + 1))
        self.setAccessibleName(self.tr("Time by stage"))
        look.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(240, self.height())

    @property
    def total_ms(self) -> float:
        """All stages together."""
        return sum(self._stages_ms.values())

    def show_stages(self, stages_ms: Mapping[str, float], budget_ms: float) -> None:
        """Show a chunk that lasts `budget_ms` when it is played."""
        self._stages_ms, self._budget_ms = dict(stages_ms), budget_ms
        self.setAccessibleDescription(", ".join(f"{self._word(name)} {ms:.0f} ms" for name, ms in stages_ms.items()))
        self.update()

    def _word(self, stage: str) -> str:
        words = {
            "encode": self.tr("Hear"),
            "plan": self.tr("Plan"),
            "generator": self.tr("Generate"),
            "refiner": self.tr("Refine"),
            "posing": self.tr("Pose"),
            "vae": self.tr("Decode"),
        }
        return words.get(stage, stage)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows and the line at which the chunk's time is over."""
        del event
        colors = self._look.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPixelSize(12)
        painter.setFont(font)
        track = QRectF(_NAME_PX, 0, self.width() - _NAME_PX - _NUMBER_PX, _BAR_PX)
        scale = track.width() / max(self._budget_ms, self.total_ms, 1e-9)
        start_ms = 0.0
        for row, stage in enumerate((*STAGES, "")):
            ms = self._stages_ms.get(stage) if stage else (self.total_ms if self._stages_ms else None)
            middle = (row + 0.5) * _ROW_PX
            track.moveTop(middle - _BAR_PX / 2)
            painter.setPen(QColor(colors.edge if self._stages_ms else colors.edge_soft))
            painter.setBrush(QColor(colors.field))
            painter.drawRoundedRect(track.adjusted(-0.5, -0.5, 0.5, 0.5), 3.5, 3.5)
            painter.setPen(Qt.PenStyle.NoPen)
            if ms is not None:
                is_late = not stage and ms > self._budget_ms
                painter.setBrush(QColor(colors.stale if is_late else colors.accent if stage else colors.fresh))
                left = track.left() + (start_ms if stage else 0.0) * scale
                painter.drawRoundedRect(QRectF(left, track.top(), max(ms * scale, 2.0), _BAR_PX), 3, 3)
            start_ms += ms or 0.0
            self._draw_words(painter, middle, self._word(stage) if stage else self.tr("Chunk"), ms)
        if not self._stages_ms:
            return
        over = track.left() + self._budget_ms * scale
        painter.fillRect(QRectF(round(over), 4, 1, self.height() - 8), QColor(colors.playhead))

    def _draw_words(self, painter: QPainter, middle: float, name: str, ms: float | None) -> None:
        colors = self._look.colors
        row = QRectF(0, middle - _ROW_PX / 2, self.width(), _ROW_PX)
        painter.setPen(QColor(colors.text_soft))
        painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.setPen(QColor(colors.text if ms is not None else colors.text_faint))
        number = f"{ms:.0f} ms" if ms is not None else "–"
        painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)
