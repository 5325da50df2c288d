"""What there is to warn of in the characters' portraits, as far as it is known: each is judged once, away from the main thread.

Used by the page of a character and by the Live workspace. Knows the engine through a callable, and no widget.
"""

import logging
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, Signal

from engine.errors import LpmError
from studio.background.tasks import TaskRunner
from studio.project.document import Character
from studio.qt_models.session import StudioSession

_log = logging.getLogger(__name__)
WarnOfPortrait = Callable[[str, bytes], str]
"""The name of a pack and a picture, PNG, to a sentence; empty where there is nothing to warn of."""
_NOTHING_KNOWN: Final = ""


class PortraitWarnings(QObject):
    """Answers at once; what is not known yet comes with `changed`."""

    changed = Signal()

    def __init__(
        self, session: StudioSession, tasks: TaskRunner, warn: WarnOfPortrait, parent: QObject | None = None
    ) -> None:
        """Nothing is judged before somebody asks."""
        super().__init__(parent)
        self._session, self._tasks, self._warn = session, tasks, warn
        self._known: dict[tuple[str, str], str] = {}

    def of(self, character: Character) -> str:
        """A sentence, or nothing: there is nothing to warn of, or it is not known yet."""
        if character.portrait is None:
            return ""
        asked = (self._session.project.pack, character.portrait.media_sha)
        if asked not in self._known:
            self._known[asked] = _NOTHING_KNOWN
            self._judge(*asked)
        return self._known.get(asked, _NOTHING_KNOWN)

    def _judge(self, pack: str, media_sha: str) -> None:
        def keep(warning: str) -> None:
            self._known[pack, media_sha] = warning
            self.changed.emit()

        def leave(error: object) -> None:
            _log.info("a portrait was not judged: %s", error)  # rendering meets the same fault, and says so
            del self._known[pack, media_sha]  # whoever asks again may find it mended

        try:
            content = self._session.store.media(media_sha)
        except LpmError as error:
            leave(error)
            return
        self._tasks.run(lambda report, should_stop: self._warn(pack, content), keep, leave)
