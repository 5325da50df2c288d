"""A project survives: round trips, kills, copies; and a file from a stranger is refused with one line."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from engine.errors import BadInputError
from studio.commands.project_edits import set_title
from studio.project.blobs import decode_picture, decode_sound, encode_picture, encode_sound
from studio.project.document import Project
from studio.project.store import ProjectStore, copy_project, new_project, open_project
from tests.studio.conftest import picture, tone


def test_what_is_written_is_read_and_the_file_stands_alone(store: ProjectStore) -> None:
    project, path = store.project, store.path
    sha = project.timeline.sounds[0].media_sha
    content = store.media(sha)
    store.tidy()
    store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name]
    with open_project(path) as again:
        assert again.project == project
        assert again.media(sha) == content
    path.parent.chmod(0o555)  # a project on a read-only medium can be looked at
    try:
        with open_project(path) as again:
            assert again.project == project
    finally:
        path.parent.chmod(0o755)


def test_an_acknowledged_edit_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "killed.lpm"
    script = f"""
import os
from pathlib import Path
from dataclasses import replace
from studio.project.document import Project
from studio.project.store import ProjectStore
store = ProjectStore.create(Path({str(path)!r}), Project(title="0"))
for number in range(1, 8):
    store.write(replace(store.project, title=str(number)), "count")
os._exit(9)
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=False)
    assert result.returncode == 9
    with ProjectStore(path) as store:
        assert store.project.title == "7"
        assert store.journal_labels()[-1] == "count"


def test_the_same_sound_is_kept_once_and_forgotten_when_unused(store: ProjectStore) -> None:
    content = encode_sound(tone(1))
    sha = store.add_media(content, "sound", "a")
    assert store.add_media(content, "sound", "b") == sha
    assert store.media(sha) == content
    store.tidy()
    with pytest.raises(BadInputError, match="missing"):
        store.media(sha)
    store.media(store.project.timeline.sounds[0].media_sha)


def test_a_copy_is_whole_and_independent(store: ProjectStore, tmp_path: Path) -> None:
    copy = tmp_path / "deep" / "copy.lpm"
    store.copy_to(copy)
    with ProjectStore(copy) as other:
        assert other.project == store.project
        other.write(set_title(other.project, "Other"), "Rename")
    assert store.project.title == "Test"
    with pytest.raises(BadInputError, match="cannot be written"):
        store.copy_to(tmp_path / "test.lpm" / "inside.lpm")


def test_the_sample_is_copied_once(store: ProjectStore, tmp_path: Path) -> None:
    store.tidy()
    target = tmp_path / "own" / "project.lpm"
    copy_project(store.path, target)
    first = target.read_bytes()
    copy_project(store.path, target)
    assert target.read_bytes() == first
    assert sorted(file.name for file in target.parent.iterdir()) == [target.name]


def test_media_come_back_as_they_went_in() -> None:
    sound_S = tone(0.5)
    np.testing.assert_allclose(decode_sound(encode_sound(sound_S)), sound_S, atol=1 / 32000)
    picture_HWC = np.random.default_rng(0).integers(0, 255, (40, 30, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decode_picture(encode_picture(picture_HWC)), picture_HWC)
    smooth = picture(200)
    assert np.abs(decode_picture(encode_picture(smooth, "JPEG"), "JPEG").astype(int) - smooth).max() <= 2


@pytest.mark.parametrize("content", [b"", b"fLaC", b"RIFF0000WAVE", encode_sound(tone(1))[:60]])
def test_a_damaged_sound_is_one_message(content: bytes) -> None:
    with pytest.raises(BadInputError):
        decode_sound(content)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", encode_picture(picture(1))[:50], b"GIF89a"])
def test_a_damaged_picture_is_one_message(content: bytes) -> None:
    with pytest.raises(BadInputError):
        decode_picture(content)


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.lpm"
    text.write_text("hello")
    database = tmp_path / "database.lpm"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE t (a)")
    for path, words in (
        (text, "not an LPM Studio project"),
        (database, "not an LPM Studio"),
        (tmp_path / "no", "no such"),
    ):
        with pytest.raises(BadInputError, match=words):
            ProjectStore(path)
    with pytest.raises(BadInputError, match="already"):
        ProjectStore.create(text, Project())


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE TRIGGER t AFTER UPDATE ON project BEGIN DELETE FROM media; END", "another program"),
        ("CREATE VIEW v AS SELECT 1", "another program"),
        ("CREATE INDEX i ON prompts (text)", "another program"),
        ("ALTER TABLE media ADD COLUMN more TEXT", "another program"),
        ("PRAGMA user_version=99", "newer"),
        ("UPDATE prompts SET end_frame = start_frame", "damaged"),
        ("UPDATE prompts SET start_frame = 'x'", "damaged"),
        ("UPDATE sounds SET track = 'nobody'", "damaged"),
        ("UPDATE project SET num_frames = -1", "damaged"),
        ("UPDATE project SET seed = 1099511627776", "no seed"),
        ("UPDATE project SET seed = -1", "no seed"),
        ("UPDATE characters SET reference_pictures = '[[1,2]]'", "damaged"),
        ("UPDATE project SET pack = '../elsewhere'", "no name of a model pack"),
        ("DELETE FROM project", "damaged"),
    ],
)
def test_a_strangers_project_is_refused(store: ProjectStore, statement: str, words: str) -> None:
    store.tidy()
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(BadInputError, match=words):
        ProjectStore(store.path)


def test_no_cut_of_the_file_does_more_than_a_message(store: ProjectStore) -> None:
    store.tidy()
    store.close()
    content = store.path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(12):
        damaged = bytearray(content[: int(rng.integers(0, len(content)))])
        if len(damaged) > 200:
            damaged[int(rng.integers(100, len(damaged)))] ^= 0xFF
        store.path.write_bytes(bytes(damaged))
        try:
            with open_project(store.path) as opened:
                assert opened.project.timeline.num_frames > 0
        except BadInputError as error:
            assert "\n" not in str(error)


def test_a_project_cannot_attach_other_databases(store: ProjectStore) -> None:
    with pytest.raises(sqlite3.OperationalError):
        store.database.execute("ATTACH DATABASE ':memory:' AS other")


def test_a_full_disk_loses_nothing(store: ProjectStore) -> None:
    pages = store.database.execute("PRAGMA page_count").fetchone()[0]
    store.database.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(BadInputError, match="could not be saved"):
        store.add_media(os.urandom(200_000), "sound", "large")
    store.database.execute("PRAGMA max_page_count=1000000")
    store.write(set_title(store.project, "After"), "Rename")
    with open_project(store.path) as other:
        assert other.project.title == "After"


def test_an_edit_is_saved_while_a_render_writes(store: ProjectStore) -> None:
    """A transaction that reads before it writes is refused by SQLite as soon as somebody else has written in between."""
    with ProjectStore(store.path, is_checked=True) as renderer:
        renderer.database.execute("PRAGMA busy_timeout=0")
        written: list[str] = []

        def write_meanwhile(statement: str) -> None:
            if not statement.startswith("BEGIN"):
                with suppress(BadInputError):
                    written.append(renderer.add_media(os.urandom(16), "sound", "meanwhile"))

        store.database.conn.set_trace_callback(write_meanwhile)
        store.write(set_title(store.project, "Edited"), "Rename")
        store.database.conn.set_trace_callback(None)
        renderer.add_media(b"x", "sound", "afterwards")  # and nothing stays locked
    assert not written
    with open_project(store.path) as other:
        assert other.project.title == "Edited"


def test_a_project_in_use_elsewhere_is_left_untidy(store: ProjectStore) -> None:
    with ProjectStore(store.path, is_checked=True) as other, other.transaction():
        store.tidy()
    assert store.project.characters


def left_by_a_crash(path: Path, project: Project) -> None:
    """A project whose newest edits are still in the log beside it."""
    aside = path.with_name("aside")
    aside.mkdir()
    with ProjectStore.create(path, project) as crashing:
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", aside)
        crashing.tidy()
    for file in aside.iterdir():
        shutil.move(file, path.parent / file.name)


def test_a_project_that_replaces_another_takes_nothing_from_its_log(store: ProjectStore, tmp_path: Path) -> None:
    copy, fresh = tmp_path / "copy" / "copy.lpm", tmp_path / "fresh" / "fresh.lpm"
    for path in (copy, fresh):
        path.parent.mkdir()
        left_by_a_crash(path, Project(title="Old"))
    store.copy_to(copy)
    with ProjectStore(copy) as other:
        assert other.project == store.project
    with new_project(fresh, Project(title="New")) as other:
        assert other.project == Project(title="New")


def test_what_cannot_be_replaced_is_still_there(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(BadInputError, match="cannot be written"):
        new_project(store.path, Project())
    with open_project(store.path) as other:
        assert other.project == store.project
    assert not list(store.path.parent.glob("*.part*"))


def test_a_path_that_the_system_refuses_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be opened"):
        ProjectStore(tmp_path / f"{'long' * 100}.lpm")
