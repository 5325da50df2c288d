"""A file that is whole or absent: written under a temporary name beside its place and moved there in one step.

Every writer of the product goes through here, so an interrupt, a crash or a full disk never leaves half a file under the final
name. It knows nothing of what is inside.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from engine.errors import BadInputError


class WholeFile:
    """A temporary name `.NAME.partial-PID.SUFFIX` beside `path`; `commit` moves it into place, `discard` removes it."""

    def __init__(self, path: Path) -> None:
        """Claim the temporary name; `BadInputError` where the folder is missing or cannot be written."""
        self.path = path
        self.temporary = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
        if path.is_dir():
            raise BadInputError(f"{path}: this is a folder; give the name of a file")
        if not path.parent.is_dir():
            raise BadInputError(f"{path}: the folder {path.parent} does not exist; make it first")
        try:
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


def cannot_write(path: Path, error: OSError) -> BadInputError:
    """The one line for a disk that is full, a folder that is read-only and their like."""
    return BadInputError(
        f"{path}: cannot be written ({error.strerror or error}); free some space or choose another folder"
    )
