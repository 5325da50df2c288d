"""A file is whole or absent, whenever its writer is interrupted."""

import errno
from pathlib import Path

import pytest

from engine.errors import BadInputError
from engine.media.whole_files import WholeFile, cannot_write, whole_file, write_text_file


def test_an_interrupt_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("fault", "told"), [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "x"), BadInputError)]
)
def test_a_fault_while_the_name_is_claimed_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, told: type[BaseException]
) -> None:
    """The file is there before the call that makes it returns; an interrupt may come in between."""

    def fail(path: Path, content: bytes) -> None:
        path.touch()
        raise fault

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(told):
        WholeFile(tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space or choose another folder"),
        (errno.EACCES, "choose a folder in which you may write"),
        (errno.EROFS, "choose a folder in which you may write"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.EIO, "choose another folder"),
    ],
)
def test_the_advice_fits_what_is_wrong(number: int, advice: str) -> None:
    told = str(cannot_write(Path("film.mp4"), OSError(number, "no")))
    assert told == f"film.mp4: cannot be written (no); {advice}"


def test_a_text_is_written_whole_and_its_folder_made(tmp_path: Path) -> None:
    write_text_file(tmp_path / "a" / "b.json", "{}")
    assert (tmp_path / "a" / "b.json").read_text() == "{}"
    with pytest.raises(BadInputError, match="cannot be written"):
        write_text_file(tmp_path / "a" / "b.json" / "c.json", "{}")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.json"]
