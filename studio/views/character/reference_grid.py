"""The reference pictures of a character, in groups: global, views, expressions. A press shows one in the viewer."""

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QLabel, QVBoxLayout, QWidget

from studio.project.document import REFERENCE_KINDS, Character, Reference
from studio.theme.look import Look

THUMBNAIL_PX: Final = 60
COLUMNS: Final = 4
_LABEL_PX: Final = 18


class ReferenceButton(QAbstractButton):
    """One reference picture with its name under it."""

    def __init__(self, image: QImage, label: str, look: Look, parent: QWidget | None = None) -> None:
        """Show the picture."""
        super().__init__(parent)
        self._image = image
        self._look = look
        self.setText(label)
        self.setAccessibleName(self.tr("Reference picture: {label}").format(label=label))
        self.setToolTip(label)
        self.setFixedSize(THUMBNAIL_PX, THUMBNAIL_PX + _LABEL_PX)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    @property
    def image(self) -> QImage:
        """The picture at its own size."""
        return self._image

    def sizeHint(self) -> QSize:
        """Picture and name."""
        return self.size()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw picture, name and focus."""
        del event
        colors = self._look.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        area = QRectF(0, 0, self.width(), self.width())
        path = QPainterPath()
        path.addRoundedRect(area, 6, 6)
        painter.setClipPath(path)
        painter.fillRect(area, QColor(colors.raised))
        painter.drawImage(area, self._image)
        painter.setClipping(False)
        if self.hasFocus() or self.underMouse():
            painter.setPen(QPen(QColor(colors.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area.adjusted(1, 1, -1, -1), 6, 6)
        font = QFont(self.font())
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(QColor(colors.text_soft))
        words = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(0, self.width(), self.width(), _LABEL_PX), Qt.AlignmentFlag.AlignCenter, words)


class ReferenceGrid(QWidget):
    """All references of one character."""

    chosen = Signal(QImage, str)

    def __init__(self, look: Look, picture: Callable[[str], QImage], parent: QWidget | None = None) -> None:
        """`picture` gives the image of a reference by its content hash."""
        super().__init__(parent)
        self.setObjectName("scrolled")
        self._look = look
        self._picture = picture
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._content: QWidget | None = None

    def show_character(self, character: Character | None) -> None:
        """Show the references of another character."""
        if self._content is not None:
            self._layout.removeWidget(self._content)
            self._content.deleteLater()
        self._content = QWidget()
        self._content.setObjectName("scrolled")
        groups = QVBoxLayout(self._content)
        groups.setContentsMargins(0, 0, 0, 0)
        groups.setSpacing(8)
        names = {"global": self.tr("Global"), "view": self.tr("Views"), "expression": self.tr("Expressions")}
        for kind in REFERENCE_KINDS:
            references = [ref for ref in character.references if ref.kind == kind] if character else []
            if references:
                heading = QLabel(names[kind])
                heading.setProperty("soft", True)
                groups.addWidget(heading)
                groups.addLayout(self._group(references))
        groups.addStretch(1)
        self._layout.addWidget(self._content)

    def _group(self, references: list[Reference]) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(6)
        grid.setAlignment(Qt.AlignmentFlag.AlignLeft)
        for place, reference in enumerate(references):
            button = ReferenceButton(self._picture(reference.media_sha), reference.label, self._look)
            button.clicked.connect(lambda _=False, button=button: self.chosen.emit(button.image, button.text()))
            grid.addWidget(button, place // COLUMNS, place % COLUMNS)
        return grid
