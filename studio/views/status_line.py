"""The status line: what the engine does and how fast it was, measured; sound; where the project is saved."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLabel, QStatusBar

from studio.background.tasks import TaskRunner
from studio.playback.clocks import has_sound_device
from studio.playback.player import Player
from studio.project.timecode import chunk_of, num_chunks
from studio.qt_models.session import StudioSession
from studio.views.render.render_controller import RenderController, RenderState


class StatusLine(QObject):
    """Fills the window's status bar."""

    def __init__(
        self, session: StudioSession, player: Player, render: RenderController, tasks: TaskRunner, bar: QStatusBar
    ) -> None:
        """Follow engine, playhead and document."""
        super().__init__(bar)
        self._session = session
        self._player = player
        self._render = render
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
        tasks.run(lambda report, should_stop: has_sound_device(), self._show_sound, lambda _: None)
        self._refresh_engine()
        self._refresh_document()

    def _show_sound(self, has_sound: bool) -> None:
        self.sound.setText(self.tr("Sound on") if has_sound else self.tr("No sound device: playing silently"))

    def _refresh_engine(self) -> None:
        names = {
            RenderState.IDLE: self.tr("Engine idle"),
            RenderState.STARTING: self.tr("Engine starting"),
            RenderState.MIXING: self.tr("Engine mixes the sound"),
            RenderState.LOADING: self.tr("Engine loads the model"),
            RenderState.RENDERING: self.tr("Engine renders"),
            RenderState.CANCELLING: self.tr("Engine stops after this step"),
            RenderState.EXPORTING: self.tr("Film is written"),
        }
        speed = self._render.seconds_per_second
        if speed is None:
            take = self._session.newest_take()
            speed = take.seconds_per_second if take else None
        words = f"{self._session.project.pack} · {names[self._render.state]}"
        if speed:
            words += " · " + self.tr("{speed:.1f} s of work per second of film").format(speed=speed)
        self.engine.setText(words)

    def _refresh_document(self) -> None:
        frame = self._player.frame
        all_chunks = num_chunks(self._session.project.timeline.num_frames)
        self.place.setText(
            self.tr("Frame {frame} · chunk {chunk} of {all}").format(
                frame=frame, chunk=chunk_of(frame) + 1, all=all_chunks
            )
        )
        self.saved.setText(self.tr("Saved in {name}").format(name=self._session.path.name))
        self.saved.setToolTip(str(self._session.path))
