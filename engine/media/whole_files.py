"""A file that is whole or absent: written under a temporary name beside its place and moved there in one step.

Every writer of the product goes through here, so an interrupt, a crash or a full disk never leaves half a file under the final
name. It knows nothing of what is inside.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.errors import BadInputError

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class WholeFile:
    """A temporary name `.NAME.partial-PID.SUFFIX` beside `path`; `commit` moves it into place, `discard` removes it."""

    def __init__(self, path: Path) -> None:
        """Claim the temporary name; `BadInputError` where the folder is missing or cannot be written."""
        self.path = path
        self.temporary = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
        try:
            if path.is_dir():
                raise BadInputError(f"{path}: this is a folder; give the name of a file")
            if not path.parent.is_dir():
                raise BadInputError(f"{path}: the folder {path.parent} does not exist; make it first")
            self.temporary.write_bytes(b"")
        except BaseException as error:  # an interrupt too: nobody holds this object yet who could discard it
            self.discard()
            if isinstance(error, OSError):
                raise cannot_write(path, error) from None
            raise

    def commit(self) -> None:
        """Put the finished file in its place; what stood there before is replaced only now."""
        try:
            with self.temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(self.temporary, self.path)
        except OSError as error:
            self.discard()
            raise cannot_write(self.path, error) from None

    def discard(self) -> None:
        """Remove what was written so far; nothing happens where nothing is left."""
        with contextlib.suppress(OSError):
            self.temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The temporary path to write to; it becomes `path` at the end of the block, or vanishes when the block fails."""
    file = WholeFile(path)
    try:
        yield file.temporary
        file.commit()
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        file.discard()


def write_text_file(path: Path, text: str) -> None:
    """Write a text, whole or not at all; its folder is made where it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cannot_write(path: Path, error: OSError) -> BadInputError:
    """The one line for a disk that is full, a folder that is read-only and their like, with the advice that fits."""
    return BadInputError(f"{path}: cannot be written ({error.strerror or error}); {advice_for(error)}")


def advice_for(error: OSError) -> str:
    """What to do where something cannot be written."""
    if error.errno in _NO_ROOM:
        return "free some space or choose another folder"
    if error.errno in _NOT_ALLOWED:
        return "choose a folder in which you may write"
    if error.errno == errno.ENAMETOOLONG:
        return "choose a shorter name"
    return "choose another folder"
