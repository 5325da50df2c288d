"""How a character looks in the library's list: round portrait, name, and who performs."""

from typing import Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio.project.document import Character
from studio.qt_models.character_list import CHARACTER_ROLE, IS_PERFORMING_ROLE, PORTRAIT_ROLE
from studio.qt_models.wording import counted
from studio.theme.look import Look

ROW_HEIGHT_PX: Final = 56
_PORTRAIT_PX: Final = 40


class CharacterDelegate(QStyledItemDelegate):
    """Paints one row of the cast."""

    def __init__(self, look: Look, parent: QObject | None = None) -> None:
        """Paint in the current colours."""
        super().__init__(parent)
        self._look = look

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """A portrait with air around it."""
        del option, index
        return QSize(160, ROW_HEIGHT_PX)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw ground, portrait and words."""
        colors = self._look.colors
        character = index.data(CHARACTER_ROLE)
        if not isinstance(character, Character):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        area = QRectF(option.rect).adjusted(0, 2, 0, -2)
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.selection if is_selected else colors.hover))
            painter.drawRoundedRect(area, 6, 6)
        circle = QRectF(area.left() + 8, area.center().y() - _PORTRAIT_PX / 2, _PORTRAIT_PX, _PORTRAIT_PX)
        self._draw_portrait(painter, circle, index.data(PORTRAIT_ROLE))
        is_performing = bool(index.data(IS_PERFORMING_ROLE))
        if is_performing:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colors.accent), 2))
            painter.drawEllipse(circle.adjusted(-1, -1, 1, 1))
        words = area.adjusted(_PORTRAIT_PX + 20, 6, -8, -6)
        self._draw_words(painter, words, character, is_performing)
        painter.restore()

    def _draw_portrait(self, painter: QPainter, circle: QRectF, image: object) -> None:
        clip = QPainterPath()
        clip.addEllipse(circle)
        painter.setClipPath(clip)
        painter.fillRect(circle, QColor(self._look.colors.raised))
        if isinstance(image, QImage) and not image.isNull():
            painter.drawImage(circle, image)
        painter.setClipping(False)

    def _draw_words(self, painter: QPainter, area: QRectF, character: Character, is_performing: bool) -> None:
        colors = self._look.colors
        font = QFont(painter.font())
        font.setPixelSize(13)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(colors.text))
        half = area.height() / 2
        name = painter.fontMetrics().elidedText(character.name, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(area.adjusted(0, 0, 0, -half), Qt.AlignmentFlag.AlignVCenter, name)
        font.setPixelSize(11)
        font.setWeight(QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(colors.text_soft))
        views = sum(reference.kind == "view" for reference in character.references)
        expressions = sum(reference.kind == "expression" for reference in character.references)
        text = ", ".join(
            (
                counted(views, self.tr("{num} view"), self.tr("{num} views")),
                counted(expressions, self.tr("{num} expression"), self.tr("{num} expressions")),
            )
        )
        if is_performing:
            text = self.tr("Performs") + " · " + text
        text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(area.adjusted(0, half, 0, 0), Qt.AlignmentFlag.AlignVCenter, text)
