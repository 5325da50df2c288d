"""The current look: which colours hold, told to everything that paints itself.

Made once in `app.py` and handed to the views. It follows the system's light or dark unless the person chose one.
"""

from enum import Enum

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPalette
from PySide6.QtWidgets import QApplication

from studio.theme.colors import DARK, LIGHT, Colors
from studio.theme.icons import icon_pixmap, make_icon
from studio.theme.stylesheet import stylesheet


class LookChoice(Enum):
    """What the person chose in the preferences."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"


class Look(QObject):
    """Colours and icons of the studio; `changed` tells that they are others now."""

    changed = Signal()

    def __init__(self, application: QApplication, choice: LookChoice = LookChoice.SYSTEM) -> None:
        """Dress the application."""
        super().__init__()
        self._application = application
        self._choice = choice
        self.colors: Colors = DARK
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)
        self._dress()

    @property
    def choice(self) -> LookChoice:
        """What the person chose."""
        return self._choice

    def choose(self, choice: LookChoice) -> None:
        """Change to dark, light or what the system has."""
        self._choice = choice
        self._dress()

    def icon(self, name: str, color: str = "") -> QIcon:
        """An icon in the text colour, or in another."""
        return make_icon(name, color or self.colors.text, self.colors.text_faint)

    def pixmap(self, name: str, color: str, size_px: int, pixel_ratio: float) -> object:
        """An icon as a picture, for places that paint themselves."""
        return icon_pixmap(name, color, size_px, pixel_ratio)

    def _follow(self) -> None:
        if self._choice is LookChoice.SYSTEM:
            self._dress()

    def _dress(self) -> None:
        is_light = self._choice is LookChoice.LIGHT
        if self._choice is LookChoice.SYSTEM:
            is_light = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Light
        self.colors = LIGHT if is_light else DARK
        self._application.setStyle("Fusion")
        self._application.setPalette(palette(self.colors))
        self._application.setStyleSheet(stylesheet(self.colors))
        self.changed.emit()


def palette(colors: Colors) -> QPalette:
    """The same colours for what Qt draws without a style sheet."""
    made = QPalette()
    roles = {
        QPalette.ColorRole.Window: colors.window,
        QPalette.ColorRole.WindowText: colors.text,
        QPalette.ColorRole.Base: colors.field,
        QPalette.ColorRole.AlternateBase: colors.panel,
        QPalette.ColorRole.Text: colors.text,
        QPalette.ColorRole.Button: colors.raised,
        QPalette.ColorRole.ButtonText: colors.text,
        QPalette.ColorRole.ToolTipBase: colors.raised,
        QPalette.ColorRole.ToolTipText: colors.text,
        QPalette.ColorRole.PlaceholderText: colors.placeholder,
        QPalette.ColorRole.Highlight: colors.accent,
        QPalette.ColorRole.HighlightedText: colors.on_accent,
        QPalette.ColorRole.Link: colors.accent,
    }
    for role, color in roles.items():
        made.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(colors.text_faint))
    return made
