"""The tables of a project file and the checks that a file from a stranger passes before it is read.

Called by the store only. The schema of a file must be, statement for statement, the one written here: a view, a trigger or
a table more, and the file is refused. Nothing here knows the document.
"""

import sqlite3
from pathlib import Path
from typing import Final

from engine.errors import BadInputError

APPLICATION_ID: Final = 0x4C504D31  # "LPM1"
SCHEMA_VERSION: Final = 1
MAX_VALUE_BYTES: Final = 512 * 1024 * 1024

STATEMENTS: Final = (
    "CREATE TABLE project (id INTEGER PRIMARY KEY, title TEXT NOT NULL, pack TEXT NOT NULL, seed INTEGER NOT NULL,"
    " character_id TEXT NOT NULL, num_frames INTEGER NOT NULL, muted TEXT NOT NULL, in_frame INTEGER, out_frame INTEGER)",
    "CREATE TABLE characters (id TEXT PRIMARY KEY, position INTEGER NOT NULL, name TEXT NOT NULL,"
    " description TEXT NOT NULL, origin TEXT NOT NULL, reference_pictures TEXT NOT NULL)",
    "CREATE TABLE sounds (id TEXT PRIMARY KEY, position INTEGER NOT NULL, track TEXT NOT NULL, name TEXT NOT NULL,"
    " media_sha TEXT NOT NULL, start_frame INTEGER NOT NULL, in_sample INTEGER NOT NULL, out_sample INTEGER NOT NULL,"
    " gain_db REAL NOT NULL, is_muted INTEGER NOT NULL)",
    "CREATE TABLE prompts (id TEXT PRIMARY KEY, position INTEGER NOT NULL, start_frame INTEGER NOT NULL,"
    " end_frame INTEGER NOT NULL, text TEXT NOT NULL)",
    "CREATE TABLE media (sha TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL)",
    "CREATE TABLE journal (id INTEGER PRIMARY KEY, at TEXT NOT NULL, label TEXT NOT NULL, changes TEXT NOT NULL)",
    "CREATE TABLE takes (id INTEGER PRIMARY KEY, started_at TEXT NOT NULL, num_frames INTEGER NOT NULL,"
    " done_frames INTEGER NOT NULL, work_seconds REAL NOT NULL)",
    "CREATE TABLE take_chunks (take_id INTEGER NOT NULL, chunk INTEGER NOT NULL, condition_sha TEXT NOT NULL,"
    " PRIMARY KEY (take_id, chunk))",
    "CREATE TABLE take_frames (take_id INTEGER NOT NULL, frame INTEGER NOT NULL, picture BLOB NOT NULL,"
    " PRIMARY KEY (take_id, frame))",
)


def connect(path: Path, *, is_read_only: bool = False) -> sqlite3.Connection:
    """A connection on which a hostile file can run nothing; safe to use from the thread that made it."""
    uri = path.resolve().as_uri() + ("?mode=ro" if is_read_only else "?mode=rw")
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=10.0)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
    except sqlite3.Error as error:
        raise BadInputError(f"{path}: cannot be opened ({error})") from error
    return connection


def create(path: Path) -> None:
    """Make an empty project file; the caller has made sure that nothing is at `path`."""
    connection = sqlite3.connect(path)
    try:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        with connection:
            for statement in STATEMENTS:
                connection.execute(statement)
    finally:
        connection.close()


def check_header(path: Path) -> None:
    """Refuse, from the first hundred bytes, what is not one of our projects."""
    try:
        if not path.is_file():
            raise BadInputError(f"{path}: there is no such project file")
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise BadInputError(f"{path}: cannot be opened ({error.strerror or error})") from error
    if len(header) < 100 or not header.startswith(b"SQLite format 3\x00"):
        raise BadInputError(f"{path}: this is not an LPM Studio project")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise BadInputError(f"{path}: this is a database, but not an LPM Studio project")
    version = int.from_bytes(header[60:64], "big")
    if version > SCHEMA_VERSION:
        raise BadInputError(f"{path}: made by a newer LPM Studio (format {version}); update to open it")


def check_contents(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse damage, and any table, index, view or trigger that a project does not have."""
    try:
        expected = {(statement.split()[2], statement) for statement in STATEMENTS}
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        found = {(name, sql) for kind, name, sql in rows if kind == "table"}
        extras = [name for kind, name, sql in rows if kind != "table" and not (kind == "index" and sql is None)]
        if found != expected or extras:
            raise BadInputError(f"{path}: its tables are not those of a project; it was changed by another program")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise BadInputError(f"{path}: the project is damaged ({error})") from error
    if verdict != "ok":
        raise BadInputError(f"{path}: the project is damaged ({verdict})")
