"""The right to change a project, which one program holds at a time: two that wrote to it would overwrite each other's edits.

A lock of the operating system on a small file beside the project: it is gone with the program that held it, however that ended, and
readers need none. Taken by whoever opens a project to edit it (`store.edit_project`). Knows no Qt.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from engine.errors import BadInputError

WAITED_S: Final = 0.2
"""A program that is just closing the project is given this long."""


class ProjectInUseError(BadInputError):
    """Another program has this project open to edit it."""

    def __init__(self, path: Path) -> None:
        """`path` is the project's."""
        super().__init__(f"{path}: this project is open in another LPM Studio; close it there first")
        self.path = path


class ProjectLock:
    """The right to change the project at a path, which need not exist yet. Call `release`."""

    def __init__(self, path: Path) -> None:
        """Take it; `ProjectInUseError` where somebody has it, `BadInputError` where the folder cannot be written."""
        project = path.resolve()
        self._file = project.with_name(f".{project.name}.lock")
        self._lock = FileLock(self._file, timeout=WAITED_S, thread_local=False)
        try:
            project.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise ProjectInUseError(path) from None
        except OSError as error:
            raise BadInputError(f"{path}: cannot be opened to be changed ({error.strerror or error})") from error

    def release(self) -> None:
        """Give it back; the file beside the project goes too."""
        if os.name == "posix":  # while it is held: whoever waits finds that its file has no name, and makes a new one
            with suppress(OSError):
                self._file.unlink()
        self._lock.release()
