"""The controls of the Live workspace: microphone and what it is for, voice, direction, going live, recording."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.live.setup import LiveFacts, MicrophoneUse
from studio.live.sound_files import file_microphone
from studio.live.sound_ports import MicrophoneChoice
from studio.live.typed_voice import VOICES, TypedVoice
from studio.theme.look import Look
from studio.views.live.device_box import DeviceBox
from studio.views.live.live_controller import LivePhase
from studio.views.live.live_meters import MeterPanel
from studio.views.properties.form import fields, note, page, warning

_MOST_DIRECTION: Final = 200


class LiveControls(QWidget):
    """Holds what was chosen; pressing is told by signals."""

    begun = Signal()
    ended = Signal()
    record_toggled = Signal()
    directed = Signal(str)
    look_again = Signal()
    microphone_changed = Signal()
    direction_typed = Signal(str)

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        """Begin without a list of microphones."""
        super().__init__(parent)
        self.setObjectName("panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._look = look
        self.microphone = DeviceBox()
        self.use = DeviceBox()
        self.headphones = QCheckBox(self.tr("I wear headphones"))
        self.voice = DeviceBox()
        self.direction = QLineEdit()
        self.direction_note = note()
        self.device_note = note()
        self.portrait_warning = warning()
        self.live_button = QPushButton()
        self.record_button = QPushButton()
        self.engine_note = note()
        self.meters = MeterPanel(look)
        self._is_live = self._is_recording = self._was_picked = False
        self._fill()
        self._compose()
        look.changed.connect(self._dress)
        self.show_phase(LivePhase.CLOSED, None)
        self.show_portrait_warning("")
        self.show_direction_note("")
        self.show_microphones(())

    def _fill(self) -> None:
        self.use.addItem(self.tr("A voice it hears"), MicrophoneUse.LISTEN)
        self.use.addItem(self.tr("Its own voice"), MicrophoneUse.SPEAK)
        for voice in VOICES:
            self.voice.addItem(voice.label, voice)
        self.headphones.setToolTip(
            self.tr("Without them the microphone rests while the character speaks, so that it does not hear itself.")
        )
        self.direction.setPlaceholderText(self.tr("e.g. smiles, then nods"))
        self.direction.setMaxLength(_MOST_DIRECTION)
        self.direction.editingFinished.connect(lambda: self.directed.emit(self.direction.text().strip()))
        self.direction.textChanged.connect(lambda text: self.direction_typed.emit(text.strip()))
        self.microphone.activated.connect(self._microphone_picked)
        self.live_button.setIconSize(QSize(16, 16))
        self.live_button.clicked.connect(lambda: (self.ended if self._is_live else self.begun).emit())
        self.record_button.setIconSize(QSize(16, 16))
        self.record_button.clicked.connect(self.record_toggled)

    def _compose(self) -> None:
        inside, column = page()
        rows: list[tuple[str, QWidget]] = [
            (self.tr("Microphone"), self.microphone),
            (self.tr("Used as"), self.use),
            ("", self.headphones),
            (self.tr("Says lines as"), self.voice),
            (self.tr("Direction"), self.direction),
        ]
        column.addLayout(fields(rows))
        column.addWidget(self.direction_note)
        column.addWidget(self.device_note)
        column.addWidget(self.portrait_warning)
        column.addSpacing(8)
        column.addWidget(self.live_button)
        column.addWidget(self.record_button)
        line = QFrame()
        line.setObjectName("line")
        column.addSpacing(8)
        column.addWidget(line)
        column.addSpacing(8)
        column.addWidget(self.meters)
        column.addSpacing(8)
        column.addWidget(self.engine_note)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        heading = QLabel(self.tr("Live"))
        heading.setProperty("heading", True)
        heading.setFixedHeight(28)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 8, 16)
        layout.setSpacing(8)
        layout.addWidget(heading)
        layout.addWidget(area, 1)

    # ------------------------------------------------------------------ what was chosen

    @property
    def chosen_microphone(self) -> MicrophoneChoice | None:
        """The microphone or the file that was picked."""
        choice = self.microphone.currentData()
        return choice if isinstance(choice, MicrophoneChoice) else None

    @property
    def chosen_use(self) -> MicrophoneUse:
        """Whose voice it is."""
        return MicrophoneUse(self.use.currentData())

    @property
    def chosen_voice(self) -> TypedVoice:
        """Who speaks the typed lines."""
        voice = self.voice.currentData()
        assert isinstance(voice, TypedVoice)
        return voice

    # ------------------------------------------------------------------ what is shown

    def show_microphones(self, found: Sequence[MicrophoneChoice]) -> None:
        """Offer what there is; what was picked stays picked where it is still there."""
        before = self.microphone.currentText() if self._was_picked else ""
        files = [self.microphone.itemData(row) for row in range(self.microphone.count())]
        self.microphone.clear()
        for choice in (*found, *(item for item in files if _is_file(item))):
            self.microphone.addItem(choice.name, choice)
        self.microphone.addItem(self.tr("No microphone"), None)
        self.microphone.addItem(self.tr("A sound file…"), "file")
        self.microphone.addItem(self.tr("Look for microphones again"), "look")
        self.microphone.setCurrentIndex(max(self.microphone.findText(before), 0))
        self._picked = self.microphone.currentIndex()
        self._has_device = bool(found)
        self._refresh_note()

    def pick_file(self, path: Path) -> None:
        """Let a sound file be the microphone."""
        self.microphone.insertItem(0, path.name, file_microphone(path))
        self.microphone.setCurrentIndex(0)
        self._picked, self._was_picked = 0, True
        self._refresh_note()

    def show_phase(self, phase: LivePhase, facts: LiveFacts | None) -> None:
        """What can be pressed now, and what the session is."""
        self._is_live = phase is not LivePhase.CLOSED
        words = {
            LivePhase.CLOSED: self.tr("Go live"),
            LivePhase.OPENING: self.tr("Cancel"),
            LivePhase.OPEN: self.tr("End session"),
            LivePhase.CLOSING: self.tr("Ending"),
        }
        self.live_button.setText(words[phase])
        self.live_button.setObjectName("primary" if phase is LivePhase.CLOSED else "")
        self.live_button.setEnabled(phase is not LivePhase.CLOSING)
        self.live_button.style().unpolish(self.live_button)
        self.live_button.style().polish(self.live_button)
        for widget in (self.microphone, self.use, self.headphones):
            widget.setEnabled(phase is LivePhase.CLOSED)
        self.record_button.setEnabled(phase is LivePhase.OPEN)
        self.engine_note.setText(self._engine_words(facts) if facts is not None else "")
        if phase is LivePhase.CLOSED:
            self.meters.clear()
        self.show_recording(False, None)

    def show_direction_note(self, text: str) -> None:
        """What is to be said of the direction, if anything."""
        self.direction_note.setText(text)
        self.direction_note.setVisible(bool(text))

    def show_portrait_warning(self, text: str) -> None:
        """What there is to say against the portrait of whoever performs; empty for nothing."""
        self.portrait_warning.setText(text)
        self.portrait_warning.setVisible(bool(text))

    def show_recording(self, is_recording: bool, recorded_s: float | None) -> None:
        """Whether a film is being made, and how long it is."""
        self._is_recording = is_recording
        if not is_recording:
            self.record_button.setText(self.tr("Record a film"))
        else:
            minutes, seconds = divmod(int(recorded_s or 0.0), 60)
            self.record_button.setText(self.tr("Stop recording") + f"  {minutes}:{seconds:02d}")
        self._dress()

    def _refresh_note(self) -> None:
        """Say what is missing, as long as it is."""
        is_missing = not self._has_device and self.chosen_microphone is None
        words = self.tr("No microphone was found here. Connect one and look again, or let a sound file be heard.")
        self.device_note.setText(words if is_missing else "")
        self.device_note.setVisible(is_missing)
        self.microphone_changed.emit()

    def _engine_words(self, facts: LiveFacts) -> str:
        words = [
            self.tr("{pack} at {size} px, first picture after {seconds:.1f} s.").format(
                pack=facts.pack, size=facts.size_px, seconds=facts.first_frame_s
            )
        ]
        if not facts.is_causal:
            words.append(
                self.tr("The base model performs, in windows of {frames} frames.").format(frames=facts.chunk_frames)
            )
        if not facts.has_loudspeaker:
            words.append(self.tr("No loudspeaker was found: it speaks silently here; recordings have the sound."))
        return " ".join(words)

    def _dress(self) -> None:
        colors = self._look.colors
        is_closed = not self._is_live
        self.live_button.setIcon(
            self._look.icon("play" if is_closed else "stop", colors.on_accent if is_closed else colors.text)
        )
        self.record_button.setIcon(self._look.icon("record", colors.error if self._is_recording else colors.text))

    def _microphone_picked(self, row: int) -> None:
        data = self.microphone.itemData(row)
        if data not in ("file", "look"):
            self._picked, self._was_picked = row, True
            self._refresh_note()
            return
        self.microphone.setCurrentIndex(self._picked)
        if data == "look":
            self.look_again.emit()
            return
        name, _ = QFileDialog.getOpenFileName(
            self, self.tr("A sound file as the microphone"), "", self.tr("Sounds") + " (*.wav *.flac *.mp3 *.ogg *.m4a)"
        )
        if name:
            self.pick_file(Path(name))


def _is_file(item: object) -> bool:
    return isinstance(item, MicrophoneChoice) and not item.hears_room
