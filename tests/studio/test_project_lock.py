"""A project is edited by one studio at a time: a second one notices, offers a copy, and no crash locks anybody out."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from engine.errors import BadInputError
from studio.app import Machinery, Studio, open_first_project
from studio.commands.project_edits import set_title
from studio.project.document import Project
from studio.project.project_lock import ProjectInUseError, ProjectLock
from studio.project.render_plan import plan_render
from studio.project.store import ProjectStore, edit_copy, edit_own_copy, edit_project, new_project, open_project
from studio.settings import Settings
from tests.studio.conftest import HandClock, StandInEngine

ROOT = Path(__file__).parents[2]
ELSEWHERE = """
import sys
from pathlib import Path
from studio.project.store import edit_project
with edit_project(Path(sys.argv[1])):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(store: ProjectStore) -> Path:
    """A project that nobody has open."""
    store.tidy()
    store.close()
    return store.path


@pytest.fixture
def elsewhere(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another program that has the project open to edit it, until its standard input is closed."""
    command = [sys.executable, "-c", ELSEWHERE, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        yield process
        process.kill()


@pytest.fixture
def studio(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Studio]:
    """A studio with a project of its own."""
    engine = StandInEngine()
    machinery = Machinery(
        load_pack=engine.load_pack, perform=engine.perform, open_sound=lambda sound_S, start: HandClock(start)
    )
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    made = Studio(qapp, new_project(tmp_path / "own" / "own.lpm", Project(title="Own")), settings, machinery)
    made.window.show()
    yield made
    made.close()
    made.window.deleteLater()


def test_a_project_that_is_edited_elsewhere_is_read_and_not_edited(
    path: Path, elsewhere: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    with pytest.raises(ProjectInUseError, match=r"test\.lpm: .* open in another LPM Studio"):
        edit_project(path)
    with open_project(path) as reader:  # as `lpm render` does
        assert plan_render(reader.project, reader.media).speak_S is not None
        with pytest.raises(ProjectInUseError):
            edit_copy(reader, path)
    with pytest.raises(ProjectInUseError):
        new_project(path, Project())
    with open_project(path) as reader:
        assert reader.project.characters
    elsewhere.communicate("")
    with edit_project(path) as mine:
        mine.write(set_title(mine.project, "Mine"), "Rename")


def test_a_crash_leaves_no_lock_behind(path: Path, elsewhere: "subprocess.Popen[str]") -> None:
    elsewhere.kill()
    elsewhere.wait()
    with edit_project(path) as mine:
        mine.tidy()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_link_is_no_way_around(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "linked" / "other.lpm"
    link.parent.mkdir()
    link.symlink_to(path)
    with edit_project(path), pytest.raises(ProjectInUseError):
        edit_project(link)
    edit_project(link).close()


def test_what_cannot_be_opened_is_not_held(path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.lpm"
    damaged.write_bytes(path.read_bytes()[:5000])
    for _ in range(2):
        with pytest.raises(BadInputError, match="damaged"):
            edit_project(damaged)
    with pytest.raises(BadInputError, match="no such project"):
        edit_project(tmp_path / "missing" / "missing.lpm")
    assert not (tmp_path / "missing").exists()
    assert not list(tmp_path.glob(".*.lock"))


def test_nobody_slips_in_while_the_file_of_the_lock_goes(tmp_path: Path) -> None:
    inside, most, refused = [0], [0], [0]

    def come_and_go() -> None:
        for _ in range(30):
            try:
                lock = ProjectLock(tmp_path / "shared.lpm")
            except ProjectInUseError:
                refused[0] += 1
                continue
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1
            lock.release()

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and refused[0] < 4 * 30


def test_a_copy_is_made_as_the_project_is_now(path: Path) -> None:
    with edit_project(path) as first:
        first.write(set_title(first.project, "Newer"), "Rename")  # still in the log beside the file
        with edit_own_copy(path) as copy, edit_own_copy(path) as another:
            assert copy.path.name == "test copy.lpm" and another.path.name == "test copy-2.lpm"
            assert copy.project == first.project
            copy.write(set_title(copy.project, "Copy"), "Rename")
        assert first.project.title == "Newer"
        with open_project(path) as reader:
            assert reader.project.title == "Newer"


def offered(studio: Studio) -> QDialog:
    dialogs = [dialog for dialog in studio.window.findChildren(QDialog) if dialog.isVisible()]
    assert len(dialogs) == 1
    return dialogs[0]


def test_the_window_offers_a_copy(studio: Studio, path: Path, elsewhere: "subprocess.Popen[str]") -> None:
    studio.window.files.open(path)
    words = " ".join(label.text() for label in offered(studio).findChildren(QLabel))
    assert "test.lpm is open in another LPM Studio" in words
    offered(studio).reject()
    assert studio.session.path.name == "own.lpm"
    studio.window.files.open(path)
    next(button for button in offered(studio).findChildren(QPushButton) if "copy" in button.text()).click()
    assert studio.session.path == path.with_name("test copy.lpm")
    assert "test copy.lpm" in studio.window.message.text
    assert studio.session.project.characters
    studio.window.files.save_as(path)
    assert "open in another LPM Studio" in studio.window.message.text
    assert studio.session.path.name == "test copy.lpm"


def test_projects_are_free_again_when_the_window_goes_on(studio: Studio, path: Path) -> None:
    own = studio.session.path
    with pytest.raises(ProjectInUseError):
        edit_project(own)
    studio.window.files.open(path)
    edit_project(own).close()
    with pytest.raises(ProjectInUseError):
        edit_project(path)
    studio.window.files.save_as(path.with_name("saved.lpm"))
    edit_project(path).close()


def test_a_second_studio_starts_with_another_project_and_says_why(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LPM_HOME", str(tmp_path / "home"))
    told: list[str] = []
    with edit_project(path):
        with pytest.raises(ProjectInUseError):
            open_first_project(path, None)
        with (
            open_first_project(None, path, told.append) as second,
            open_first_project(None, path, told.append) as third,
        ):
            assert len({path, second.path, third.path}) == 3
    assert len(told) == 2 and "test.lpm: this project is open in another LPM Studio" in told[0]
