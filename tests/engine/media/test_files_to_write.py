"""What a command is told to write is looked at before its work: nothing is written over or in vain, and nothing is left behind."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from engine.errors import BadInputError
from engine.media.files_to_write import check_files_to_write, check_folder_to_write, check_new_folder


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    path.write_bytes(b"work of a week")
    return path


def test_what_is_read_is_not_written_over_by_whatever_name(
    voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    linked, hard = tmp_path / "linked.wav", tmp_path / "hard.wav"
    linked.symlink_to(voice)
    os.link(voice, hard)
    monkeypatch.chdir(tmp_path)
    for name in (voice, Path("voice.wav"), tmp_path / "there" / ".." / "voice.wav", linked, hard):
        with pytest.raises(BadInputError, match="is read and would be overwritten; choose another name for --report"):
            check_files_to_write({"-o": tmp_path / "new.mp4", "--report": name}, (None, voice))
    check_files_to_write({"-o": tmp_path / "new.mp4", "--report": None}, (voice,))


def test_two_files_are_not_written_to_one_place(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for other in (tmp_path / "a.json", tmp_path / "there" / ".." / "a.json"):
        with pytest.raises(
            BadInputError, match="--report and --trace would both be written here; choose another name for --trace"
        ):
            check_files_to_write({"--report": tmp_path / "a.json", "--trace": other})
    check_files_to_write({"--report": tmp_path / "a.json", "--trace": tmp_path / "b.json"})


def test_what_is_read_is_not_looked_for_where_nothing_can_be_written_over(tmp_path: Path) -> None:
    def read() -> Iterator[Path]:
        raise AssertionError("looked for")
        yield tmp_path

    check_files_to_write({"-o": tmp_path / "new.mp4"}, read())
    assert not list(tmp_path.iterdir())


def test_a_place_that_takes_no_file_is_told_before(
    tmp_path: Path, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = {
        "this is a folder": tmp_path,
        "does not exist; make it first": tmp_path / "nowhere" / "a.json",
        "not an ordinary file": Path(os.devnull),
        "choose a shorter name": tmp_path / ("a" * 250 + ".json"),
    }
    for complaint, path in cases.items():
        with pytest.raises(BadInputError, match=complaint):
            check_files_to_write({"--report": path})
    check_files_to_write({"--report": tmp_path / "nowhere" / "a.json"}, makes_folders=True)
    with pytest.raises(BadInputError, match="is no folder"):
        check_files_to_write({"--report": voice / "below" / "a.json"}, makes_folders=True)
    assert list(tmp_path.iterdir()) == [voice]


def test_a_folder_that_takes_no_files_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_folder_to_write(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())

    def refuse(**words: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(BadInputError, match="choose a folder in which you may write"):
        check_folder_to_write(tmp_path / "a" / "b")


def test_a_new_folder_is_one_with_nothing_in_it(tmp_path: Path, voice: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_new_folder(tmp_path / "empty")
    check_new_folder(tmp_path / "new" / "er")
    for there, complaint in ((tmp_path, "is there already and not empty"), (voice, "is a file")):
        with pytest.raises(BadInputError, match=complaint):
            check_new_folder(there)
