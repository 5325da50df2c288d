"""The one funnel of change: an edit is a pure function on the document; here it is saved and made undoable.

The window, the command line and scripts all change a project through `CommandFunnel.do`. Each call is one committed
transaction in the store. Knows no Qt; whoever wants to hear of changes adds a listener.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from studio.project.document import Project
from studio.project.store import ProjectStore

Edit = Callable[[Project], Project]
MAX_UNDO_STEPS: Final = 500


@dataclass(frozen=True, kw_only=True)
class Step:
    """One undoable change: the document before and after it, and what a person calls it."""

    label: str
    merge_key: str
    before: Project
    after: Project


class CommandFunnel:
    """Holds the current document of a store with its undo and redo steps."""

    def __init__(self, store: ProjectStore) -> None:
        """Start with the document that is on disk and nothing to undo."""
        self._store = store
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._listeners: list[Callable[[], None]] = []

    @property
    def project(self) -> Project:
        """The current document."""
        return self._store.project

    @property
    def undo_label(self) -> str | None:
        """What `undo` would take back."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """What `redo` would do again."""
        return self._undone[-1].label if self._undone else None

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def do(self, label: str, edit: Edit, merge_key: str = "") -> bool:
        """Apply an edit and save it; False if it changes nothing.

        Edits that follow each other with the same `merge_key`, such as the letters of one text, are undone in one step.
        """
        before = self.project
        after = edit(before)
        if after == before:
            return False
        self._store.write(after, label)
        last = self._done[-1] if self._done else None
        if merge_key and last is not None and last.merge_key == merge_key and not self._undone:
            self._done[-1] = Step(label=label, merge_key=merge_key, before=last.before, after=after)
        else:
            self._done.append(Step(label=label, merge_key=merge_key, before=before, after=after))
            del self._done[:-MAX_UNDO_STEPS]
        self._undone.clear()
        self._tell()
        return True

    def undo(self) -> bool:
        """Take the last edit back; False if there is none."""
        if not self._done:
            return False
        step = self._done[-1]
        self._store.write(step.before, f"Undo: {step.label}")
        self._undone.append(self._done.pop())
        self._tell()
        return True

    def redo(self) -> bool:
        """Do the last undone edit again; False if there is none."""
        if not self._undone:
            return False
        step = self._undone[-1]
        self._store.write(step.after, f"Redo: {step.label}")
        self._done.append(self._undone.pop())
        self._tell()
        return True

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
