"""The figures of a live session, measured and not guessed: time by stage, what was not ready in time, how soon it reacts."""

import math

from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from studio.live.setup import LiveMeters
from studio.project.timecode import FRAME_RATE_HZ
from studio.qt_models.wording import counted
from studio.theme.look import Look
from studio.views.live.stage_meter import StageMeter

QUIETEST_DB = -60.0


class MeterPanel(QWidget):
    """A level, a stage meter, and rows of numbers."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        """Begin without figures."""
        super().__init__(parent)
        self.stages = StageMeter(look)
        self.level = QProgressBar()
        self.level.setRange(0, round(-QUIETEST_DB))
        self.level.setTextVisible(False)
        self.level.setAccessibleName(self.tr("Level of the microphone"))
        names = {
            "late": (
                self.tr("Dropped frames"),
                self.tr(
                    "Frames whose picture was not ready in time: the one before was shown again, the sound went on."
                ),
            ),
            "factor": (self.tr("Work a second"), self.tr("Seconds of work of the busiest stage for a second of film.")),
            "reaction": (self.tr("Sound to picture"), self.tr("From a sound to the first picture that knows of it.")),
            "ahead": (self.tr("Ahead"), self.tr("Frames that are made and not yet shown.")),
            "pace": (self.tr("Pace"), self.tr("What is given up so that sound and picture stay together.")),
        }
        self.values = {name: QLabel() for name in names}
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(_soft(self.tr("Level")), 0, 0)
        grid.addWidget(self.level, 0, 1)
        for row, (name, (words, tip)) in enumerate(names.items(), start=1):
            label, value = _soft(words), self.values[name]
            for widget in (label, value):
                widget.setToolTip(tip)
            grid.addWidget(label, row, 0)
            grid.addWidget(value, row, 1)
        heading = QLabel(self.tr("Newest chunk"))
        heading.setProperty("heading", True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(heading)
        layout.addWidget(self.stages)
        layout.addSpacing(8)
        layout.addLayout(grid)
        self.clear()

    def clear(self) -> None:
        """No session."""
        self.stages.show_stages({}, 1000.0)
        self.level.setValue(0)
        self.level.setEnabled(False)
        for value in self.values.values():
            value.setText("–")

    def show_meters(self, meters: LiveMeters, chunk_frames: int) -> None:
        """Show the figures of a moment."""
        self.stages.show_stages(meters.stages_ms, 1000.0 * chunk_frames / FRAME_RATE_HZ)
        decibel = meters.microphone_db if meters.microphone_db is not None else QUIETEST_DB
        self.level.setEnabled(True)
        self.level.setValue(round(min(max(decibel - QUIETEST_DB, 0.0), -QUIETEST_DB)))
        share = meters.repeated_frames / max(meters.shown_frames, 1)
        self.values["late"].setText(
            self.tr("{late} of {all} ({share:.0%})").format(
                late=meters.repeated_frames, all=meters.shown_frames, share=share
            )
        )
        self.values["factor"].setText(_seconds(meters.real_time_factor))
        self.values["reaction"].setText(_seconds(meters.reaction_ms_p50 / 1000))
        self.values["ahead"].setText(counted(meters.ahead_frames, self.tr("{num} frame"), self.tr("{num} frames")))
        self.values["pace"].setText(meters.pace)


def _soft(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("soft", True)
    return label


def _seconds(value_s: float) -> str:
    return f"{value_s:.2f} s" if math.isfinite(value_s) else "–"
