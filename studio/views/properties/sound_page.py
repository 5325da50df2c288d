"""The page of a sound: name, track, place, loudness, mute."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio.commands.sound_edits import delete_sound, move_sound, set_gain, set_sound_muted
from studio.project.document import MAX_GAIN_DB, SOUND_TRACKS, SoundClip
from studio.project.timecode import seconds_text
from studio.qt_models.session import StudioSession
from studio.views.properties.form import fields, heading, inset, note
from studio.views.properties.timecode_edit import TimecodeEdit


class SoundPage(QWidget):
    """Edits the selected sound."""

    def __init__(self, session: StudioSession, parent: QWidget | None = None) -> None:
        """Follow document and selection."""
        super().__init__(parent)
        self.setObjectName("scrolled")
        self._session = session
        self._title = heading("")
        self._note = note()
        self.track = QComboBox()
        self.track.addItems([self.tr("Speak (says it)"), self.tr("Listen (hears it)")])
        self.track.setAccessibleName(self.tr("Track"))
        self.track.setMinimumContentsLength(12)
        self.track.activated.connect(self._move_to_track)
        self.start = TimecodeEdit(self.tr("Start"))
        self.start.frame_edited.connect(self._move)
        self.gain = QDoubleSpinBox()
        self.gain.setRange(-MAX_GAIN_DB, MAX_GAIN_DB)
        self.gain.setSuffix(" dB")
        self.gain.setDecimals(1)
        inset(self.gain)
        self.gain.setAccessibleName(self.tr("Loudness"))
        self.gain.setKeyboardTracking(False)
        self.gain.valueChanged.connect(self._set_gain)
        self.mute = QCheckBox(self.tr("Leave this sound out"))
        self.mute.clicked.connect(self._set_muted)
        self._compose()
        session.project_changed.connect(self.refresh)
        session.selection_changed.connect(self.refresh)
        self.refresh()

    def _compose(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(8)
        layout.addWidget(self._title)
        layout.addWidget(self._note)
        layout.addSpacing(8)
        layout.addLayout(
            fields(
                [
                    (self.tr("Track"), self.track),
                    (self.tr("Start"), self.start),
                    (self.tr("Loudness"), self.gain),
                ]
            )
        )
        layout.addWidget(self.mute)
        delete = QPushButton(self.tr("Delete sound"))
        delete.clicked.connect(self._delete)
        line = QHBoxLayout()
        line.addWidget(delete)
        line.addStretch(1)
        layout.addSpacing(8)
        layout.addLayout(line)
        layout.addStretch(1)

    def _clip(self) -> SoundClip | None:
        selection = self._session.selection
        return self._session.project.sound(selection.id) if selection.kind == "sound" else None

    def refresh(self) -> None:
        """Show the selected sound."""
        clip = self._clip()
        if clip is None:
            return
        self._title.setText(clip.name)
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._note.setText(seconds_text(clip.num_frames))
        self.track.setCurrentIndex(SOUND_TRACKS.index(clip.track))
        self.start.set_frame(clip.start_frame)
        self.gain.blockSignals(True)
        self.gain.setValue(clip.gain_db)
        self.gain.blockSignals(False)
        self.mute.setChecked(clip.is_muted)

    def _move_to_track(self, index: int) -> None:
        clip = self._clip()
        if clip is not None:
            self._session.do(
                self.tr("Change track"),
                lambda project: move_sound(project, clip.id, clip.start_frame, SOUND_TRACKS[index]),
            )

    def _move(self, frame: int) -> None:
        clip = self._clip()
        if clip is not None:
            self._session.do(self.tr("Move sound"), lambda project: move_sound(project, clip.id, frame))

    def _set_gain(self, gain_db: float) -> None:
        clip = self._clip()
        if clip is not None:
            self._session.do(
                self.tr("Change loudness"),
                lambda project: set_gain(project, clip.id, gain_db),
                merge_key=f"gain {clip.id}",
            )

    def _set_muted(self, is_muted: bool) -> None:
        clip = self._clip()
        if clip is not None:
            label = self.tr("Mute sound") if is_muted else self.tr("Unmute sound")
            self._session.do(label, lambda project: set_sound_muted(project, clip.id, is_muted))

    def _delete(self) -> None:
        clip = self._clip()
        if clip is not None:
            self._session.do(self.tr("Delete sound"), lambda project: delete_sound(project, clip.id))
