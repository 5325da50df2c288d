"""A choice of devices, whose names may be longer than there is room: they end in an ellipsis, and whole in the tool tip."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

LEAST_LETTERS: Final = 10
LIST_FRAME_PX: Final = 24
WIDEST_LIST_PX: Final = 560


class DeviceBox(QComboBox):
    """As wide as its place; no name widens it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Begin empty."""
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(LEAST_LETTERS)
        self.currentTextChanged.connect(self.setToolTip)

    def showPopup(self) -> None:
        """Open a list that is wide enough for the longest name."""
        names_px = self.view().sizeHintForColumn(0) + LIST_FRAME_PX
        self.view().setMinimumWidth(min(max(names_px, self.width()), WIDEST_LIST_PX))
        super().showPopup()

    def paintEvent(self, event: QPaintEvent) -> None:
        """As every box is drawn, but for the words."""
        del event
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        place = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            self.currentText(), Qt.TextElideMode.ElideRight, place.width() - 4
        )
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
