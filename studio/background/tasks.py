"""Short work away from the main thread: reading imports, writing exports.

Views hand in a function and what to do with its result; results and errors come back on the main thread. Knows no widget.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QRunnable, Qt, QThreadPool, Signal

from engine.errors import CancelledError, LpmError

_log = logging.getLogger(__name__)
Report = Callable[[float], None]
Work = Callable[[Report, Callable[[], bool]], Any]


class Task:
    """One piece of work that is under way."""

    def __init__(self) -> None:
        """Nothing runs before `TaskRunner.run`."""
        self._should_stop = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._should_stop.set()

    def should_stop(self) -> bool:
        """Whether it was asked to."""
        return self._should_stop.is_set()


class _Runnable(QRunnable):
    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self._work = work

    def run(self) -> None:
        self._work()


class TaskRunner(QObject):
    """Runs tasks on a small pool of threads. Call `close` before it is destroyed.

    Every thread tells through this one object, which outlives them all: an object of a task's own would be destroyed at its end by
    the main thread, while the thread that told of the end may still be inside its signal.
    """

    _told = Signal(object)  # a call that the main thread makes

    def __init__(self, parent: QObject | None = None) -> None:
        """Make the pool; its threads start when they are needed."""
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self._tasks: set[Task] = set()
        self._told.connect(self._call, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Work,
        on_success: Callable[[Any], None],
        on_failure: Callable[[str], None],
        *,
        on_progress: Report | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> Task:
        """Start `work(report, should_stop)`; all other callables are called later, on the main thread, in the order of events.

        Work that was cancelled neither succeeded nor failed; `on_end` follows in every case.
        """
        task = Task()
        self._tasks.add(task)

        def perform() -> None:
            try:
                self._told.emit(_outcome(work, task, self._teller(on_progress), on_success, on_failure))
            finally:
                self._told.emit(partial(self._forget, task, on_end))

        self._pool.start(_Runnable(perform))
        return task

    def close(self) -> None:
        """Ask all tasks to stop and wait for them; what they told at their end arrives with the next events."""
        for task in tuple(self._tasks):
            task.cancel()
        self._pool.waitForDone()

    def _teller(self, on_progress: Report | None) -> Report:
        return lambda share: None if on_progress is None else self._told.emit(partial(on_progress, share))

    def _call(self, call: Callable[[], None]) -> None:
        call()

    def _forget(self, task: Task, on_end: Callable[[], None] | None) -> None:
        self._tasks.discard(task)
        if on_end is not None:
            on_end()


def _outcome(
    work: Work, task: Task, report: Report, on_success: Callable[[Any], None], on_failure: Callable[[str], None]
) -> Callable[[], None]:
    """Do the work on this thread; the call that tells how it went."""
    try:
        return partial(on_success, work(report, task.should_stop))
    except CancelledError:
        return _nothing
    except (LpmError, OSError) as error:
        return partial(on_failure, str(error))
    except Exception as error:  # as in the engine's thread: one clear line for the person, the story in the log
        _log.exception("a background task failed")
        return partial(on_failure, f"This did not work because of an internal fault: {type(error).__name__}: {error}")


def _nothing() -> None:
    """Work that was cancelled has nothing to tell."""
