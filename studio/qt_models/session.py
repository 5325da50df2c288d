"""The open project as Qt sees it: one object whose signals tell that the document, the takes or the selection changed.

Made in `app.py` and handed to every view. Views read `session.project` and change it through `session.do`; an error while
saving becomes one message, never an exception in a slot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.errors import LpmError
from studio.commands.funnel import CommandFunnel, Edit
from studio.project.document import Project
from studio.project.render_plan import chunk_hashes
from studio.project.sound_cache import SoundCache
from studio.project.store import ProjectStore
from studio.project.takes import ChunkState, Take, chunk_states, frame_picture, list_takes


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is selected: `kind` is "", "sound", "prompt" or "character"."""

    kind: str = ""
    id: str = ""


class StudioSession(QObject):
    """Holds the open project's store and funnel."""

    project_opened = Signal()
    project_changed = Signal()
    takes_changed = Signal()
    selection_changed = Signal()
    failed = Signal(str)

    def __init__(self, store: ProjectStore, parent: QObject | None = None) -> None:
        """Begin with an open store, which belongs to the session from now on."""
        super().__init__(parent)
        self.selection = Selection()
        self._open(store)

    def _open(self, store: ProjectStore) -> None:
        self.store = store
        self.funnel = CommandFunnel(store)
        self.funnel.add_listener(self._changed)
        self.sounds = SoundCache(store.media)
        self._hashed = (store.project, chunk_hashes(store.project))

    @property
    def project(self) -> Project:
        """The current document."""
        return self.store.project

    @property
    def path(self) -> Path:
        """Where the project lies."""
        return self.store.path

    def switch_to(self, store: ProjectStore) -> None:
        """Close the open project and go on with another."""
        old = self.store
        self._open(store)
        old.tidy()
        old.close()
        self.selection = Selection()
        self.selection_changed.emit()
        self.project_opened.emit()
        self.project_changed.emit()
        self.takes_changed.emit()

    def close(self) -> None:
        """Close the project file."""
        self.store.tidy()
        self.store.close()

    def do(self, label: str, edit: Edit, merge_key: str = "") -> bool:
        """Change the document by a command; a failure is told by `failed` and changes nothing."""
        return self._tried(lambda: self.funnel.do(label, edit, merge_key))

    def undo(self) -> bool:
        """Take the last edit back; a failure is told as by `do`."""
        return self._tried(self.funnel.undo)

    def redo(self) -> bool:
        """Do it again; a failure is told as by `do`."""
        return self._tried(self.funnel.redo)

    def _tried(self, change: Callable[[], bool]) -> bool:
        try:
            return change()
        except (LpmError, ValueError) as error:
            self.failed.emit(str(error))
            return False

    def select(self, kind: str = "", item_id: str = "") -> None:
        """Select a sound, a direction or a character, or nothing."""
        selection = Selection(kind=kind, id=item_id)
        if selection != self.selection:
            self.selection = selection
            self.selection_changed.emit()

    def picture_of(self, frame: int) -> bytes | None:
        """The rendered picture of a frame as JPEG."""
        return frame_picture(self.store, frame)

    def chunk_states(self) -> tuple[ChunkState, ...]:
        """What of the timeline is rendered, and what has changed since."""
        if self._hashed[0] is not self.project:  # asked for at each edit and each rendered piece, by every panel
            self._hashed = (self.project, chunk_hashes(self.project))
        return chunk_states(self.store, self._hashed[1])

    def newest_take(self) -> Take | None:
        """The last render."""
        takes = list_takes(self.store)
        return takes[0] if takes else None

    def _changed(self) -> None:
        selection, project = self.selection, self.project
        is_there = {
            "": True,
            "sound": project.sound(selection.id) is not None,
            "prompt": project.prompt(selection.id) is not None,
            "character": any(character.id == selection.id for character in project.characters),
        }
        if not is_there[selection.kind]:
            self.select()
        self.project_changed.emit()
        self.takes_changed.emit()
