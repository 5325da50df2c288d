"""Short work away from the main thread: reading imports, writing exports.

Views hand in a function and what to do with its result; results and errors come back on the main thread. Knows no widget.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from engine.errors import CancelledError, LpmError

_log = logging.getLogger(__name__)
Report = Callable[[float], None]
Work = Callable[[Report, Callable[[], bool]], Any]


class Task(QObject):
    """One piece of work that is under way."""

    progressed = Signal(float)
    succeeded = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        """Nothing runs before `TaskRunner.run`."""
        super().__init__(parent)
        self._should_stop = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._should_stop.set()

    def perform(self, work: Work) -> None:
        """Do the work on this thread and tell how it ended."""
        try:
            result = work(self.progressed.emit, self._should_stop.is_set)
        except CancelledError:
            self.cancelled.emit()
        except (LpmError, OSError) as error:
            self.failed.emit(str(error))
        except Exception as error:  # as in the engine's thread: one clear line for the person, the story in the log
            _log.exception("a background task failed")
            self.failed.emit(f"This did not work because of an internal fault: {type(error).__name__}: {error}")
        else:
            self.succeeded.emit(result)
        finally:
            self.ended.emit()


class _Runnable(QRunnable):
    def __init__(self, task: Task, work: Work) -> None:
        super().__init__()
        self._task = task
        self._work = work

    def run(self) -> None:
        self._task.perform(self._work)


class TaskRunner(QObject):
    """Runs tasks on a small pool of threads. Call `close` before it is destroyed."""

    def __init__(self, parent: QObject | None = None) -> None:
        """Make the pool; its threads start when they are needed."""
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self._tasks: set[Task] = set()

    def run(
        self,
        work: Work,
        on_success: Callable[[Any], None],
        on_failure: Callable[[str], None],
        *,
        on_progress: Report | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> Task:
        """Start `work(report, should_stop)`; one of the first two callables is called later, on the main thread.

        Whoever listens must be named here: work that fails at once has ended before this returns.
        """
        task = Task(self)
        self._tasks.add(task)
        task.succeeded.connect(on_success)
        task.failed.connect(on_failure)
        if on_progress is not None:
            task.progressed.connect(on_progress)
        if on_end is not None:
            task.ended.connect(on_end)
        task.ended.connect(lambda: self._forget(task))
        self._pool.start(_Runnable(task, work))
        return task

    def close(self) -> None:
        """Ask all tasks to stop and wait for them."""
        for task in tuple(self._tasks):
            task.cancel()
        self._pool.waitForDone()

    def _forget(self, task: Task) -> None:
        self._tasks.discard(task)
        task.deleteLater()
