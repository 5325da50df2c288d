"""What the Live panel can do: open and close a session, say a line, interrupt, direct, record. It holds no widget.

Every method returns at once. The session lives on `LiveThread`; speech and films are prepared by tasks.
"""

import time
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.errors import LpmError
from studio.background.live_thread import LiveThread
from studio.background.tasks import TaskRunner
from studio.file_names import as_file_name
from studio.live.recording import Recorded, Recording
from studio.live.setup import (
    Direct,
    Interrupt,
    LiveFacts,
    LiveRequest,
    LiveSetup,
    MicrophoneUse,
    Record,
    StopRecording,
)
from studio.live.sound_ports import MicrophoneChoice, SoundPorts
from studio.live.typed_voice import TypedVoice
from studio.project.export import FILM_SUFFIX
from studio.project.render_plan import engine_character
from studio.qt_models.session import StudioSession
from studio.views.live.typed_lines import TypedLines


class LivePhase(Enum):
    """Where the panel's session is."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"


class LiveController(QObject):
    """One session at a time."""

    phase_changed = Signal()
    opened = Signal(object)
    frame_shown = Signal(object)
    metered = Signal(object)
    recording_changed = Signal()
    recorded = Signal(object)
    microphones_found = Signal(object)
    failed = Signal(str)

    _film_done = Signal(int, object)
    _film_failed = Signal(int, str)

    def __init__(
        self,
        session: StudioSession,
        thread: LiveThread,
        ports: SoundPorts,
        tasks: TaskRunner,
        parent: QObject | None = None,
    ) -> None:
        """Nothing is opened yet."""
        super().__init__(parent)
        self._session, self._thread, self._ports, self._tasks = session, thread, ports, tasks
        self.phase = LivePhase.CLOSED
        self.facts: LiveFacts | None = None
        self.setup: LiveSetup | None = None
        self._recording: Recording | None = None
        self._is_recording_wanted = False
        self._num_films = 0  # begun so far; an earlier one may still be finished while the newest is made
        self._lines = TypedLines(tasks, thread.submit, self)
        self._lines.failed.connect(self.failed)
        thread.opened.connect(self._session_opened)
        thread.frame_waiting.connect(self._show_newest)
        thread.metered.connect(self.metered)
        thread.troubled.connect(self.failed)
        thread.failed.connect(self.failed)
        thread.finished.connect(self._session_ended)
        self._film_done.connect(self._recording_done)
        self._film_failed.connect(self._recording_failed)

    @property
    def is_recording(self) -> bool:
        """Whether a film is being made, or about to be."""
        return self._is_recording_wanted

    def look_for_microphones(self) -> None:
        """Ask the machine for its microphones; `microphones_found` tells them."""
        self._tasks.run(
            lambda report, should_stop: self._ports.microphones(), self.microphones_found.emit, self.failed.emit
        )

    def begin(self, microphone: MicrophoneChoice | None, use: MicrophoneUse, has_headphones: bool, prompt: str) -> bool:
        """Open a session with the project's character; False where that cannot begin, which `failed` has explained."""
        project = self._session.project
        if self.phase is not LivePhase.CLOSED:
            return False
        if project.character is None:
            self.failed.emit(self.tr("Nobody is there to talk with: add a character in the library, or choose one."))
            return False
        if use is MicrophoneUse.SPEAK and microphone is None:
            self.failed.emit(self.tr("To speak through the character, pick a microphone or a sound file."))
            return False
        try:
            character = engine_character(project.character, self._session.store.media)
        except LpmError as error:
            self.failed.emit(str(error))
            return False
        self.setup = LiveSetup(
            character=character,
            pack=project.pack,
            microphone=microphone,
            use=use,
            has_headphones=has_headphones,
            prompt=prompt,
            seed=project.seed,
        )
        if not self._thread.begin(self.setup):
            return False
        self._set_phase(LivePhase.OPENING)
        return True

    def end(self) -> None:
        """Close the session; a film that is being made is finished."""
        if self.phase in (LivePhase.OPENING, LivePhase.OPEN):
            self._set_phase(LivePhase.CLOSING)
            self._thread.stop()

    def say(self, text: str, voice: TypedVoice) -> None:
        """Speak a typed line after those typed before it; what cannot be spoken is told by `failed`."""
        if self.phase is LivePhase.OPEN:
            self._lines.add(text, voice)

    def interrupt(self) -> None:
        """Stop speaking, now: what was typed and is not spoken yet is dropped."""
        self._lines.drop()
        self._ask(Interrupt())

    def direct(self, text: str) -> None:
        """A direction from the next chunk on."""
        self._ask(Direct(text=text))

    def record(self, path: Path | None = None) -> None:
        """Begin a film; without a path it lies beside the project, under a name that is free."""
        if self.phase is not LivePhase.OPEN or self._is_recording_wanted or self.facts is None or self.setup is None:
            return
        name = as_file_name(f"{self.setup.character.name} live")
        target = path or _unused_film(self._session.path.with_name(name))
        self._is_recording_wanted = True
        self.recording_changed.emit()
        self._num_films += 1
        number, size_px, has_partner = self._num_films, self.facts.size_px, _has_partner(self.setup)
        done, failed = partial(self._film_done.emit, number), partial(self._film_failed.emit, number)
        self._tasks.run(
            lambda report, should_stop: Recording(target, size_px, has_partner, done, failed),
            self._begin_recording,
            partial(self._recording_failed, number),
        )

    def stop_recording(self) -> None:
        """Finish the film; `recorded` tells when it is whole."""
        if self._is_recording_wanted:
            self._is_recording_wanted = False
            self.recording_changed.emit()
            if self._recording is not None:
                self._ask(StopRecording())

    def close(self) -> None:
        """End the session and wait for it and its film."""
        self.end()
        self._thread.close()
        if self._recording is not None:
            self._recording.finish()
            self._recording.wait()

    # ------------------------------------------------------------------ inside

    def _ask(self, request: LiveRequest) -> None:
        if self.phase is not LivePhase.OPEN:
            return
        if not self._thread.submit(request):
            self.failed.emit(self.tr("Too much at once: wait until the last line was said."))

    def _set_phase(self, phase: LivePhase) -> None:
        self.phase = phase
        if phase is not LivePhase.OPEN:
            self._lines.drop()
        self.phase_changed.emit()

    def _session_opened(self, facts: LiveFacts) -> None:
        if self.phase is LivePhase.OPENING:
            self.facts = facts
            self._set_phase(LivePhase.OPEN)
            self.opened.emit(facts)

    def _show_newest(self) -> None:
        frame = self._thread.take_frame()
        if frame is not None:
            self.frame_shown.emit(frame)

    def _session_ended(self) -> None:
        self.stop_recording()
        if self._recording is not None:
            self._recording.finish()
        self.facts = None
        self._set_phase(LivePhase.CLOSED)

    def _begin_recording(self, recording: Recording) -> None:
        self._recording = recording
        if self._is_recording_wanted and self.phase is LivePhase.OPEN:
            self._ask(Record(recording=recording))
        else:
            recording.finish()

    def _recording_done(self, number: int, film: Recorded) -> None:
        if number == self._num_films:
            self._recording = None
        self.recorded.emit(film)

    def _recording_failed(self, number: int, message: str) -> None:
        is_newest = number == self._num_films
        if is_newest:
            self._recording = None
        if is_newest and self._is_recording_wanted:
            self._is_recording_wanted = False
            self.recording_changed.emit()
        self.failed.emit(message)


def _has_partner(setup: LiveSetup) -> bool:
    return setup.microphone is not None and setup.use is MicrophoneUse.LISTEN


def _unused_film(stem: Path, now: Callable[[], time.struct_time] = time.localtime) -> Path:
    name = f"{stem.name} {time.strftime('%Y-%m-%d %H.%M.%S', now())}"
    candidate, number = stem.with_name(name + FILM_SUFFIX), 1
    while candidate.exists():
        number += 1
        candidate = stem.with_name(f"{name} {number}{FILM_SUFFIX}")
    return candidate
