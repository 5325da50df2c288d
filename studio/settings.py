"""What the studio remembers between starts: look, last project, window, and whether it ended well. Made in `app.py`."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QSettings

from studio.theme.look import LookChoice

WINDOW_STATE_VERSION: Final = 1
MAX_UNCLEAN_ENDS: Final = 2


class Settings:
    """Typed access to the stored settings."""

    def __init__(self, store: QSettings) -> None:
        """Read from and write to `store`."""
        self._store = store

    @property
    def look(self) -> LookChoice:
        """System, dark or light."""
        value = str(self._store.value("look", LookChoice.SYSTEM.value))
        return next((choice for choice in LookChoice if choice.value == value), LookChoice.SYSTEM)

    @look.setter
    def look(self, choice: LookChoice) -> None:
        self._store.setValue("look", choice.value)

    @property
    def last_project(self) -> Path | None:
        """The project that was open last."""
        value = str(self._store.value("last_project", ""))
        return Path(value) if value else None

    @last_project.setter
    def last_project(self, path: Path) -> None:
        self._store.setValue("last_project", str(path))

    @property
    def geometry(self) -> QByteArray | None:
        """Size and place of the window, as Qt saved it."""
        value = self._store.value(f"geometry_{WINDOW_STATE_VERSION}")
        return value if isinstance(value, QByteArray) else None

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._store.setValue(f"geometry_{WINDOW_STATE_VERSION}", value)

    def begin_run(self) -> bool:
        """Note that the studio starts; False after two ends in a row that were crashes: then nothing is reopened."""
        unclean = int(str(self._store.value("unclean_ends", 0)))
        self._store.setValue("unclean_ends", unclean + 1)
        self._store.sync()
        return unclean < MAX_UNCLEAN_ENDS

    def end_run(self) -> None:
        """Note that the studio ended as it should."""
        self._store.setValue("unclean_ends", 0)
        self._store.sync()
