"""Lines that were typed and are not handed over yet: they become sound one after the other, and so keep their order.

Used by the live controller. A line that cannot be spoken is told and the next one goes on; what is dropped is heard no more, however
far its sound had come.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from engine.errors import CancelledError
from studio.background.tasks import Task, TaskRunner
from studio.live.setup import Say
from studio.live.typed_voice import TypedVoice, say

OFFERED_AGAIN_MS: Final = 50
HandOver = Callable[[Say], bool]
"""Gives a spoken line to the session; False where it takes no more for now."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TypedLine:
    """A line as it was typed, and who speaks it."""

    text: str
    voice: TypedVoice


class TypedLines(QObject):
    """Speaks one line at a time, on a task, and hands it over before the next is begun."""

    failed = Signal(str)

    def __init__(self, tasks: TaskRunner, hand_over: HandOver, parent: QObject | None = None) -> None:
        """Nothing waits."""
        super().__init__(parent)
        self._tasks, self._hand_over = tasks, hand_over
        self._waiting: deque[TypedLine] = deque()
        self._spoken: TypedLine | None = None  # the line whose sound is made or waits to be taken
        self._task: Task | None = None

    def add(self, text: str, voice: TypedVoice) -> None:
        """Speak a line after all that wait."""
        self._waiting.append(TypedLine(text=text, voice=voice))
        if self._spoken is None:
            self._speak_next()

    def drop(self) -> None:
        """Forget every line that is not handed over."""
        self._waiting.clear()
        self._spoken = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _speak_next(self) -> None:
        self._task, self._spoken = None, None
        if self._waiting:
            line = self._spoken = self._waiting.popleft()
            self._task = self._tasks.run(
                partial(_sound_of, line), partial(self._offer, line), partial(self._tell_failed, line)
            )

    def _offer(self, line: TypedLine, sound_S: NDArray[np.float32]) -> None:
        if line is not self._spoken:
            return  # it was dropped
        if self._hand_over(Say(sound_S=sound_S)):
            self._speak_next()
        else:
            QTimer.singleShot(OFFERED_AGAIN_MS, self, partial(self._offer, line, sound_S))

    def _tell_failed(self, line: TypedLine, message: str) -> None:
        if line is self._spoken:
            self.failed.emit(message)
            self._speak_next()


def _sound_of(line: TypedLine, report: Callable[[float], None], should_stop: Callable[[], bool]) -> NDArray[np.float32]:
    del report
    if should_stop():
        raise CancelledError("cancelled")
    return say(line.text, line.voice)
