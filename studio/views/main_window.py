"""The main window: library left, viewer centre, properties right, timeline below, and the actions that connect them.

It arranges and connects; what the actions do is in the controllers. Everything it needs is handed to it by `app.py`.
"""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QActionGroup, QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenuBar,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.background.tasks import TaskRunner
from studio.commands.project_edits import set_title
from studio.file_names import as_file_name
from studio.playback.player import Player
from studio.project.document import SoundTrack
from studio.project.export import FILM_SUFFIX
from studio.qt_models.portrait_warnings import PortraitWarnings
from studio.qt_models.session import StudioSession
from studio.settings import Settings
from studio.theme.icons import icon_pixmap
from studio.theme.look import Look
from studio.views.actions import Actions
from studio.views.character.library_panel import LibraryPanel
from studio.views.dialogs import about_dialog, keys_dialog, preferences_dialog
from studio.views.direct.timeline_view import TimelineView
from studio.views.direct.viewer import Viewer
from studio.views.dropped_files import dropped_paths
from studio.views.edit_controller import EditController
from studio.views.files_controller import FilesController
from studio.views.live.live_controller import LiveController
from studio.views.live.live_workspace import LiveWorkspace
from studio.views.message_bar import MessageBar
from studio.views.properties.properties_panel import PropertiesPanel
from studio.views.render.render_bar import RenderBar
from studio.views.render.render_controller import RenderController, RenderState
from studio.views.save_dialog import ask_path_to_write
from studio.views.sound_dialog import ask_sounds_to_read
from studio.views.status_line import StatusLine
from studio.views.title_edit import TitleEdit

LIBRARY_WIDTH_PX: Final = 304
PROPERTIES_WIDTH_PX: Final = 320
PROPERTIES_LEAST_PX: Final = 280
DEFAULT_SIZE: Final = QSize(1440, 900)
TIMELINE_ACTIONS: Final = (
    "add_prompt", "split", "delete", "snap", "play", "to_start", "back", "forward", "to_end", "previous_edit", "next_edit",
    "shuttle_back", "pause", "shuttle", "loop", "mark_in", "mark_out", "clear_range", "zoom_in", "zoom_out", "fit",
)  # fmt: skip


class MainWindow(QMainWindow):
    """The window of LPM Studio."""

    def __init__(
        self,
        session: StudioSession,
        player: Player,
        render: RenderController,
        live: LiveController,
        tasks: TaskRunner,
        warnings: PortraitWarnings,
        look: Look,
        settings: Settings,
    ) -> None:
        """Arrange the panels and connect the actions."""
        super().__init__()
        self.session, self.player, self.renderer = session, player, render
        self._look, self._settings = look, settings
        self.actions_by_name = Actions(look, self)
        self.library = LibraryPanel(session, look)
        self.viewer = Viewer(session, player, look)
        self.properties = PropertiesPanel(session, warnings)
        self.timeline = TimelineView(session, player, look)
        self.live = LiveWorkspace(session, live, warnings, look, self)
        self._centre, self._side = QStackedWidget(), QStackedWidget()
        self.files = FilesController(session, tasks, lambda: render.is_busy, self)
        self.edits = EditController(session, player, self)
        action = self.actions_by_name
        self.render_bar = RenderBar(look, action["render"], action["cancel"], action["export"])
        self.title = TitleEdit()
        self.setWindowIcon(look.icon("lpm-studio"))
        self.setMinimumSize(1040, 720)
        self.setAcceptDrops(True)
        self._arrange()
        self.message = MessageBar(look, self)
        self.status = StatusLine(session, player, render, live, tasks, self.statusBar())
        self._connect_actions()
        self._connect_signals()
        for button in self.findChildren(QAbstractButton):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.viewer.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewer.setFocus()
        self._restore_geometry()
        self._project_changed()
        self._render_state_changed()

    def _arrange(self) -> None:
        upper = QSplitter(Qt.Orientation.Horizontal)
        for stack, panels in (
            (self._centre, (self.viewer, self.live.stage)),
            (self._side, (self.properties, self.live.controls)),
        ):
            for panel in panels:
                stack.addWidget(panel)
        for place in (self.library, self._centre, self._side):
            upper.addWidget(place)
        upper.setSizes(
            [LIBRARY_WIDTH_PX, DEFAULT_SIZE.width() - LIBRARY_WIDTH_PX - PROPERTIES_WIDTH_PX, PROPERTIES_WIDTH_PX]
        )
        upper.setStretchFactor(1, 1)
        self.library.setMinimumWidth(LIBRARY_WIDTH_PX)
        self._side.setMinimumWidth(PROPERTIES_LEAST_PX)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(upper)
        whole.addWidget(self.timeline)
        whole.setStretchFactor(0, 1)
        for splitter in (upper, whole):
            splitter.setHandleWidth(8)
            splitter.setChildrenCollapsible(False)
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(8, 8, 8, 0)
        layout.addWidget(whole)
        self.setCentralWidget(centre)
        self.setMenuWidget(self._make_top_bar())
        action = self.actions_by_name
        for name in ("to_start", "back", "play", "forward", "to_end", "loop"):
            self.viewer.add_transport(action[name], is_play=name == "play")
        for group in (("undo", "redo"), ("add_prompt", "split", "delete"), ("snap",), ("zoom_out", "fit", "zoom_in")):
            for name in group:
                button = QToolButton()
                button.setDefaultAction(action[name])
                self.timeline.add_tool(button)
            if group[-1] != "zoom_in":
                self.timeline.add_tool_space()

    def _make_top_bar(self) -> QWidget:
        bar = QWidget()
        bar.setObjectName("topBar")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar.setFixedHeight(48)
        logo = QLabel()
        logo.setPixmap(icon_pixmap("lpm-studio", "#ffffff", 24, max(self.devicePixelRatioF(), 2.0)))
        logo.setFixedSize(24, 24)
        logo.setScaledContents(True)
        menu = QMenuBar()
        self.actions_by_name.fill(menu)
        self.title.setAccessibleName(self.tr("Project title"))
        self.title.setMinimumWidth(120)
        self.title.setMaximumWidth(400)
        layout = QHBoxLayout(bar)
        layout.setContentsMargins(16, 0, 16, 0)
        layout.setSpacing(8)
        layout.addWidget(logo)
        layout.addWidget(menu, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addLayout(self._make_workspace_tabs())
        layout.addWidget(self.title, 1)
        layout.addWidget(self.render_bar, 1, Qt.AlignmentFlag.AlignRight)
        return bar

    def _make_workspace_tabs(self) -> QHBoxLayout:
        tabs = QHBoxLayout()
        tabs.setSpacing(4)
        group = QActionGroup(self)
        for name in ("direct", "live"):
            action = self.actions_by_name[name]
            group.addAction(action)
            tab = QToolButton()
            tab.setObjectName("tab")
            tab.setDefaultAction(action)
            tab.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            tabs.addWidget(tab)
        self.actions_by_name["direct"].setChecked(True)
        return tabs

    def _connect_actions(self) -> None:
        action, edits, player, timeline = self.actions_by_name, self.edits, self.player, self.timeline
        slots = {
            "new": self.files.ask_new,
            "open": self.files.ask_open,
            "save_as": self.files.ask_save_as,
            "import": lambda: self.files.ask_import_sounds(player.frame),
            "import_character": self.files.ask_import_character,
            "import_picture": self.files.ask_import_picture,
            "export": self._ask_export,
            "preferences": lambda: preferences_dialog(self, self._look, self._settings).exec(),
            "quit": self.close,
            "undo": self.session.undo,
            "redo": self.session.redo,
            "add_prompt": lambda: timeline.prompts.add_at(player.frame),
            "split": edits.split,
            "delete": edits.delete,
            "play": player.toggle,
            "to_start": lambda: player.seek(0),
            "back": lambda: edits.step(-1),
            "forward": lambda: edits.step(1),
            "to_end": lambda: player.seek(self.session.project.timeline.num_frames),
            "previous_edit": edits.previous_edit,
            "next_edit": edits.next_edit,
            "shuttle_back": lambda: player.shuttle(-1),
            "pause": player.pause,
            "shuttle": lambda: player.shuttle(1),
            "mark_in": edits.mark_in,
            "mark_out": edits.mark_out,
            "clear_range": edits.clear_range,
            "zoom_in": timeline.zoom_in,
            "zoom_out": timeline.zoom_out,
            "fit": timeline.scale.fit,
            "direct": self._show_direct,
            "live": self._show_live,
            "render": self._render,
            "cancel": self.renderer.cancel,
            "keys": lambda: keys_dialog(self).exec(),
            "about": lambda: about_dialog(self).exec(),
        }
        for name, slot in slots.items():
            action[name].triggered.connect(lambda _=False, slot=slot: slot())
        action["snap"].setChecked(timeline.is_snapping)
        action["snap"].toggled.connect(timeline.set_snapping)
        action["loop"].toggled.connect(player.set_looping)

    def _connect_signals(self) -> None:
        session, render = self.session, self.renderer
        session.project_changed.connect(self._project_changed)
        session.selection_changed.connect(self._refresh_edit_actions)
        session.project_opened.connect(lambda: self.player.seek(0))
        self.player.playing_changed.connect(self._playing_changed)
        for source in (session.failed, render.failed, self.files.failed):
            source.connect(self.message.show_error)
        self.files.done.connect(self.message.show_done)
        self.files.reading.connect(lambda name: self.message.show_busy(self.tr("Reading {name}").format(name=name)))
        self.files.read.connect(self.message.end_busy)
        self.live.failed.connect(self.message.show_error)
        self.live.done.connect(self.message.show_done)
        self.files.project_switched.connect(self._project_switched)
        self.library.picture_requested.connect(self.files.ask_import_picture)
        self.library.import_requested.connect(self.files.ask_import_character)
        self.library.characters_wanted.connect(lambda paths: self.files.take(paths, "speak", 0))
        self.library.reference_chosen.connect(self.viewer.show_still)
        self.timeline.sounds_dropped.connect(self.files.take)
        self.timeline.sounds_wanted.connect(self._import_to)
        self.timeline.prompt_edit_requested.connect(self.properties.edit_prompt)
        self.title.editingFinished.connect(self._rename)
        render.state_changed.connect(self._render_state_changed)
        render.mixing_progressed.connect(lambda share: self.render_bar.show_share(self.tr("Mixing the sound"), share))
        render.progressed.connect(self.render_bar.show_render)
        render.progressed.connect(self.viewer.show_progress)
        render.progressed.connect(self.timeline.takes.show_progress)
        render.export_progressed.connect(lambda share: self.render_bar.show_share(self.tr("Exporting"), share))
        render.exported.connect(lambda path: self.message.show_done(self.tr("Exported to {path}").format(path=path)))
        render.ended.connect(self.viewer.render_ended)
        render.ended.connect(lambda: self.timeline.takes.show_progress(None))

    @property
    def is_live(self) -> bool:
        """Whether the Live workspace is shown."""
        return self._centre.currentWidget() is self.live.stage

    def _show_direct(self) -> None:
        self.live.leave()
        self._show_workspace(self.viewer, self.properties)

    def _show_live(self) -> None:
        self.player.pause()
        self._show_workspace(self.live.stage, self.live.controls)
        self.live.enter()

    def _show_workspace(self, centre: QWidget, side: QWidget) -> None:
        self._centre.setCurrentWidget(centre)
        self._side.setCurrentWidget(side)
        self.timeline.setHidden(self.is_live)
        self.status.show_workspace(self.is_live)
        for name in TIMELINE_ACTIONS:  # nothing that is out of sight is changed by a key
            self.actions_by_name[name].setEnabled(not self.is_live)
        self._refresh_edit_actions()

    def _import_to(self, track: SoundTrack) -> None:
        self.files.take(ask_sounds_to_read(self, self.tr("Import sounds")), track, self.player.frame)

    def _rename(self) -> None:
        text = self.title.text()
        self.session.do(self.tr("Rename project"), lambda project: set_title(project, text))
        self._show_title()
        self.title.clearFocus()

    def _show_title(self) -> None:
        title = self.session.project.title
        self.title.setText(title)
        self.title.setToolTip(title)
        self.title.setCursorPosition(0)  # of a long one the beginning is shown

    def _render(self) -> None:
        self.player.pause()
        self.renderer.render()

    def _ask_export(self) -> None:
        start = self.session.path.with_name(as_file_name(self.session.project.title) + FILM_SUFFIX)
        path = ask_path_to_write(self, self.tr("Export film"), start, self.tr("Film"), FILM_SUFFIX)
        if path is not None:
            self.renderer.export(path)

    def _project_changed(self) -> None:
        project = self.session.project
        if not self.title.hasFocus():
            self._show_title()
        self.setWindowTitle(f"{project.title} - LPM Studio")
        self.setWindowFilePath(str(self.session.path))
        self._refresh_edit_actions()
        self._refresh_render_actions()
        if self.player.is_playing:
            self.player.refresh_sound()

    def _refresh_edit_actions(self) -> None:
        action, funnel = self.actions_by_name, self.session.funnel
        for name, label, verb in (
            ("undo", funnel.undo_label, self.tr("&Undo")),
            ("redo", funnel.redo_label, self.tr("&Redo")),
        ):
            action[name].setEnabled(label is not None)
            action[name].setText(f"{verb} {label}" if label else verb)
            action[name].setToolTip(action[name].text().replace("&", ""))
        action["delete"].setEnabled(not self.is_live and self.session.selection.kind in ("sound", "prompt"))

    def _refresh_render_actions(self) -> None:
        project = self.session.project
        why_not = ""
        if self.renderer.is_busy:
            why_not = self.tr("A film is being made: wait for its end or cancel it first")
        elif project.character is None and project.characters:
            why_not = self.tr("Choose a character in the library first")
        elif project.character is None:
            why_not = self.tr("Add a character in the library first")
        for name in ("render", "export"):
            self.actions_by_name.allow(name, why_not)

    def _playing_changed(self, is_playing: bool) -> None:
        look = self._look
        self.actions_by_name["play"].setIcon(look.icon("pause" if is_playing else "play", look.colors.text))

    def _render_state_changed(self) -> None:
        state = self.renderer.state
        words = {
            RenderState.STARTING: self.tr("Starting"),
            RenderState.MIXING: self.tr("Mixing the sound"),
            RenderState.LOADING: self.tr("Loading the model"),
            RenderState.RENDERING: self.tr("Rendering the first frames"),
            RenderState.CANCELLING: self.tr("Cancelling"),
            RenderState.EXPORTING: self.tr("Exporting"),
        }
        action = self.actions_by_name
        is_busy = self.renderer.is_busy
        for name in ("new", "open", "save_as"):
            action[name].setEnabled(not is_busy)
        self._refresh_render_actions()
        action["cancel"].setEnabled(is_busy and state is not RenderState.CANCELLING)
        if is_busy:
            self.render_bar.show_waiting(words[state])
            self.viewer.render_started()
        else:
            self.render_bar.show_idle()

    def _project_switched(self, path: Path) -> None:
        self._settings.last_project = path

    def _restore_geometry(self) -> None:
        geometry = self._settings.geometry
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(DEFAULT_SIZE)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that no field took: play, step, jump."""
        names = {
            Qt.Key.Key_Space: "play",
            Qt.Key.Key_Left: "back",
            Qt.Key.Key_Right: "forward",
            Qt.Key.Key_Home: "to_start",
            Qt.Key.Key_End: "to_end",
            Qt.Key.Key_Up: "previous_edit",
            Qt.Key.Key_Down: "next_edit",
        }
        name = names.get(Qt.Key(event.key()))
        if name is None:
            super().keyPressEvent(event)
        else:
            self.actions_by_name[name].trigger()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files wherever nothing else takes them."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Bring in what was dropped, sounds at the playhead."""
        paths = dropped_paths(event)
        if paths:
            event.acceptProposedAction()
            self.files.take(paths, "speak", self.player.frame)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what plays and renders; everything is saved already."""
        self.player.pause()
        self.renderer.cancel()
        self.live.leave()
        self._settings.geometry = self.saveGeometry()
        event.accept()
