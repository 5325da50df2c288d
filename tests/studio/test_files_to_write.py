"""Files that are written get names that are names, and replace nothing unasked."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from studio.file_names import MOST_BYTES, UNNAMED, as_file_name
from studio.views import save_dialog
from studio.views.save_dialog import ask_path_to_write


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("First performance", "First performance"),
        ("v1.2", "v1.2"),
        ("Take 1/2", "Take 1-2"),
        ("AC/DC\\live", "AC-DC-live"),
        ("../../etc", "-..-etc"),
        ("a\0b\nc", "a-b-c"),
        ('who? "me": <you>|*', "who- -me- -you-"),
        ("..", UNNAMED),
        ("", UNNAMED),
        (" . ", UNNAMED),
        ("\u4f60\u597d", "\u4f60\u597d"),
    ],
)
def test_any_title_is_a_name(text: str, name: str, tmp_path: Path) -> None:
    assert as_file_name(text) == name
    path = tmp_path.with_name(as_file_name(text) + ".mp4")
    assert path.parent == tmp_path.parent and path.name == name + ".mp4"


def test_a_long_title_is_cut_between_letters() -> None:
    name = as_file_name("\u4f60" * 300)
    assert set(name) == {"\u4f60"} and MOST_BYTES - 3 < len(name.encode()) <= MOST_BYTES


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.mark.parametrize(
    ("typed", "is_there", "is_asked", "may_replace", "gives"),
    [
        ("first", "first.lpm", True, False, None),
        ("first", "first.lpm", True, True, "first.lpm"),
        ("v1.2", "v1.2.lpm", True, False, None),
        ("first", "other.lpm", False, False, "first.lpm"),
        ("first.lpm", "first.lpm", False, False, "first.lpm"),  # the dialog itself has asked
        ("FIRST.LPM", "other.lpm", False, False, "FIRST.LPM"),
        ("", "first.lpm", False, False, None),
    ],
)
def test_a_file_that_was_not_typed_is_replaced_only_by_leave(
    window: QWidget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    is_there: str,
    is_asked: bool,
    may_replace: bool,
    gives: str | None,
) -> None:
    (tmp_path / is_there).write_bytes(b"work of a week")
    asked: list[str] = []

    def question(parent: QWidget, title: str, words: str, *buttons: object) -> QMessageBox.StandardButton:
        asked.append(words)
        return QMessageBox.StandardButton.Yes if may_replace else QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(save_dialog.QMessageBox, "question", question)
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *words: (str(tmp_path / typed) if typed else "", "LPM Studio projects")
    )
    path = ask_path_to_write(window, "New project", tmp_path / "Untitled.lpm", "LPM Studio projects", ".lpm")
    assert path == (tmp_path / gives if gives else None)
    assert bool(asked) is is_asked
    assert all(is_there in words for words in asked)
