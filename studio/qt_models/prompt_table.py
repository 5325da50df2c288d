"""The directions as a Qt table: from, to, words. The timeline's prompt track for keyboards and screen readers."""

from typing import Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from studio.commands.prompt_edits import set_prompt_text, trim_prompt
from studio.project.document import PromptSpan
from studio.project.timecode import format_timecode, parse_timecode
from studio.qt_models.session import StudioSession
from studio.qt_models.wording import timecode_words

FROM, TO, WORDS = range(3)
AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT: Final = QModelIndex()


class PromptTableModel(QAbstractTableModel):
    """One row for each direction; every cell can be edited."""

    def __init__(self, session: StudioSession, parent: QObject | None = None) -> None:
        """Follow the session's document."""
        super().__init__(parent)
        self._session = session
        self._prompts: tuple[PromptSpan, ...] = ()
        session.project_changed.connect(self._refresh)
        self._refresh()

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        """How many directions there are."""
        return 0 if parent.isValid() else len(self._prompts)

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        """From, to, words."""
        return 0 if parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The names of the columns."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("From"), self.tr("To"), self.tr("Direction"))[section]
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a cell says."""
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole, Qt.ItemDataRole.ToolTipRole):
            return None
        prompt = self._prompts[index.row()]
        if index.column() == WORDS:
            return prompt.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return timecode_words()
        return format_timecode(prompt.start_frame if index.column() == FROM else prompt.end_frame)

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Every cell can be edited."""
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: AnyIndex, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Change words or edges by a command; a time that is none is not taken."""
        if role != Qt.ItemDataRole.EditRole:
            return False
        prompt = self._prompts[index.row()]
        if index.column() == WORDS:
            text = str(value)
            return self._session.do("Edit direction", lambda project: set_prompt_text(project, prompt.id, text))
        frame = parse_timecode(str(value))
        if frame is None:
            return False
        start = frame if index.column() == FROM else prompt.start_frame
        end = frame if index.column() == TO else prompt.end_frame
        return self._session.do("Trim direction", lambda project: trim_prompt(project, prompt.id, start, end))

    def prompt_at_row(self, row: int) -> PromptSpan:
        """The direction of a row."""
        return self._prompts[row]

    def row_of(self, prompt_id: str) -> int:
        """The row of a direction, -1 if there is none."""
        return next((row for row, prompt in enumerate(self._prompts) if prompt.id == prompt_id), -1)

    def _refresh(self) -> None:
        prompts = self._session.project.timeline.prompts
        if len(prompts) != len(self._prompts):
            self.beginResetModel()
            self._prompts = prompts
            self.endResetModel()
        elif prompts != self._prompts:
            self._prompts = prompts
            self.dataChanged.emit(self.index(0, FROM), self.index(len(prompts) - 1, WORDS))
