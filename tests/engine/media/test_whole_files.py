"""A file is whole or absent, whenever its writer is interrupted."""

from pathlib import Path

import pytest

from engine.errors import BadInputError
from engine.media.whole_files import WholeFile, whole_file


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
