"""Renders and exports for the window: hands the document to the engine's thread, and tells how it goes.

It owns no widget; the main window connects its signals to the render bar, the viewer and the message.
"""

from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.errors import LpmError
from studio.background.engine_thread import EngineThread, RenderProgress, RenderRequest
from studio.background.tasks import Task, TaskRunner
from studio.project.export import export_film
from studio.project.render_plan import performer_of
from studio.project.takes import ChunkState
from studio.qt_models.session import StudioSession


class RenderState(Enum):
    """What the engine is doing."""

    IDLE = "idle"
    STARTING = "starting"
    MIXING = "mixing"
    LOADING = "loading"
    RENDERING = "rendering"
    CANCELLING = "cancelling"
    EXPORTING = "exporting"


class RenderController(QObject):
    """One render or export at a time."""

    state_changed = Signal()
    mixing_progressed = Signal(float)
    progressed = Signal(object)
    export_progressed = Signal(float)
    exported = Signal(object)
    ended = Signal()
    failed = Signal(str)

    def __init__(
        self, session: StudioSession, engine: EngineThread, tasks: TaskRunner, parent: QObject | None = None
    ) -> None:
        """Follow the engine's thread."""
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._tasks = tasks
        self._export_task: Task | None = None
        self._export_path: Path | None = None
        self.state = RenderState.IDLE
        self.seconds_per_second: float | None = None
        session.project_opened.connect(self._forget_speed)
        engine.sound_mixed.connect(self._sound_mixed)
        engine.pack_loading.connect(lambda _: self._set_state(RenderState.LOADING))
        engine.render_started.connect(lambda _: self._set_state(RenderState.RENDERING))
        engine.render_progress.connect(self._render_progressed)
        engine.render_finished.connect(self._render_finished)
        engine.render_cancelled.connect(self._ended)
        engine.render_failed.connect(self._render_failed)

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""
        return self.state is not RenderState.IDLE

    @property
    def is_rendered(self) -> bool:
        """Whether the film is what the timeline asks for."""
        return all(state is ChunkState.FRESH for state in self._session.chunk_states())

    def render(self) -> bool:
        """Render the whole timeline; False where that cannot begin, which `failed` has explained."""
        if self.is_busy:
            return False
        project = self._session.project
        if project.character is None:
            self.failed.emit(self.tr("Nobody is there to perform: add a character in the library, or choose one."))
            return False
        try:
            performer_of(project)
        except LpmError as error:
            self.failed.emit(str(error))
            return False
        if not self._engine.submit(RenderRequest(path=self._session.path, project=project)):
            self.failed.emit(self.tr("The engine has not finished what it was asked before; try again in a moment"))
            return False
        self._set_state(RenderState.STARTING)
        return True

    def cancel(self) -> None:
        """Stop what is under way; frames that are rendered stay."""
        self._export_path = None
        if self._export_task is not None:
            self._export_task.cancel()
        elif self.is_busy:
            self._set_state(RenderState.CANCELLING)
            self._engine.cancel()

    def export(self, path: Path) -> None:
        """Write the film to `path`; what is not rendered or has changed is rendered first."""
        if self.is_busy:
            return
        if not self.is_rendered:
            self._export_path = path
            if not self.render():
                self._export_path = None
            return
        timeline = self._session.project.timeline
        stretch = (timeline.in_frame or 0, timeline.out_frame or timeline.num_frames)
        project_path = self._session.path
        self._set_state(RenderState.EXPORTING)
        self._export_task = self._tasks.run(
            lambda report, should_stop: export_film(project_path, path, stretch, report, should_stop),
            self.exported.emit,
            self.failed.emit,
            on_progress=self.export_progressed.emit,
            on_end=self._export_ended,
        )

    def _forget_speed(self) -> None:
        self.seconds_per_second = None

    def _set_state(self, state: RenderState) -> None:
        if self.state is RenderState.CANCELLING and state in (RenderState.LOADING, RenderState.RENDERING):
            return
        self.state = state
        self.state_changed.emit()

    def _sound_mixed(self, share: float) -> None:
        if self.state is RenderState.STARTING:
            self._set_state(RenderState.MIXING)
        if self.state is RenderState.MIXING:
            self.mixing_progressed.emit(share)

    def _render_progressed(self, progress: RenderProgress) -> None:
        self.seconds_per_second = progress.seconds_per_second or self.seconds_per_second
        self._session.takes_changed.emit()
        self.progressed.emit(progress)

    def _render_finished(self, progress: RenderProgress) -> None:
        self.seconds_per_second = progress.seconds_per_second or self.seconds_per_second
        path = self._export_path
        self._ended()
        if path is not None:
            self.export(path)

    def _render_failed(self, message: str) -> None:
        self._ended()
        self.failed.emit(message)

    def _export_ended(self) -> None:
        self._export_task = None
        self._ended()

    def _ended(self) -> None:
        self._export_path = None
        self._set_state(RenderState.IDLE)
        self._session.takes_changed.emit()
        self.ended.emit()
