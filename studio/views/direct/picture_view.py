"""The picture: the frame that the sound has reached, as large as there is room, or what to do where there is none yet."""

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from studio.theme.look import Look

_MARGIN_PX: Final = 16
_RADIUS_PX: Final = 6.0
_WIDEST_HINT_PX: Final = 340.0
_HINT_GAP_PX: Final = 6.0


class PictureView(QWidget):
    """Paints one image, a badge in its corner and a hint over it."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        """Begin empty."""
        super().__init__(parent)
        self._look = look
        self._image = QImage()
        self._badge = ""
        self._badge_color = ""
        self._title = ""
        self._hint = ""
        self.setMinimumSize(240, 144)
        self.setAccessibleName(self.tr("Viewer"))
        look.changed.connect(self.update)

    @property
    def image(self) -> QImage:
        """What is shown."""
        return self._image

    @property
    def hint(self) -> str:
        """What is asked of the person."""
        return self._hint

    def sizeHint(self) -> QSize:
        """Room for a picture."""
        return QSize(560, 480)

    def show_image(self, image: QImage) -> None:
        """Show another picture; an empty one shows the hint alone."""
        self._image = image
        self.update()

    def set_badge(self, text: str, color: str = "") -> None:
        """Say in the corner what kind of picture this is."""
        if (text, color) != (self._badge, self._badge_color):
            self._badge, self._badge_color = text, color
            self.update()

    def set_hint(self, title: str, hint: str) -> None:
        """Say what to do next; blank says nothing."""
        self._title, self._hint = title, hint
        self.setAccessibleDescription(f"{title} {hint}".strip())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw stage, picture, badge and hint."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(self._look.colors.stage))
        area = self._picture_area()
        if not self._image.isNull():
            clip = QPainterPath()
            clip.addRoundedRect(area, _RADIUS_PX, _RADIUS_PX)
            painter.setClipPath(clip)
            painter.drawImage(area, self._image)
            painter.setClipping(False)
        if self._title:
            self._draw_hint(painter, area)
        if self._badge:
            self._draw_badge(painter, area)

    def _picture_area(self) -> QRectF:
        side = min(self.width(), self.height()) - 2 * _MARGIN_PX
        return QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)

    def _draw_badge(self, painter: QPainter, area: QRectF) -> None:
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(self._badge) + 32
        pill = QRectF(area.left() + 10, area.top() + 10, width, 22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(12, 13, 15, 190))
        painter.drawRoundedRect(pill, 11, 11)
        painter.setBrush(QColor(self._badge_color or self._look.colors.accent))
        painter.drawEllipse(QPointF(pill.left() + 12, pill.center().y()), 3.5, 3.5)
        painter.setPen(QColor("#f2f3f5"))
        painter.drawText(pill.adjusted(21, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, self._badge)

    def _draw_hint(self, painter: QPainter, area: QRectF) -> None:
        colors = self._look.colors
        is_over_picture = not self._image.isNull()
        room = area if is_over_picture else QRectF(self.rect())
        width = min(room.width() - 2 * _MARGIN_PX, _WIDEST_HINT_PX)
        lines = (
            (self._title, self._font(15, QFont.Weight.DemiBold), "#f2f3f5" if is_over_picture else colors.text),
            (self._hint, self._font(12, QFont.Weight.Normal), "#c3c7cf" if is_over_picture else colors.text_soft),
        )
        heights = [
            QFontMetricsF(font).boundingRect(QRectF(0, 0, width, self.height()), _CENTRE, words).height()
            for words, font, _ in lines
        ]
        height = sum(heights) + _HINT_GAP_PX
        top = room.center().y() - height / 2
        if is_over_picture:
            ground = QRectF(room.left(), room.bottom() - height - 2 * _MARGIN_PX, room.width(), height + 2 * _MARGIN_PX)
            self._draw_ground(painter, room, ground)
            top = ground.top() + _MARGIN_PX
        for (words, font, color), needed in zip(lines, heights, strict=True):
            painter.setFont(font)
            painter.setPen(QColor(color))
            painter.drawText(QRectF(room.center().x() - width / 2, top, width, needed), _CENTRE, words)
            top += needed + _HINT_GAP_PX

    def _font(self, size_px: int, weight: QFont.Weight) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(size_px)
        font.setWeight(weight)
        return font

    def _draw_ground(self, painter: QPainter, picture: QRectF, ground: QRectF) -> None:
        """Darken the part of the picture that words are on."""
        path = QPainterPath()
        path.addRoundedRect(picture, _RADIUS_PX, _RADIUS_PX)
        painter.setClipPath(path)
        painter.fillRect(ground, QColor(12, 13, 15, 205))
        painter.setClipping(False)


_CENTRE: Final = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
