"""Start-up of the studio: the one place where its objects are put together.

Called by `lpm studio` and `python -m studio`. The engine comes in as two callables, so that a test can bring its own.
"""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QCoreApplication, QSettings, QTimer
from PySide6.QtWidgets import QApplication, QDialog

from engine.errors import LpmError
from engine.locations import APPLICATION, assets_dir, data_dir, windows_dir
from studio.background.engine_thread import EngineThread, LoadPack, MakeJob, Perform, WarmUpRequest
from studio.background.live_thread import LiveThread, OpenSession
from studio.background.tasks import TaskRunner
from studio.live.setup import LiveSetup
from studio.live.sound_card import SoundCard
from studio.live.sound_ports import SoundPorts
from studio.playback.clocks import open_clock
from studio.playback.mix import playback_mix
from studio.playback.player import OpenClock, Player
from studio.project.blobs import decode_picture
from studio.project.document import Project
from studio.project.project_lock import ProjectInUseError
from studio.project.render_plan import render_job
from studio.project.store import (
    SUFFIX,
    ProjectStore,
    copy_project,
    edit_own_copy,
    edit_project,
    new_project,
    unused_path,
)
from studio.qt_models.portrait_warnings import PortraitWarnings, WarnOfPortrait
from studio.qt_models.session import StudioSession
from studio.settings import Settings
from studio.theme.look import Look
from studio.views.dialogs import copy_dialog
from studio.views.live.live_controller import LiveController
from studio.views.main_window import MainWindow
from studio.views.render.render_controller import RenderController

_log = logging.getLogger(__name__)
SAMPLE_PROJECT: Final = "first-performance"
WARM_UP_DELAY_MS: Final = 800


def open_live_session(setup: LiveSetup, pack: Any) -> Any:
    """The engine's session for a setup, which listens by a microphone."""
    import engine
    from engine.online.live import MICROPHONE_LAG_S

    config = engine.LiveConfig(seed=setup.seed, prompt=setup.prompt, listen_lag_s=MICROPHONE_LAG_S)
    return engine.open_session(setup.character, engine.performing_live(pack), config)


def warn_of_portrait(pack: str, content: bytes) -> str:
    """What a pack has to say against a portrait, PNG."""
    from engine.familiarity import familiarity_to_pack

    return familiarity_to_pack(pack, decode_picture(content)).warning


@dataclass(frozen=True, kw_only=True)
class Machinery:
    """What the studio works with: the engine's callables and the way to be heard."""

    load_pack: LoadPack
    perform: Perform
    make_job: MakeJob = render_job
    warm_up: Callable[[], None] | None = None
    open_sound: OpenClock = open_clock
    open_session: OpenSession = open_live_session
    ports: SoundPorts = field(default_factory=SoundCard)
    warn_of_portrait: WarnOfPortrait = warn_of_portrait


def engine_machinery() -> Machinery:
    """The real engine; its model code is imported on the engine's thread, when it is first used."""

    def load_pack(name: str) -> Any:
        import engine

        return engine.load_pack(name)

    def perform(pack: Any, job: Any, should_stop: Any) -> Iterator[Any]:
        import engine

        store = engine.WindowStore(windows_dir())
        return engine.perform(pack, job, should_stop, keep=store, reuse=store)

    def warm_up() -> None:
        importlib.import_module("engine.base.performer")
        importlib.import_module("engine.loaded_pack")

    return Machinery(load_pack=load_pack, perform=perform, warm_up=warm_up)


class Studio:
    """The running application: its window and everything that must be stopped in order."""

    def __init__(
        self, application: QApplication, store: ProjectStore, settings: Settings, machinery: Machinery
    ) -> None:
        """Put everything together around an open project."""
        self.settings = settings
        self.look = Look(application, settings.look)
        self.session = session = StudioSession(store)
        self.player = Player(lambda: playback_mix(session.project, session.sounds), machinery.open_sound)
        self.engine = EngineThread(machinery.load_pack, machinery.perform, machinery.make_job, machinery.warm_up)
        self.tasks = TaskRunner()
        self.render = RenderController(self.session, self.engine, self.tasks)
        self.live_thread = LiveThread(machinery.load_pack, machinery.open_session, machinery.ports)
        self.live = LiveController(self.session, self.live_thread, machinery.ports, self.tasks)
        self.warnings = PortraitWarnings(session, self.tasks, machinery.warn_of_portrait)
        self.window = MainWindow(
            session, self.player, self.render, self.live, self.tasks, self.warnings, self.look, settings
        )

    def close(self) -> None:
        """Stop the player, the live session, the tasks and the engine, and close the project."""
        self.window.close()
        self.player.pause()
        self.live.close()
        self.tasks.close()
        self.engine.close()
        QCoreApplication.processEvents()  # what the threads told at their end arrives before the project closes
        self.session.close()
        self.settings.end_run()


def projects_dir() -> Path:
    """Where projects lie unless the person says otherwise."""
    return data_dir() / "projects"


def open_first_project(
    wanted: Path | None, last: Path | None, tell: Callable[[str], None] = _log.warning
) -> ProjectStore:
    """The project to start with: the one asked for, else the last one, else a copy of the sample project.

    `BadInputError` only for a project that was asked for, `ProjectInUseError` where another studio edits that one; a last project
    that cannot be opened is left alone, and `tell` hears why.
    """
    if wanted is not None:
        return edit_project(_own_copy(wanted))
    if last is not None and last.is_file():
        try:
            return edit_project(last)
        except LpmError as error:
            tell(str(error))
    sample = assets_dir() / "projects" / f"{SAMPLE_PROJECT}{SUFFIX}"
    if sample.is_file():
        try:
            return edit_project(_own_copy(sample))
        except LpmError as error:
            _log.warning("the sample project was not opened: %s", error)
    return new_project(unused_path(projects_dir() / f"untitled{SUFFIX}"), Project())


def _open_or_offer_copy(wanted: Path | None, last: Path | None, tell: Callable[[str], None]) -> ProjectStore:
    try:
        return open_first_project(wanted, last, tell)
    except ProjectInUseError as error:
        if copy_dialog(None, error.path).exec() == QDialog.DialogCode.Accepted:
            return edit_own_copy(error.path)
        raise


def _own_copy(project: Path) -> Path:
    """The project itself, or the person's own copy of one that ships with the product: that one is never changed."""
    if not project.resolve().is_relative_to(assets_dir().resolve()):
        return project
    own = projects_dir() / project.name
    copy_project(project, own)
    return own


def run_studio(project: Path | None = None, machinery: Machinery | None = None) -> int:
    """Open the studio and stay until it is closed; the exit status. `BadInputError` for a project that cannot be opened."""
    QCoreApplication.setApplicationName(APPLICATION)
    QCoreApplication.setOrganizationName(APPLICATION)
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationDisplayName("LPM Studio")
    with suppress(PackageNotFoundError):  # a checkout that was never installed
        application.setApplicationVersion(version("lpm-studio"))
    settings = Settings(QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, APPLICATION, "studio"))
    may_reopen = settings.begin_run()
    Look(application, settings.look)  # for what is asked before the window is there
    notices: list[str] = []
    try:
        store = _open_or_offer_copy(project, settings.last_project if may_reopen else None, notices.append)
    except LpmError:
        settings.end_run()
        raise
    studio = Studio(application, store, settings, machinery or engine_machinery())
    settings.last_project = store.path
    try:
        studio.window.show()
        for notice in notices:
            studio.window.message.show_error(notice)
        QTimer.singleShot(WARM_UP_DELAY_MS, studio.window, lambda: studio.engine.submit(WarmUpRequest()))
        return application.exec()
    finally:
        studio.close()
