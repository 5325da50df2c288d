"""The cast as a Qt list model: name, portrait and who performs. Used by the library; knows no widget."""

from typing import Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QImage

from engine.errors import LpmError
from studio.project.document import Character
from studio.qt_models.images import image_of
from studio.qt_models.session import StudioSession

PORTRAIT_ROLE: Final = int(Qt.ItemDataRole.UserRole) + 1
CHARACTER_ROLE: Final = int(Qt.ItemDataRole.UserRole) + 2
IS_PERFORMING_ROLE: Final = int(Qt.ItemDataRole.UserRole) + 3
AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT: Final = QModelIndex()


class CharacterListModel(QAbstractListModel):
    """One row for each character of the project."""

    def __init__(self, session: StudioSession, parent: QObject | None = None) -> None:
        """Follow the session's document."""
        super().__init__(parent)
        self._session = session
        self._characters: tuple[Character, ...] = ()
        self._portraits: dict[str, QImage] = {}
        session.project_changed.connect(self._refresh)
        self._refresh()

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """How many characters there are."""
        return 0 if parent.isValid() else len(self._characters)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Name, description, portrait."""
        if not index.isValid() or index.row() >= len(self._characters):
            return None
        character = self._characters[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return character.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return character.description or character.name
        if role == PORTRAIT_ROLE:
            return self._portrait(character)
        if role == CHARACTER_ROLE:
            return character
        if role == IS_PERFORMING_ROLE:
            return character.id == self._session.project.character_id
        return None

    def row_of(self, character_id: str) -> int:
        """The row of a character, -1 if there is none."""
        return next((row for row, item in enumerate(self._characters) if item.id == character_id), -1)

    def picture(self, sha: str) -> QImage:
        """A reference picture by content hash; an empty image if it is damaged."""
        if sha not in self._portraits:
            try:
                image = image_of(self._session.store.media(sha), "PNG")
            except LpmError:
                image = QImage()
            self._portraits[sha] = image
        return self._portraits[sha]

    def _portrait(self, character: Character) -> QImage:
        portrait = character.portrait
        return QImage() if portrait is None else self.picture(portrait.media_sha)

    def _refresh(self) -> None:
        characters = self._session.project.characters
        if characters != self._characters:
            self.beginResetModel()
            self._characters = characters
            self.endResetModel()
        elif characters:
            self.dataChanged.emit(self.index(0), self.index(len(characters) - 1))
