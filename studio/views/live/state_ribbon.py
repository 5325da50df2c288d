"""The ribbon: what the character is doing now, in words, and what it did in the last half minute."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.project.timecode import FRAME_RATE_HZ
from studio.theme.colors import Colors
from studio.theme.look import Look

SHOWN_FRAMES: Final = 30 * FRAME_RATE_HZ
STATES: Final = ("warm-up", "idle", "listening", "responding")
_CHIP_PX: Final = 26
_STRIP_PX: Final = 18
_GAP_PX: Final = 8
_REDRAWN_EVERY: Final = 3


@dataclass
class _Span:
    state: str
    num_frames: int
    is_repeat: bool


def state_color(state: str, colors: Colors) -> str:
    """The colour of a state; the two voices' states have the colours of their tracks."""
    by_state = {"idle": colors.prompt, "listening": colors.listen, "responding": colors.speak}
    return by_state.get(state, colors.text_soft)


class StateRibbon(QWidget):
    """Four words, the present one filled, over a strip that moves to the left. Where a picture was not ready it is half as high."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        """Begin empty."""
        super().__init__(parent)
        self._look = look
        self._spans: deque[_Span] = deque()
        self._num_frames = 0
        self.state = ""
        self.setFixedHeight(_CHIP_PX + _GAP_PX + _STRIP_PX)
        self.setAccessibleName(self.tr("What the character is doing"))
        look.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(480, self.height())

    def begin(self) -> None:
        """A session opens: warm-up."""
        self._spans.clear()
        self._num_frames = 0
        self._set_state(STATES[0])
        self.update()

    def end(self) -> None:
        """No session."""
        self._set_state("")
        self.update()

    def add(self, state: str, is_repeat: bool) -> None:
        """A frame was shown."""
        last = self._spans[-1] if self._spans else None
        if last is not None and (last.state, last.is_repeat) == (state, is_repeat):
            last.num_frames += 1
        else:
            self._spans.append(_Span(state, 1, is_repeat))
        self._num_frames += 1
        while self._num_frames - self._spans[0].num_frames > SHOWN_FRAMES:
            self._num_frames -= self._spans.popleft().num_frames
        is_other = state != self.state
        self._set_state(state)
        if is_other or self._num_frames % _REDRAWN_EVERY == 0:
            self.update()

    def _set_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.setAccessibleDescription(self._word(state))

    def _word(self, state: str) -> str:
        words = {
            "warm-up": self.tr("Warm-up"),
            "idle": self.tr("Idle"),
            "listening": self.tr("Listening"),
            "responding": self.tr("Responding"),
        }
        return words.get(state, "")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the words and the strip."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_words(painter)
        self._draw_strip(painter, QRectF(0, _CHIP_PX + _GAP_PX, self.width(), _STRIP_PX))

    def _draw_words(self, painter: QPainter) -> None:
        colors = self._look.colors
        width = (self.width() - _GAP_PX * (len(STATES) - 1)) / len(STATES)
        font = QFont(self.font())
        font.setPixelSize(12)
        for index, state in enumerate(STATES):
            chip = QRectF(index * (width + _GAP_PX), 0, width, _CHIP_PX)
            is_now = state == self.state
            font.setWeight(QFont.Weight.DemiBold if is_now else QFont.Weight.Normal)
            painter.setFont(font)
            painter.setPen(QColor(state_color(state, colors) if is_now else colors.edge_soft))
            painter.setBrush(QColor(state_color(state, colors) if is_now else colors.raised))
            painter.drawRoundedRect(chip.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            painter.setPen(Qt.PenStyle.NoPen)
            word = self._word(state)
            word_px = painter.fontMetrics().horizontalAdvance(word)
            left = chip.center().x() - (word_px + 14) / 2
            if not is_now:
                painter.setBrush(QColor(state_color(state, colors)))
                painter.drawEllipse(QPointF(left + 3, chip.center().y()), 3, 3)
            painter.setPen(QColor(colors.on_accent if is_now else colors.text_soft))
            area = chip if is_now else chip.adjusted(14, 0, 0, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, word)

    def _draw_strip(self, painter: QPainter, strip: QRectF) -> None:
        colors = self._look.colors
        clip = QPainterPath()
        clip.addRoundedRect(strip, 4, 4)
        painter.setClipPath(clip)
        painter.fillRect(strip, QColor(colors.field))
        right = strip.right()
        pixels_a_frame = strip.width() / SHOWN_FRAMES
        for span in reversed(self._spans):
            width = span.num_frames * pixels_a_frame
            color = QColor(state_color(span.state, colors))
            color.setAlpha(200)
            top = strip.center().y() if span.is_repeat else strip.top()
            painter.fillRect(QRectF(right - width, top, width + 0.5, strip.bottom() - top), color)
            right -= width
        painter.setClipping(False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QColor(colors.edge if self.state else colors.edge_soft))
        painter.drawRoundedRect(strip.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
