"""The icons: small SVG files drawn in one colour, rendered in the colours of the current theme.

Called by views through `Look.icon`. Each icon is rendered for one, two and three device pixels a pixel.
"""

from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from engine.locations import assets_dir


@lru_cache(maxsize=128)
def _drawing(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def icon_pixmap(name: str, color: str, size_px: int, pixel_ratio: float = 1.0) -> QPixmap:
    """One icon in one colour, `size_px` logical pixels wide."""
    drawing = _drawing(assets_dir() / "icons" / f"{name}.svg").replace("currentColor", QColor(color).name())
    renderer = QSvgRenderer(QByteArray(drawing.encode()))
    side = round(size_px * pixel_ratio)
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, side, side))
    painter.end()
    pixmap.setDevicePixelRatio(pixel_ratio)
    return pixmap


def make_icon(name: str, color: str, disabled_color: str, size_px: int = 20) -> QIcon:
    """An icon for buttons and menus, with its disabled look."""
    icon = QIcon()
    for pixel_ratio in (1.0, 2.0, 3.0):
        icon.addPixmap(icon_pixmap(name, color, size_px, pixel_ratio))
        icon.addPixmap(icon_pixmap(name, disabled_color, size_px, pixel_ratio), QIcon.Mode.Disabled)
    return icon
