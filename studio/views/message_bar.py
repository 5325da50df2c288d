"""One clear message at the top of the window: what went wrong or what was done. It goes by itself or when closed."""

from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from studio.theme.look import Look

SHOWN_MS: Final = 9000
WORDS_PX: Final = (320, 640)  # a long message is not squeezed into a narrow column


class MessageBar(QFrame):
    """Floats over its parent, above in the middle."""

    def __init__(self, look: Look, parent: QWidget) -> None:
        """Begin hidden."""
        super().__init__(parent)
        self.setObjectName("message")
        self._look = look
        self._host = parent
        self._is_busy = False
        self._sign = QLabel()
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        close = QToolButton()
        close.setIcon(look.icon("close", look.colors.text_soft))
        close.setIconSize(QSize(14, 14))
        close.setAccessibleName(self.tr("Close message"))
        close.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 12, 8, 12)
        layout.setSpacing(12)
        layout.addWidget(self._sign)
        layout.addWidget(self._words, 1)
        layout.addWidget(close)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        parent.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """What is said."""
        return self._words.text() if not self.isHidden() else ""

    def show_error(self, text: str) -> None:
        """Say what went wrong."""
        self._show(text, "warning", self._look.colors.error)

    def show_done(self, text: str) -> None:
        """Say what was done."""
        self._show(text, "check", self._look.colors.fresh)

    def show_busy(self, text: str) -> None:
        """Say what is being done, until `end_busy`."""
        self._show(text, "import", self._look.colors.text_soft)
        self._timer.stop()
        self._is_busy = True

    def end_busy(self) -> None:
        """It is done; anything that was said since stays."""
        if self._is_busy:
            self.hide()

    def _show(self, text: str, sign: str, color: str) -> None:
        self._is_busy = False
        self._sign.setPixmap(self._look.icon(sign, color).pixmap(QSize(20, 20)))
        self._words.setText(text)
        self.setAccessibleName(text)
        self.show()
        self.raise_()
        self._place()
        self._timer.start(SHOWN_MS)

    def _place(self) -> None:
        wanted_px = self._words.fontMetrics().horizontalAdvance(self._words.text()) + 4
        self._words.setFixedWidth(min(max(wanted_px, WORDS_PX[0]), WORDS_PX[1]))
        self.adjustSize()
        self.move((self._host.width() - self.width()) // 2, 64)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in place when the window changes its size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)
