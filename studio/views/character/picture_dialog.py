"""The dialog that makes a character of one picture: what of it is seen, what it is called, and why this face may be used."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPaintEvent, QPen, QTransform
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from engine.characters import MAX_LETTERS
from studio.views.properties.form import fields, heading, note

PREVIEW_PX: Final = 208
WORDS_PX: Final = 344
_RADIUS_PX: Final = 8.0
_EDGE: Final = QColor(128, 128, 128, 72)


class SquarePreview(QWidget):
    """A picture as large as its place, with round corners."""

    def __init__(self, image: QImage, parent: QWidget | None = None) -> None:
        """Show the picture."""
        super().__init__(parent)
        self._image = image
        self.setFixedSize(QSize(PREVIEW_PX, PREVIEW_PX))
        self.setAccessibleName(self.tr("The picture, cut to a square"))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it, with an edge that holds a white picture on a white ground and a black one on a black."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setPen(QPen(_EDGE, 1.0))
        painter.setBrush(self._brush())
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), _RADIUS_PX, _RADIUS_PX)

    def _brush(self) -> QBrush:
        """The picture to paint with: a clip would leave the corners ragged."""
        ratio = self.devicePixelRatioF()
        side_px = round(PREVIEW_PX * ratio)
        scaled = self._image.scaled(
            side_px, side_px, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        brush = QBrush(scaled)
        brush.setTransform(QTransform.fromScale(1.0 / ratio, 1.0 / ratio))
        return brush


class PictureDialog(QDialog):
    """Accepted where the character shall be made; `name` and `consent` are what was typed."""

    def __init__(self, image: QImage, name: str, parent: QWidget | None = None) -> None:
        """Show the square picture, and suggest a name."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Character from a picture"))
        self.name_line, self.consent_line = QLineEdit(), QLineEdit()
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.create_button = self._buttons.addButton(self.tr("Create"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._fill(name)
        self._compose(SquarePreview(image))

    @property
    def name(self) -> str:
        """What it is called."""
        return " ".join(self.name_line.text().split())

    @property
    def consent(self) -> str:
        """Why this face may be used; blank where nothing was said."""
        return self.consent_line.text().strip()

    def _fill(self, name: str) -> None:
        self.name_line.setMaxLength(MAX_LETTERS["name"])
        self.name_line.textChanged.connect(lambda _: self.create_button.setEnabled(bool(self.name)))
        self.name_line.setText(name)
        self.name_line.selectAll()
        self.consent_line.setMaxLength(MAX_LETTERS["consent"])
        self.consent_line.setPlaceholderText(self.tr("e.g. a photo of me, or drawn by me"))
        self.consent_line.setAccessibleName(self.tr("Why this face may be used"))
        self.create_button.setObjectName("primary")
        self.create_button.setDefault(True)
        self.create_button.setEnabled(bool(self.name))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    def _compose(self, preview: SquarePreview) -> None:
        words = QVBoxLayout()
        words.setSpacing(8)
        words.addWidget(heading(self.tr("Who is this?")))
        words.addSpacing(4)
        words.addLayout(fields([(self.tr("Name"), self.name_line), (self.tr("Consent"), self.consent_line)]))
        words.addSpacing(4)
        words.addWidget(
            note(self.tr("Say why this face may be used. Left blank, you answer for the right to use it yourself."))
        )
        words.addStretch(1)
        words.addWidget(note(self.tr("The character stays at hand for other projects.")))
        upper = QHBoxLayout()
        upper.setSpacing(24)
        upper.addWidget(preview, 0, Qt.AlignmentFlag.AlignTop)
        upper.addLayout(words, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(16)
        layout.addLayout(upper)
        layout.addWidget(self._buttons)
        self.setMinimumWidth(PREVIEW_PX + WORDS_PX + 72)
