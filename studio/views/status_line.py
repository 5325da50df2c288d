"""The status line: what the engine does and how fast it was, measured; sound; where the project is saved.

In the Live workspace it tells of the session and nothing of the timeline, which is out of sight there.
"""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLabel, QStatusBar

from studio.background.tasks import TaskRunner
from studio.live.setup import LiveMeters, LiveSetup
from studio.playback.clocks import has_sound_device
from studio.playback.player import Player
from studio.project.timecode import FRAME_RATE_HZ, chunk_of, clock_text, num_chunks
from studio.qt_models.session import StudioSession
from studio.views.live.live_controller import LiveController, LivePhase
from studio.views.render.render_controller import RenderController, RenderState


class StatusLine(QObject):
    """Fills the window's status bar."""

    def __init__(
        self,
        session: StudioSession,
        player: Player,
        render: RenderController,
        live: LiveController,
        tasks: TaskRunner,
        bar: QStatusBar,
    ) -> None:
        """Follow engine, playhead, document and live session."""
        super().__init__(bar)
        self._session = session
        self._player = player
        self._render = render
        self._live = live
        self._is_live_shown = False
        self._live_s = 0
        self.engine = QLabel()
        self.place = QLabel()
        self.sound = QLabel()
        self.saved = QLabel()
        bar.setSizeGripEnabled(False)
        bar.addWidget(self.engine, 1)
        for label in (self.place, self.sound, self.saved):
            bar.addPermanentWidget(label)
        render.state_changed.connect(self._refresh_engine)
        render.progressed.connect(self._refresh_engine)
        session.takes_changed.connect(self._refresh_engine)
        session.project_changed.connect(self._refresh_document)
        player.frame_changed.connect(self._refresh_document)
        live.phase_changed.connect(self._live_phase_changed)
        live.metered.connect(self._live_metered)
        tasks.run(lambda report, should_stop: has_sound_device(), self._show_sound, lambda _: None)
        self._refresh_engine()
        self._refresh_document()

    def show_workspace(self, is_live: bool) -> None:
        """Tell of the Live workspace, or of the timeline."""
        self._is_live_shown = is_live
        self._refresh_engine()
        self._refresh_document()

    def _live_phase_changed(self) -> None:
        self._live_s = 0
        self._refresh_engine()
        self._refresh_document()

    def _live_metered(self, meters: LiveMeters) -> None:
        self._live_s = meters.shown_frames // FRAME_RATE_HZ
        self._refresh_document()

    def _show_sound(self, has_sound: bool) -> None:
        self.sound.setText(self.tr("Sound on") if has_sound else self.tr("No sound device: playing silently"))

    def _refresh_engine(self) -> None:
        phase = self._live.phase
        if phase is not LivePhase.CLOSED and self._live.setup is not None:
            self.engine.setText(f"{self._live.setup.pack} · {self._live_words(phase, self._live.setup)}")
            return
        names = {
            RenderState.IDLE: self.tr("Engine idle"),
            RenderState.STARTING: self.tr("Engine starting"),
            RenderState.MIXING: self.tr("Engine mixes the sound"),
            RenderState.LOADING: self.tr("Engine loads the model"),
            RenderState.RENDERING: self.tr("Engine renders"),
            RenderState.CANCELLING: self.tr("Engine stops after this step"),
            RenderState.EXPORTING: self.tr("Film is written"),
        }
        speed = None if self._is_live_shown else self._render.seconds_per_second
        if speed is None and not self._is_live_shown:
            take = self._session.newest_take()
            speed = take.seconds_per_second if take else None
        words = f"{self._session.project.pack} · {names[self._render.state]}"
        if speed:
            words += " · " + self.tr("{speed:.1f} s of work per second of film").format(speed=speed)
        self.engine.setText(words)

    def _live_words(self, phase: LivePhase, setup: LiveSetup) -> str:
        words = {
            LivePhase.OPENING: self.tr("{name} is getting ready"),
            LivePhase.OPEN: self.tr("{name} performs live"),
            LivePhase.CLOSING: self.tr("The live session ends"),
        }
        return words[phase].format(name=setup.character.name)

    def _place_words(self) -> str:
        if self._is_live_shown:
            is_open = self._live.phase is LivePhase.OPEN
            return self.tr("Live for {time}").format(time=clock_text(self._live_s)) if is_open else ""
        frame = self._player.frame
        return self.tr("Frame {frame} · chunk {chunk} of {all}").format(
            frame=frame, chunk=chunk_of(frame) + 1, all=num_chunks(self._session.project.timeline.num_frames)
        )

    def _refresh_document(self) -> None:
        words = self._place_words()
        self.place.setText(words)
        self.place.setVisible(bool(words))
        self.saved.setText(self.tr("Saved in {name}").format(name=self._session.path.name))
        self.saved.setToolTip(str(self._session.path))
