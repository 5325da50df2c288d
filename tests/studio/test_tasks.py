"""Background tasks: whoever listens hears how the work ended, however fast it was."""

from PySide6.QtCore import QRunnable, QThreadPool
from pytest import MonkeyPatch
from pytestqt.qtbot import QtBot

from engine.errors import BadInputError
from studio.background import tasks


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
    qtbot.waitUntil(lambda: len(heard) == 3)
    assert heard == [0.5, "no such folder", "ended"]
    runner.close()
