"""A project on disk: one SQLite file with the document, its media by content hash, its journal and its rendered frames.

Opened by the application, the command line and scripts. Each edit is one committed transaction, so that what was acknowledged
is there after a crash. A store belongs to the thread that opened it; the engine's thread opens its own. Knows no Qt.
"""

import json
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlite_utils import Database

from engine.errors import BadInputError
from studio.project import schema
from studio.project.blobs import content_hash
from studio.project.document import Project
from studio.project.project_lock import ProjectLock
from studio.project.rows import DOCUMENT_TABLES, Tables, changed_rows, project_of, tables_of

_log = logging.getLogger(__name__)

SUFFIX: Final = ".lpm"
MAX_JOURNAL_ROWS: Final = 5_000


class ProjectStore:
    """An open project file. Use as a context manager, or call `close`."""

    def __init__(
        self, path: Path, *, is_read_only: bool = False, is_checked: bool = False, lock: ProjectLock | None = None
    ) -> None:
        """Open an existing project; `BadInputError` says what is wrong with it.

        `is_checked` is for a file that this program has open already: it is not checked again. `lock` is the right to change the
        project; it belongs to the store from then on, whose `close` gives it back.
        """
        if not is_checked:  # reading a file by itself and closing it would take SQLite's own locks from it
            schema.check_header(path)
        self.path = path
        self._lock = lock
        self.is_read_only = is_read_only
        connection = schema.connect(path, is_read_only=is_read_only)
        try:
            if not is_checked:
                schema.check_contents(connection, path)
            self.database = Database(connection, execute_plugins=False)
            if not is_read_only:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
            self._written = self._read_tables()
            self.project = project_of({name: list(rows.values()) for name, rows in self._written.items()})
        except sqlite3.Error as error:
            connection.close()
            raise BadInputError(f"{path}: cannot be opened ({error})") from error
        except BaseException:
            connection.close()
            raise

    @classmethod
    def create(cls, path: Path, project: Project) -> Self:
        """Make a new project file; the directory is made where it is missing, an existing file is refused."""
        if path.exists():
            raise BadInputError(f"{path}: there is a file of this name already")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            forget_logs(path)
            schema.create(path)
        except (OSError, sqlite3.Error) as error:
            raise BadInputError(f"{path}: cannot be written ({error})") from error
        with schema.connect(path) as connection:
            connection.execute(
                "INSERT INTO project VALUES (:id, :title, :pack, :seed, :character_id, :num_frames, :muted, :in_frame, :out_frame)",
                tables_of(Project(title=project.title))["project"][1],
            )
        connection.close()
        store = cls(path)
        store.write(project, "New project")
        return store

    def __enter__(self) -> Self:
        """Give the open store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file, and give the right to change it back."""
        self.database.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def tidy(self) -> None:
        """Forget media that no clip uses and fold the log in, so that the project is one file with nothing beside it.

        The document's owner calls it just before `close`; nothing can be undone afterwards. Where it cannot be done, because the
        file is in use elsewhere or the disk is full, the project stays as it is: nothing is lost, only larger.
        """
        try:
            self.database.execute("PRAGMA busy_timeout=0")
            with self.transaction():
                self._forget_unused_media()
            self.database.execute("PRAGMA journal_mode=DELETE")
        except (BadInputError, sqlite3.Error) as error:
            _log.info("%s was not tidied: %s", self.path, error)

    def write(self, project: Project, label: str) -> None:
        """Commit a document: only the rows that differ from what is on disk, and one line in the journal."""
        after = tables_of(project)
        changes = changed_rows(self._written, after)
        if not changes:
            self.project = project
            return
        with self.transaction():
            for table, key, row in changes:
                if row is None:
                    self.database.table(table).delete(key)
                else:
                    self.database.table(table).upsert(row, pk="id")
            entry = {"at": now_text(), "label": label, "changes": json.dumps(changes)}
            self.database.table("journal").insert(entry)
            self.database.execute(
                "DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?", [MAX_JOURNAL_ROWS]
            )
        self._written = after
        self.project = project

    def journal_labels(self) -> list[str]:
        """What was done to this project, oldest first."""
        return [str(row["label"]) for row in self.database.query("SELECT label FROM journal ORDER BY id")]

    def add_media(self, content: bytes, kind: str, name: str) -> str:
        """Keep media bytes under their content hash, which is returned; the same bytes are kept once."""
        sha = content_hash(content)
        with self.transaction():
            self.database.execute(
                "INSERT OR IGNORE INTO media (sha, kind, name, content) VALUES (?, ?, ?, ?)", [sha, kind, name, content]
            )
        return sha

    def media(self, sha: str) -> bytes:
        """The bytes of a medium; `BadInputError` where they are missing or not what their hash says."""
        row = self.database.execute("SELECT content FROM media WHERE sha = ?", [sha]).fetchone()
        if row is None or not isinstance(row[0], bytes) or content_hash(row[0]) != sha:
            raise BadInputError(f"{self.path}: a sound or picture ({sha[:8]}) is missing or damaged")
        return row[0]

    def copy_to(self, path: Path) -> None:
        """Write a complete copy of this project, whole or not at all."""
        partial = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            with closing(sqlite3.connect(partial)) as target:
                self.database.conn.backup(target)
            partial.replace(path)
            forget_logs(path)
        except (OSError, sqlite3.Error) as error:
            with suppress(OSError):
                partial.unlink()
            raise BadInputError(f"{path}: cannot be written ({error})") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is done inside; `BadInputError` where it cannot be saved.

        The right to write is taken at the beginning. A transaction that begins by reading would not wait for the engine's thread,
        or the window's, which writes meanwhile: SQLite would refuse it at once.
        """
        connection = self.database.conn
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise
        except sqlite3.Error as error:
            raise BadInputError(f"{self.path}: the change could not be saved ({error})") from error

    def _read_tables(self) -> Tables:
        return {name: {row["id"]: dict(row) for row in self.database.table(name).rows} for name in DOCUMENT_TABLES}

    def _forget_unused_media(self) -> None:
        used = {clip.media_sha for clip in self.project.timeline.sounds}
        used |= {ref.media_sha for character in self.project.characters for ref in character.references}
        for (sha,) in self.database.execute("SELECT sha FROM media").fetchall():
            if sha not in used:
                self.database.execute("DELETE FROM media WHERE sha = ?", [sha])


def edit_project(path: Path) -> ProjectStore:
    """Open a project to edit it, as the only one; `ProjectInUseError` where another program does."""
    schema.check_header(path)
    with _right_to_change(path) as lock:
        return ProjectStore(path, lock=lock)


def new_project(path: Path, project: Project) -> ProjectStore:
    """Make a project and open it to edit it; what lay at `path` is replaced at the end, so that it is still there where this fails.

    `ProjectInUseError` where another program edits what lies there.
    """
    partial = path.with_name(f".{path.name}.part")
    with _right_to_change(path) as lock:
        try:
            partial.unlink(missing_ok=True)
            with ProjectStore.create(partial, project) as made:
                made.tidy()
            partial.replace(path)
            forget_logs(path)
        except OSError as error:
            raise BadInputError(f"{path}: cannot be written ({error})") from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        return ProjectStore(path, lock=lock)


def edit_copy(source: ProjectStore, path: Path) -> ProjectStore:
    """Copy an open project, whole or not at all, and open the copy to edit it; `ProjectInUseError` as from `new_project`."""
    with _right_to_change(path) as lock:
        source.copy_to(path)
        return ProjectStore(path, lock=lock)


def edit_own_copy(path: Path) -> ProjectStore:
    """Copy a project that another program edits, as it is now, to a free name beside it, and open the copy to edit it."""
    with open_project(path) as source:
        return edit_copy(source, unused_path(path.with_name(f"{path.stem} copy{path.suffix}")))


@contextmanager
def _right_to_change(path: Path) -> Iterator[ProjectLock]:
    """For the store that is opened inside; given back where that fails."""
    lock = ProjectLock(path)
    try:
        yield lock
    except BaseException:
        lock.release()
        raise


def open_project(path: Path) -> ProjectStore:
    """Open a project to look at or render it; the file is never written, and whoever edits it is not disturbed."""
    return ProjectStore(path, is_read_only=True)


def copy_project(source: Path, target: Path) -> None:
    """Copy a closed project file, for example the sample project; an existing target is kept."""
    if target.exists():
        return
    schema.check_header(source)
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, partial)
        partial.replace(target)
        forget_logs(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise BadInputError(f"{target}: cannot be written ({error})") from error


def unused_path(path: Path) -> Path:
    """The path itself where nothing lies there, else one with a number behind its name."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def forget_logs(path: Path) -> None:
    """Remove the logs of a project that was replaced: SQLite would play what the old one left there into the new one."""
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def now_text() -> str:
    """The time of day in UTC, as the journal keeps it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
