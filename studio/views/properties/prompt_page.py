"""The page of a direction: its words, its span, and words to begin with."""

from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from engine.turns import parts_in_turn
from studio.commands.prompt_edits import delete_prompt, set_prompt_text, trim_prompt
from studio.project.document import MAX_PROMPT_CHARACTERS
from studio.project.timecode import CHUNK_FRAMES, seconds_text
from studio.qt_models.session import StudioSession
from studio.qt_models.turn_notes import turn_notes
from studio.qt_models.wording import counted
from studio.views.properties.form import fields, heading, note
from studio.views.properties.timecode_edit import TimecodeEdit

SUGGESTIONS: Final = (
    ("smiles warmly", "talks calmly"),
    ("looks surprised", "looks away"),
    ("looks sad", "nods", "leans in"),
    ("turns around", "in profile"),
)


class PromptPage(QWidget):
    """Edits the selected direction; typing is one undo step until something else is done."""

    table_requested = Signal()

    def __init__(self, session: StudioSession, parent: QWidget | None = None) -> None:
        """Follow document and selection."""
        super().__init__(parent)
        self.setObjectName("scrolled")
        self._session = session
        self._shown_id = ""
        self.words = QPlainTextEdit()
        self.words.setPlaceholderText(
            self.tr("What should the character do? For example: smiles warmly, then looks left")
        )
        self.words.setAccessibleName(self.tr("Words of the direction"))
        self.words.setTabChangesFocus(True)
        self.words.setFixedHeight(80)
        self.words.textChanged.connect(self._words_changed)
        self.words.installEventFilter(self)
        self.start = TimecodeEdit(self.tr("From"))
        self.end = TimecodeEdit(self.tr("To"))
        self.start.frame_edited.connect(lambda frame: self._trim(frame, None))
        self.end.frame_edited.connect(lambda frame: self._trim(None, frame))
        self._note = note()
        self._compose()
        session.project_changed.connect(self.refresh)
        session.selection_changed.connect(self.refresh)
        self.refresh()

    def _compose(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(8)
        layout.addWidget(heading(self.tr("Direction")))
        layout.addWidget(self.words)
        for row in SUGGESTIONS:
            line = QHBoxLayout()
            line.setSpacing(6)
            for words in row:
                chip = QPushButton(self.tr(words))
                chip.setObjectName("chip")
                chip.setToolTip(self.tr("Add these words"))
                chip.clicked.connect(lambda _=False, chip=chip: self._add_words(chip.text()))
                line.addWidget(chip)
            line.addStretch(1)
            layout.addLayout(line)
        layout.addSpacing(8)
        layout.addLayout(fields([(self.tr("From"), self.start), (self.tr("To"), self.end)]))
        layout.addWidget(self._note)
        delete = QPushButton(self.tr("Delete"))
        delete.setToolTip(self.tr("Delete direction"))
        delete.clicked.connect(self._delete)
        table = QPushButton(self.tr("All directions…"))
        table.clicked.connect(self.table_requested)
        line = QHBoxLayout()
        line.addWidget(delete)
        line.addWidget(table)
        line.addStretch(1)
        layout.addSpacing(8)
        layout.addLayout(line)
        layout.addStretch(1)

    def refresh(self) -> None:
        """Show the selected direction."""
        selection = self._session.selection
        prompt = self._session.project.prompt(selection.id) if selection.kind == "prompt" else None
        if prompt is None:
            self._shown_id = ""
            return
        is_same = self._shown_id == prompt.id and " ".join(self.words.toPlainText().split()) == prompt.text
        if not is_same:
            self.words.blockSignals(True)
            self.words.setPlainText(prompt.text)
            self.words.blockSignals(False)
        self._shown_id = prompt.id
        self.start.set_frame(prompt.start_frame)
        self.end.set_frame(prompt.end_frame)
        chunks = round(prompt.num_frames / CHUNK_FRAMES, 2)
        note_text = self.tr("{length}, {chunks}. A direction takes effect at the next chunk boundary.").format(
            length=seconds_text(prompt.num_frames),
            chunks=counted(chunks, self.tr("{num} chunk"), self.tr("{num} chunks")),
        )
        parts = parts_in_turn(prompt.text)
        if len(parts) > 1:
            note_text += " " + self.tr("One after another, {length} each: {parts}.").format(
                length=seconds_text(prompt.num_frames // len(parts)), parts="; ".join(parts)
            )
        turning = turn_notes(self._session.project.character, prompt.text)
        self._note.setText(f"{note_text} {turning}".strip())

    def edit(self) -> None:
        """Put the cursor into the words."""
        self.words.setFocus()
        self.words.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Escape and Ctrl+Enter leave the words; undo and redo are the project's, not the field's."""
        if watched is not self.words or not isinstance(event, QKeyEvent):
            return super().eventFilter(watched, event)
        is_undo = event.matches(QKeySequence.StandardKey.Undo) or event.matches(QKeySequence.StandardKey.Redo)
        if is_undo and event.type() == QEvent.Type.ShortcutOverride:
            event.ignore()
            return True
        if event.type() == QEvent.Type.KeyPress:
            is_done = event.key() == Qt.Key.Key_Escape or (
                event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
                and event.modifiers() & Qt.KeyboardModifier.ControlModifier
            )
            if is_done:
                self.words.clearFocus()
                return True
        return super().eventFilter(watched, event)

    def _words_changed(self) -> None:
        prompt_id = self._shown_id
        text = self.words.toPlainText()[:MAX_PROMPT_CHARACTERS]
        if prompt_id:
            self._session.do(
                self.tr("Edit direction"),
                lambda project: set_prompt_text(project, prompt_id, text),
                merge_key=f"words {prompt_id}",
            )

    def _add_words(self, words: str) -> None:
        before = self.words.toPlainText().strip()
        self.words.setPlainText(f"{before}, {words}" if before else words)

    def _trim(self, start_frame: int | None, end_frame: int | None) -> None:
        prompt = self._session.project.prompt(self._shown_id)
        if prompt is not None:
            start = prompt.start_frame if start_frame is None else start_frame
            end = prompt.end_frame if end_frame is None else end_frame
            self._session.do(self.tr("Trim direction"), lambda project: trim_prompt(project, prompt.id, start, end))
            self.refresh()

    def _delete(self) -> None:
        prompt_id = self._shown_id
        self._session.do(self.tr("Delete direction"), lambda project: delete_prompt(project, prompt_id))
