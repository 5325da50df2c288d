"""Background tasks: whoever listens hears how the work ended, however fast it was."""

import time
from collections.abc import Callable

from PySide6.QtCore import QRunnable, QThread, QThreadPool
from pytest import MonkeyPatch
from pytestqt.qtbot import QtBot

from engine.errors import BadInputError, CancelledError
from studio.background import tasks
from tests.studio.conftest import WAIT_MS


class HastyPool(QThreadPool):
    """A pool whose threads are always faster than the one that called them."""

    def start(self, runnable: QRunnable) -> None:  # type: ignore[override]
        super().start(runnable)
        assert self.waitForDone()


def test_work_that_ends_before_run_returns_is_heard(qtbot: QtBot, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "QThreadPool", HastyPool)
    runner = tasks.TaskRunner()
    heard: list[object] = []

    def fail(report: tasks.Report, should_stop: object) -> None:
        report(0.5)
        raise BadInputError("no such folder")

    runner.run(fail, heard.append, heard.append, on_progress=heard.append, on_end=lambda: heard.append("ended"))
    qtbot.waitUntil(lambda: len(heard) == 3, timeout=WAIT_MS)
    assert heard == [0.5, "no such folder", "ended"]
    runner.close()


def test_everybody_is_called_on_the_main_thread_in_the_order_of_events(qtbot: QtBot) -> None:
    runner = tasks.TaskRunner()
    main, heard = QThread.currentThread(), list[object]()

    def hear(what: object) -> None:
        assert QThread.currentThread() is main
        heard.append(what)

    def work(report: tasks.Report, should_stop: object) -> str:
        assert QThread.currentThread() is not main
        report(0.25)
        report(0.75)
        return "done"

    runner.run(work, hear, hear, on_progress=hear, on_end=lambda: hear("ended"))
    qtbot.waitUntil(lambda: heard[-1:] == ["ended"], timeout=WAIT_MS)
    assert heard == [0.25, 0.75, "done", "ended"]
    runner.close()


def test_work_that_is_cancelled_neither_succeeds_nor_fails(qtbot: QtBot) -> None:
    runner = tasks.TaskRunner()
    heard: list[object] = []

    def work(report: tasks.Report, should_stop: Callable[[], bool]) -> None:
        while not should_stop():
            time.sleep(0.001)
        raise CancelledError("cancelled")

    runner.run(work, heard.append, heard.append, on_end=lambda: heard.append("ended"))
    runner.close()  # asks it to stop, and waits
    qtbot.waitUntil(lambda: heard == ["ended"], timeout=WAIT_MS)
