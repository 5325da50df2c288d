"""The engine's one owner: a thread that mixes the sound, loads packs and renders, and tells the window by queued signals.

The window puts frozen requests into a bounded queue; `cancel` overtakes them all. Rendered frames are committed to the project
from here, so that the window only reads. Knows the engine through two callables, and no widget.
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QThread, Signal

from engine.errors import CancelledError, LpmError
from studio.project.document import Project
from studio.project.render_plan import MediaReader, RenderPlan, plan_render, render_job, samples_to_mix
from studio.project.store import ProjectStore
from studio.project.takes import TakeRecorder
from studio.project.timecode import FRAME_RATE_HZ

_log = logging.getLogger(__name__)

MAX_REQUESTS: Final = 4
NICENESS: Final = 5  # the engine gives way to the window and to the sound
LoadPack = Callable[[str], Any]
Perform = Callable[[Any, Any, Callable[[], bool]], Iterator[Any]]
MakeJob = Callable[[RenderPlan, Callable[[str], bytes]], Any]


@dataclass(frozen=True, kw_only=True)
class RenderRequest:
    """Render a document into the project at `path`, as it was when this was asked: what is edited meanwhile is for the next render."""

    path: Path
    project: Project


@dataclass(frozen=True, kw_only=True)
class WarmUpRequest:
    """Import the engine's code before it is needed: loading its libraries holds Python, and with it the window, for a moment."""


Request = RenderRequest | WarmUpRequest


@dataclass(frozen=True, kw_only=True)
class RenderProgress:
    """How far a render is. `start_frame` and `num_frames` are those of the piece that just became visible.

    `reused_frames` had been made before under the same inputs and cost `reused_s` of the time; speed is that of the others.
    """

    start_frame: int
    num_frames: int
    done_frames: int
    total_frames: int
    elapsed_s: float
    reused_frames: int = 0
    reused_s: float = 0.0

    @property
    def made_frames(self) -> int:
        """Frames that were made anew."""
        return self.done_frames - self.reused_frames

    @property
    def seconds_per_second(self) -> float | None:
        """Seconds of work for a second of film that is made anew, measured; None before the first."""
        if not self.made_frames:
            return None
        return (self.elapsed_s - self.reused_s) / (self.made_frames / FRAME_RATE_HZ)

    @property
    def remaining_s(self) -> float | None:
        """How long the rest takes at the speed measured so far; None while nothing was made anew."""
        if self.done_frames == self.total_frames:
            return 0.0
        speed = self.seconds_per_second
        return None if speed is None else speed * (self.total_frames - self.done_frames) / FRAME_RATE_HZ


class EngineThread(QThread):
    """Runs requests one after the other. Call `close` before it is destroyed."""

    sound_mixed = Signal(float)
    pack_loading = Signal(str)
    pack_ready = Signal(str)
    render_started = Signal(int)
    render_progress = Signal(object)
    render_finished = Signal(object)
    render_cancelled = Signal()
    render_failed = Signal(str)

    def __init__(
        self,
        load_pack: LoadPack,
        perform: Perform,
        make_job: MakeJob = render_job,
        warm_up: Callable[[], None] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Take the engine's callables; nothing is loaded before the first request."""
        super().__init__(parent)
        self.setObjectName("engine")
        self._load_pack = load_pack
        self._perform = perform
        self._make_job = make_job
        self._warm_up = warm_up
        self._requests: queue.Queue[tuple[int, Request] | None] = queue.Queue(MAX_REQUESTS)
        self._num_submitted = 0
        self._num_cancelled = 0  # requests up to this number are not to be served, or served no further
        self._pack: tuple[str, Any] | None = None

    def submit(self, request: Request) -> bool:
        """Queue a request; False where the queue is full."""
        try:
            self._requests.put_nowait((self._num_submitted + 1, request))
        except queue.Full:
            return False
        self._num_submitted += 1
        if not self.isRunning():
            self.start()
        return True

    def cancel(self) -> None:
        """Stop the render at its next step, and serve nothing that is queued."""
        self._num_cancelled = self._num_submitted

    def close(self) -> None:
        """Stop everything and wait for the thread to end."""
        self.cancel()
        if self.isRunning():
            self._requests.put(None)
            self.wait()

    def run(self) -> None:
        """The thread's own loop; Qt calls it."""
        _give_way()
        while (numbered := self._requests.get()) is not None:
            number, request = numbered
            self._serve(request, partial(self._is_cancelled, number))

    def _is_cancelled(self, number: int) -> bool:
        return number <= self._num_cancelled

    def _serve(self, request: Request, should_stop: Callable[[], bool]) -> None:
        if isinstance(request, WarmUpRequest):
            self._import_engine(should_stop)
            return
        try:
            self._render(request, should_stop)
        except CancelledError:
            self.render_cancelled.emit()
        except LpmError as error:
            self.render_failed.emit(str(error))
        except Exception as error:  # a fault of ours must not take the window down; the log has the whole story
            _log.exception("the render failed")
            self.render_failed.emit(f"Rendering stopped because of an internal fault: {type(error).__name__}: {error}")

    def _import_engine(self, should_stop: Callable[[], bool]) -> None:
        if self._warm_up is None or should_stop():
            return
        try:
            self._warm_up()
        except Exception:  # the first render will meet the same fault, and tell the person
            _log.info("the engine could not be imported ahead of time", exc_info=True)

    def _render(self, request: RenderRequest, should_stop: Callable[[], bool]) -> None:
        _stop_if_asked(should_stop)
        with ProjectStore(request.path, is_checked=True) as store:
            plan = self._plan(request.project, store.media, should_stop)
            pack = self._ready_pack(plan.pack)
            _stop_if_asked(should_stop)
            job = self._make_job(plan, store.media)
            total = plan.num_frames
            recorder = TakeRecorder(store, plan.chunk_hashes, total)
            self.render_started.emit(total)
            started_s = time.monotonic()
            progress: RenderProgress | None = None
            reused_frames, reused_s, before_s = 0, 0.0, 0.0
            for piece in self._perform(pack, job, should_stop):
                elapsed_s = time.monotonic() - started_s
                recorder.add(piece.frames_THWC, piece.start_frame, elapsed_s)
                if piece.is_reused:
                    reused_frames += len(piece.frames_THWC)
                    reused_s += elapsed_s - before_s
                before_s = elapsed_s
                progress = RenderProgress(
                    start_frame=piece.start_frame,
                    num_frames=len(piece.frames_THWC),
                    done_frames=piece.start_frame + len(piece.frames_THWC),
                    total_frames=total,
                    elapsed_s=elapsed_s,
                    reused_frames=reused_frames,
                    reused_s=reused_s,
                )
                self.render_progress.emit(progress)
                _stop_if_asked(should_stop)
            _stop_if_asked(should_stop)
            if progress is None or progress.done_frames < total:
                raise LpmError("The engine ended before the whole timeline was rendered; try again")
            recorder.finish()
        self.render_finished.emit(progress)

    def _plan(self, project: Project, media: MediaReader, should_stop: Callable[[], bool]) -> RenderPlan:
        total, done = samples_to_mix(project), 0

        def mixing(num_samples: int) -> None:
            nonlocal done
            _stop_if_asked(should_stop)
            done += num_samples
            self.sound_mixed.emit(done / total)

        plan = plan_render(project, media, mixing)
        _stop_if_asked(should_stop)
        return plan

    def _ready_pack(self, name: str) -> Any:
        if self._pack is None or self._pack[0] != name:
            self._pack = None
            self.pack_loading.emit(name)
            self._pack = (name, self._load_pack(name))
            self.pack_ready.emit(name)
        return self._pack[1]


def _stop_if_asked(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise CancelledError("cancelled")


def _give_way() -> None:
    if sys.platform == "linux":  # there the priority is the thread's own, and threads started from it inherit it
        with suppress(OSError):  # a container may forbid it; the engine works all the same
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
