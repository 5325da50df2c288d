"""The Live workspace: connects stage and controls with the controller, and the character of the project with both."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from engine.errors import LpmError
from studio.live.recording import Recorded
from studio.live.setup import LiveFacts, LiveMeters, MicrophoneUse
from studio.project.timecode import FRAME_RATE_HZ
from studio.qt_models.images import image_from_array, image_of
from studio.qt_models.portrait_warnings import PortraitWarnings
from studio.qt_models.session import StudioSession
from studio.qt_models.turn_notes import turn_notes
from studio.theme.look import Look
from studio.views.live.live_controller import LiveController, LivePhase
from studio.views.live.live_controls import LiveControls
from studio.views.live.live_stage import LiveStage


class LiveWorkspace(QObject):
    """Two panels, `stage` and `controls`, which the window arranges. Leaving it closes the session."""

    failed = Signal(str)
    done = Signal(str)

    def __init__(
        self,
        session: StudioSession,
        controller: LiveController,
        warnings: PortraitWarnings,
        look: Look,
        parent: QObject | None = None,
    ) -> None:
        """Nothing is opened, and no device is asked for, before the workspace is entered."""
        super().__init__(parent)
        self._session, self._warnings = session, warnings
        self._is_entered, self._performer = False, session.project.character
        self.controller = controller
        self.stage, self.controls = LiveStage(look), LiveControls(look)
        stage, controls = self.stage, self.controls
        stage.said.connect(lambda text: controller.say(text, controls.chosen_voice))
        stage.interrupted.connect(controller.interrupt)
        controls.begun.connect(self.begin)
        controls.ended.connect(controller.end)
        controls.record_toggled.connect(self._toggle_recording)
        controls.directed.connect(controller.direct)
        controls.direction_typed.connect(self._note_direction)
        controls.microphone_changed.connect(self._show_closed)
        controls.look_again.connect(controller.look_for_microphones)
        controller.phase_changed.connect(self._show_phase)
        controller.frame_shown.connect(self._show_frame)
        controller.metered.connect(self._show_meters)
        controller.recording_changed.connect(lambda: controls.show_recording(controller.is_recording, 0.0))
        controller.microphones_found.connect(controls.show_microphones)
        controller.recorded.connect(self._tell_recorded)
        controller.failed.connect(self.failed)
        session.project_changed.connect(self._project_changed)
        warnings.changed.connect(self._warn_of_portrait)
        self._show_phase()

    def enter(self) -> None:
        """The workspace is shown."""
        self._is_entered = True
        self._warn_of_portrait()
        self.controller.look_for_microphones()

    def leave(self) -> None:
        """The workspace is hidden: nobody listens any more."""
        self._is_entered = False
        self.controller.end()

    def begin(self) -> None:
        """Go live with what is chosen."""
        controls = self.controls
        self.controller.begin(
            controls.chosen_microphone,
            controls.chosen_use,
            controls.headphones.isChecked(),
            controls.direction.text().strip(),
        )

    def _toggle_recording(self) -> None:
        if self.controller.is_recording:
            self.controller.stop_recording()
        else:
            self.controller.record()

    def _project_changed(self) -> None:
        if self.controller.phase is LivePhase.CLOSED:
            self._show_phase()

    def _warn_of_portrait(self) -> None:
        """No portrait is judged before somebody wants to see it live."""
        if self.controller.phase is LivePhase.CLOSED:
            self._performer = self._session.project.character
        self._note_direction(self.controls.direction.text().strip())
        if self._is_entered:
            self.controls.show_portrait_warning(self._warnings.of(self._performer) if self._performer else "")

    def _note_direction(self, direction: str) -> None:
        self.controls.show_direction_note(turn_notes(self._performer, direction))

    def _show_phase(self) -> None:
        controller, phase = self.controller, self.controller.phase
        self.controls.show_phase(phase, controller.facts)
        is_open = phase is LivePhase.OPEN
        setup = controller.setup if phase is not LivePhase.CLOSED else None
        name = setup.character.name if setup is not None else self._name()
        is_typed = setup is None or setup.use is MicrophoneUse.LISTEN
        self.stage.allow(can_type=is_open and is_typed, can_interrupt=is_open, name=name)
        if phase is LivePhase.OPENING:
            self.stage.show_opening(name)
        elif is_open:
            self.stage.show_open()
            self.stage.line.setFocus()
        elif phase is LivePhase.CLOSED:
            self._show_closed()

    def _show_closed(self) -> None:
        if self.controller.phase is LivePhase.CLOSED:
            self._warn_of_portrait()
            self.stage.show_closed(
                self._portrait(),
                self._name(),
                has_cast=bool(self._session.project.characters),
                has_microphone=self.controls.chosen_microphone is not None,
            )

    def _show_frame(self, frame: object) -> None:
        from engine import LiveFrame

        if self.controller.phase is LivePhase.OPEN and isinstance(frame, LiveFrame):
            self.stage.picture.show_image(image_from_array(frame.picture_HWC))
            self.stage.ribbon.add(str(frame.state), frame.is_repeat)

    def _show_meters(self, meters: LiveMeters) -> None:
        facts: LiveFacts | None = self.controller.facts
        if facts is None or self.controller.phase is not LivePhase.OPEN:
            return
        self.controls.meters.show_meters(meters, facts.chunk_frames)
        if self.controller.is_recording:
            self.controls.show_recording(True, meters.recorded_s)

    def _tell_recorded(self, film: Recorded) -> None:
        seconds = film.num_frames / FRAME_RATE_HZ
        self.done.emit(self.tr("Recorded {seconds:.0f} s to {path}").format(seconds=seconds, path=film.path))

    def _name(self) -> str:
        character = self._session.project.character
        return character.name if character is not None else ""

    def _portrait(self) -> QImage:
        character = self._session.project.character
        if character is None or character.portrait is None:
            return QImage()
        try:
            return image_of(self._session.store.media(character.portrait.media_sha), "PNG")
        except LpmError:
            return QImage()
