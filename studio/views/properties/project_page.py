"""The page of the project: length, seed, and what the last render took. Shown when nothing else is selected."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QLabel, QSpinBox, QTableView, QVBoxLayout, QWidget

from studio.commands.project_edits import set_length, set_seed
from studio.project.document import MAX_SEED
from studio.project.takes import ChunkState
from studio.project.timecode import format_timecode
from studio.qt_models.prompt_table import FROM, TO, PromptTableModel
from studio.qt_models.session import StudioSession
from studio.qt_models.wording import counted
from studio.views.properties.form import fields, heading, inset, note
from studio.views.properties.timecode_edit import TimecodeEdit

TABLE_LEAST_PX: Final = 128  # the heads and three rows


class ProjectPage(QWidget):
    """Edits the project as a whole, and lists its directions."""

    def __init__(self, session: StudioSession, parent: QWidget | None = None) -> None:
        """Follow document and takes."""
        super().__init__(parent)
        self.setObjectName("scrolled")
        self._session = session
        self.length = TimecodeEdit(self.tr("Length"))
        self.length.frame_edited.connect(
            lambda frame: session.do(self.tr("Change length"), lambda project: set_length(project, frame))
        )
        self.seed = QSpinBox()
        self.seed.setRange(0, MAX_SEED)
        self.seed.setKeyboardTracking(False)
        inset(self.seed)
        self.seed.setAccessibleName(self.tr("Seed"))
        self.seed.setToolTip(self.tr("Another seed gives another performance of the same timeline"))
        self.seed.valueChanged.connect(
            lambda seed: session.do(self.tr("Change seed"), lambda project: set_seed(project, seed), merge_key="seed")
        )
        self._pack = QLabel()
        self._rendered = QLabel()
        self._speed = note()
        self._model = PromptTableModel(session, self)
        self.table = QTableView()
        self._empty = note(self.tr("No directions yet. Press D to add one at the playhead."))
        self._compose()
        session.project_changed.connect(self.refresh)
        session.takes_changed.connect(self._show_takes)
        self.refresh()

    def _compose(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(8)
        layout.addWidget(heading(self.tr("Project")))
        layout.addLayout(
            fields(
                [
                    (self.tr("Length"), self.length),
                    (self.tr("Seed"), self.seed),
                    (self.tr("Model"), self._pack),
                    (self.tr("Rendered"), self._rendered),
                ]
            )
        )
        layout.addWidget(self._speed)
        layout.addSpacing(8)
        layout.addWidget(heading(self.tr("Directions")))
        self.table.setModel(self._model)
        self.table.setAccessibleName(self.tr("Directions"))
        self.table.setShowGrid(False)
        self.table.setMinimumHeight(TABLE_LEAST_PX)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setMinimumSectionSize(28)
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setStretchLastSection(True)
        self.table.ensurePolished()
        for column in (FROM, TO):
            time_px = self.table.fontMetrics().horizontalAdvance(format_timecode(0))
            self.table.setColumnWidth(column, time_px + 12)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        layout.addWidget(self._empty)
        layout.addWidget(self.table, 100)
        layout.addStretch(1)

    def refresh(self) -> None:
        """Show the project."""
        project = self._session.project
        self.length.set_frame(project.timeline.num_frames)
        self.seed.blockSignals(True)
        self.seed.setValue(project.seed)
        self.seed.blockSignals(False)
        self._pack.setText(project.pack)
        has_prompts = self._model.rowCount() > 0
        self.table.setVisible(has_prompts)
        self._empty.setVisible(not has_prompts)
        self._show_takes()

    def _show_takes(self) -> None:
        """What is rendered and how fast; a render tells of each piece, while somebody may be typing a length."""
        states = self._session.chunk_states()
        fresh = sum(state is ChunkState.FRESH for state in states)
        stale = sum(state is ChunkState.STALE for state in states)
        text = self.tr("{fresh} of {all}").format(
            fresh=fresh, all=counted(len(states), self.tr("{num} chunk"), self.tr("{num} chunks"))
        )
        self._rendered.setText(text + (self.tr(", {stale} changed").format(stale=stale) if stale else ""))
        take = self._session.newest_take()
        speed = take.seconds_per_second if take else None
        self._speed.setText(
            self.tr("The last render took {speed:.1f} s for each second of film.").format(speed=speed) if speed else ""
        )
        self._speed.setVisible(bool(speed))
