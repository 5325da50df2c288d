"""Films of a live session one after another: the end of an earlier one does not touch the one that is being made."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from pytestqt.qtbot import QtBot

from studio.background.tasks import TaskRunner
from studio.live.recording import Recorded
from studio.live.setup import Record, StopRecording
from studio.live.sound_card import SoundCard
from studio.project.store import ProjectStore
from studio.qt_models.session import StudioSession
from studio.views.live import live_controller
from studio.views.live.live_controller import LiveController
from tests.studio.live.test_typed_lines import NotingThread, go_live, until


class SlowFilm:
    """A recording that is whole, or lost, when the test says so."""

    made: ClassVar[list["SlowFilm"]] = []

    def __init__(
        self,
        path: Path,
        size_px: int,
        has_partner: bool,
        done: Callable[[Recorded], None],
        failed: Callable[[str], None],
    ) -> None:
        self.path, self.done, self.failed = path, done, failed
        SlowFilm.made.append(self)

    def finish(self) -> None:
        pass

    def wait(self) -> None:
        pass


@pytest.fixture
def live(qtbot: QtBot, store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveController]:
    monkeypatch.setattr(live_controller, "Recording", SlowFilm)
    monkeypatch.setattr(SlowFilm, "made", [])
    tasks = TaskRunner()
    made = LiveController(StudioSession(store), NotingThread(), SoundCard(), tasks)
    go_live(made)
    yield made
    made.close()
    tasks.close()


def asked(live: LiveController) -> list[type]:
    thread = live._thread
    assert isinstance(thread, NotingThread)
    return [type(request) for request in thread.asked]


def record(qtbot: QtBot, live: LiveController) -> SlowFilm:
    num_before = asked(live).count(Record)
    live.record()
    until(qtbot, lambda: asked(live).count(Record) == num_before + 1)
    return SlowFilm.made[-1]


def test_an_earlier_film_ends_while_the_next_is_made(qtbot: QtBot, live: LiveController, tmp_path: Path) -> None:
    first = record(qtbot, live)
    live.stop_recording()
    second = record(qtbot, live)
    films: list[Path] = []
    live.recorded.connect(lambda film: films.append(film.path))
    first.done(Recorded(path=first.path, num_frames=3))
    until(qtbot, lambda: films == [first.path])
    assert live.is_recording
    live.stop_recording()
    assert asked(live) == [Record, StopRecording, Record, StopRecording]
    second.done(Recorded(path=second.path, num_frames=3))
    until(qtbot, lambda: len(films) == 2)
    assert not live.is_recording


@pytest.mark.parametrize("is_earlier", [True, False])
def test_only_the_film_that_is_lost_ends(qtbot: QtBot, live: LiveController, is_earlier: bool) -> None:
    first = record(qtbot, live)
    live.stop_recording()
    second = record(qtbot, live)
    failures: list[str] = []
    live.failed.connect(failures.append)
    (first if is_earlier else second).failed("the disk is full")
    until(qtbot, lambda: failures == ["the disk is full"])
    assert live.is_recording is is_earlier


def test_anybody_can_be_filmed_whatever_the_name(qtbot: QtBot, live: LiveController) -> None:
    live._session.do(
        "Rename", lambda project: replace(project, characters=(replace(project.characters[0], name="AC/DC"),))
    )
    live.end()
    live._session_ended()
    go_live(live)
    film = record(qtbot, live)
    assert film.path.parent == live._session.path.parent and film.path.name.startswith("AC-DC live")
