"""The menu from which a project's cast is made: the characters at hand, a picture, or any folder."""

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QWidget

from engine.characters import list_characters


class CastMenu(QMenu):
    """Looks for characters each time it is opened."""

    picked = Signal(Path)
    picture_wanted = Signal()
    folder_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Nothing is read before it is opened."""
        super().__init__(parent)
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for card in list_characters():
            action = self.addAction(card.name.replace("&", "&&"))
            action.setToolTip(card.description)
            action.triggered.connect(lambda _=False, folder=card.folder: self.picked.emit(folder))
        if not self.isEmpty():
            self.addSeparator()
        self.addAction(self.tr("From a picture…")).triggered.connect(lambda _=False: self.picture_wanted.emit())
        self.addAction(self.tr("From a folder…")).triggered.connect(lambda _=False: self.folder_wanted.emit())
