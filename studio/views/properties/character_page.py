"""The page of a character: who it is, where it comes from, and the way out of the cast."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio.commands.project_edits import choose_character, remove_character
from studio.qt_models.portrait_warnings import PortraitWarnings
from studio.qt_models.session import StudioSession
from studio.qt_models.wording import counted
from studio.views.properties.form import heading, note, warning


class CharacterPage(QWidget):
    """Tells of the selected character."""

    def __init__(self, session: StudioSession, warnings: PortraitWarnings, parent: QWidget | None = None) -> None:
        """Follow document, selection and what is known of portraits."""
        super().__init__(parent)
        self.setObjectName("scrolled")
        self._session = session
        self._warnings = warnings
        self._name = heading("")
        self._description = note()
        self._facts = note()
        self.warning = warning()
        for label in (self._name, self._description):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.perform = QPushButton(self.tr("Let perform"))
        self.perform.clicked.connect(self._choose)
        remove = QPushButton(self.tr("Remove from project"))
        remove.clicked.connect(self._remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(8)
        for widget in (self._name, self._description, self._facts, self.warning):
            layout.addWidget(widget)
        line = QHBoxLayout()
        line.addWidget(self.perform)
        line.addWidget(remove)
        line.addStretch(1)
        layout.addSpacing(8)
        layout.addLayout(line)
        layout.addStretch(1)
        session.project_changed.connect(self.refresh)
        session.selection_changed.connect(self.refresh)
        warnings.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the selected character."""
        selection = self._session.selection
        project = self._session.project
        character = next((item for item in project.characters if item.id == selection.id), None)
        if selection.kind != "character" or character is None:
            return
        self._name.setText(character.name)
        self._description.setText(character.description)
        self._description.setVisible(bool(character.description))
        origin = self.tr("Synthetic") if character.origin == "synthetic" else self.tr("Imported pictures")
        is_performing = character.id == project.character_id
        num = len(character.references)
        facts = [origin, counted(num, self.tr("{num} reference picture"), self.tr("{num} reference pictures"))]
        facts += [self.tr("Performs in this project")] if is_performing else []
        self._facts.setText("\n".join(facts))
        self.warning.setText(self._warnings.of(character))
        self.warning.setVisible(bool(self.warning.text()))
        self.perform.setVisible(not is_performing)

    def _choose(self) -> None:
        character_id = self._session.selection.id
        self._session.do(self.tr("Choose character"), lambda project: choose_character(project, character_id))

    def _remove(self) -> None:
        character_id = self._session.selection.id
        self._session.select()
        self._session.do(self.tr("Remove character"), lambda project: remove_character(project, character_id))
