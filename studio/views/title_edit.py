"""The project's title in the top bar: a field that ends a long title in an ellipsis while nobody types in it."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QLineEdit, QStyle, QStyleOptionFrame, QStylePainter, QWidget


class TitleEdit(QLineEdit):
    """Shows as much of its text as there is room for; the whole of it is in the tool tip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Begin empty, in the middle of its place."""
        super().__init__(parent)
        self.setObjectName("title")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)

    @property
    def shown_text(self) -> str:
        """The text as it is painted: shortened, unless somebody types or there is room for all of it."""
        if self.hasFocus():
            return self.text()
        option = QStyleOptionFrame()
        self.initStyleOption(option)
        place = self.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, self)
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, place.width() - 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        """As every field is drawn, but for a title that is too long."""
        shown = self.shown_text
        if shown == self.text():
            super().paintEvent(event)
            return
        option = QStyleOptionFrame()
        self.initStyleOption(option)
        painter = QStylePainter(self)
        painter.drawPrimitive(QStyle.PrimitiveElement.PE_PanelLineEdit, option)
        place = self.style().subElementRect(QStyle.SubElement.SE_LineEditContents, option, self)
        painter.setPen(self.palette().text().color())
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, shown)
