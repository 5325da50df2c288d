"""Files and folders that a command is told to write, looked at before its work begins.

Nothing that is read is written over, nothing is written twice, and no hour of work ends at a place that takes no file. Called by every
verb that names an output. It leaves nothing behind and knows nothing of what will be written.
"""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.errors import BadInputError
from engine.media.whole_files import WholeFile, cannot_write


def check_files_to_write(
    written: Mapping[str, Path | None], read: Iterable[Path | None] = (), *, makes_folders: bool = False
) -> None:
    """`BadInputError` for the first file, by its option, that takes the place of one that is `read` or of another, or cannot be written.

    `read` is gone through only where a file to be written is there already: nothing else can be written over. With `makes_folders` the
    folders of the files are made when they are written.
    """
    named = [(option, path) for option, path in written.items() if path is not None]
    for number, (option, path) in enumerate(named):
        for other, earlier in named[:number]:
            if _is_same_place(path, earlier):
                raise BadInputError(
                    f"{path}: {other} and {option} would both be written here; choose another name for {option}"
                )
    there = [(option, path) for option, path in named if _is_there(path)]
    for source in read if there else ():
        for option, path in there:
            if source is not None and _is_same_file(path, source):
                raise BadInputError(f"{path}: is read and would be overwritten; choose another name for {option}")
    for _, path in named:
        _check_place(path, makes_folders)


def check_folder_to_write(folder: Path) -> None:
    """`BadInputError` where a folder cannot be made, or takes no files."""
    try:
        place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not place.is_dir():
            raise BadInputError(f"{folder}: {place} is no folder; choose another folder")
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from None


def check_new_folder(folder: Path) -> None:
    """`BadInputError` where something is in the folder already, or it cannot be made."""
    try:
        if folder.exists() and not folder.is_dir():
            raise BadInputError(f"{folder}: is a file; give the name of a new folder")
        if folder.exists() and any(folder.iterdir()):
            raise BadInputError(f"{folder}: is there already and not empty; choose another name")
    except OSError as error:
        raise cannot_write(folder, error) from None
    check_folder_to_write(folder.absolute().parent)


def _check_place(path: Path, makes_folders: bool) -> None:
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "not an ordinary file"
            raise BadInputError(f"{path}: this is {kind}; give the name of a file")
        if makes_folders and not path.parent.exists():
            check_folder_to_write(path.parent)
            return
    except OSError as error:
        raise cannot_write(path, error) from None
    WholeFile(path).discard()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _is_same_place(first: Path, second: Path) -> bool:
    """Whether two names are one, files not yet written included."""
    try:
        return first.resolve() == second.resolve() or _is_same_file(first, second)
    except (OSError, RuntimeError):  # a link that leads to itself
        return first.absolute() == second.absolute()


def _is_same_file(first: Path, second: Path) -> bool:
    """Whether two names lead to one file, by links too."""
    try:
        return first.samefile(second)
    except (OSError, ValueError):
        return False
