"""Opening, making, copying projects, and bringing in sounds, pictures and characters. It owns no widget but asks through file dialogs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.character_writing import NewReference, read_reference
from engine.errors import LpmError
from studio.background.tasks import TaskRunner
from studio.commands.project_edits import add_character
from studio.commands.sound_edits import add_sound
from studio.file_names import UNNAMED
from studio.project.document import Project, SoundTrack
from studio.project.imports import (
    PICTURE_SUFFIXES,
    ImportedCharacter,
    ImportedSound,
    is_character_folder,
    is_picture,
    make_character,
    read_character_import,
    read_sound_import,
    store_character,
    store_sound,
)
from studio.project.project_lock import ProjectInUseError
from studio.project.store import SUFFIX, ProjectStore, edit_copy, edit_own_copy, edit_project, new_project
from studio.qt_models.images import image_from_array
from studio.qt_models.session import StudioSession
from studio.views.character.picture_dialog import PictureDialog
from studio.views.dialogs import copy_dialog
from studio.views.save_dialog import ask_path_to_write
from studio.views.sound_dialog import ask_sounds_to_read

MAX_FILES_AT_ONCE: Final = 20


class FilesController(QObject):
    """Everything of the window that touches files."""

    project_switched = Signal(Path)
    reading = Signal(str)
    read = Signal()
    done = Signal(str)
    failed = Signal(str)

    def __init__(self, session: StudioSession, tasks: TaskRunner, is_busy: Callable[[], bool], window: QWidget) -> None:
        """`is_busy` tells whether the project is needed as it is for now; `window` is the parent of the dialogs."""
        super().__init__(window)
        self._session = session
        self._tasks = tasks
        self._is_busy = is_busy
        self._window = window
        self._num_reading = 0

    def _kind(self) -> str:
        return self.tr("LPM Studio projects")

    def ask_new(self) -> None:
        """Ask where a new project shall lie, and open it."""
        start = self._session.path.with_name(UNNAMED + SUFFIX)
        path = ask_path_to_write(self._window, self.tr("New project"), start, self._kind(), SUFFIX)
        if path is not None:
            self.make_new(path)

    def make_new(self, path: Path) -> None:
        """Make and open an empty project; an existing file is replaced, unless it is the project that is open."""
        if path.exists() and path.resolve() == self._session.path.resolve():
            self.failed.emit(self.tr("{path} is the project that is open; choose another name.").format(path=path))
            return
        self._switch(lambda: new_project(path, Project(title=path.stem)))

    def ask_open(self) -> None:
        """Ask for a project and open it."""
        start = str(self._session.path.parent)
        name, _ = QFileDialog.getOpenFileName(
            self._window, self.tr("Open project"), start, f"{self._kind()} (*{SUFFIX})"
        )
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Open a project, or offer a copy where it is open elsewhere; the current one stays open if that fails."""
        if path.resolve() == self._session.path.resolve():
            return
        self._switch(lambda: edit_project(path), when_in_use=lambda: self._offer_copy(path))

    def _offer_copy(self, path: Path) -> None:
        offer = copy_dialog(self._window, path)
        offer.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        offer.accepted.connect(lambda: self.open_copy(path))
        offer.open()

    def open_copy(self, path: Path) -> None:
        """Open a copy of a project that is open elsewhere."""
        if self._switch(lambda: edit_own_copy(path)):
            self.done.emit(self.tr("This is a copy: {path}").format(path=self._session.path))

    def ask_save_as(self) -> None:
        """Ask for a name, copy the project there and go on with the copy."""
        path = ask_path_to_write(self._window, self.tr("Save project as"), self._session.path, self._kind(), SUFFIX)
        if path is not None:
            self.save_as(path)

    def save_as(self, path: Path) -> None:
        """Copy the project, whole or not at all, and go on with the copy."""
        if path.resolve() == self._session.path.resolve():
            return
        if self._switch(lambda: edit_copy(self._session.store, path)):
            self.done.emit(self.tr("Saved as {path}").format(path=path))

    def _switch(self, open_store: Callable[[], ProjectStore], when_in_use: Callable[[], None] | None = None) -> bool:
        if self._is_busy():  # a dropped project comes here too, when the actions of the menu are off
            self.failed.emit(self.tr("A film is being made from this project: wait for its end or cancel it first."))
            return False
        try:
            store = open_store()
        except LpmError as error:
            if isinstance(error, ProjectInUseError) and when_in_use is not None:
                when_in_use()
            else:
                self.failed.emit(str(error))
            return False
        self._session.switch_to(store)
        self.project_switched.emit(store.path)
        return True

    def ask_import_sounds(self, frame: int) -> None:
        """Ask for sounds and put them on the speak track from `frame` on."""
        self.take(ask_sounds_to_read(self._window, self.tr("Import sounds")), "speak", frame)

    def ask_import_character(self) -> None:
        """Ask for a character's folder and take it into the cast."""
        name = QFileDialog.getExistingDirectory(self._window, self.tr("Import a character's folder"))
        if name:
            self.take([Path(name)], "speak", 0)

    def ask_import_picture(self) -> None:
        """Ask for a picture and offer to make a character of it."""
        pattern = " ".join(f"*{suffix}" for suffix in PICTURE_SUFFIXES)
        name, _ = QFileDialog.getOpenFileName(
            self._window, self.tr("Character from a picture"), "", self.tr("Pictures") + f" ({pattern})"
        )
        if name:
            self._take_picture(Path(name))

    def take(self, paths: Sequence[Path], track: SoundTrack, frame: int) -> None:
        """Bring in whatever was dropped or chosen: sounds, a picture, character folders, a project."""
        pictures = [path for path in paths if is_picture(path)]
        for path in paths[:MAX_FILES_AT_ONCE]:
            if path.suffix == SUFFIX:
                self.open(path)
                return
            if path.is_dir():
                self._take_character(path)
            elif path not in pictures:
                self._take_sound(path, track, frame)
        if len(pictures) == 1:
            self._take_picture(pictures[0])
        elif pictures:  # told last, so that nothing that is read takes its place
            self.failed.emit(
                self.tr("Drop one picture, the portrait that shows who the character is, without the others.")
            )

    def _take_sound(self, path: Path, track: SoundTrack, frame: int) -> None:
        session, store = self._session, self._session.store

        def keep(sound: ImportedSound) -> None:
            if session.store is not store:
                return  # another project was opened while this was read
            try:
                clip = store_sound(store, sound, track, frame)
            except (LpmError, ValueError) as error:
                self.failed.emit(str(error))
                return
            label = self.tr("Import {name}").format(name=sound.name)
            if session.do(label, lambda project: add_sound(project, clip)):
                session.select("sound", clip.id)

        self._read(path.name, lambda: read_sound_import(path), keep)

    def _take_character(self, folder: Path) -> None:
        store = self._session.store
        if not is_character_folder(folder):
            self.failed.emit(
                self.tr("{folder}: this folder is no character; it has no character.toml").format(folder=folder)
            )
            return

        def keep(imported: ImportedCharacter) -> None:
            self._keep_character(store, imported, self.tr("Import {name}"))

        self._read(folder.name, lambda: read_character_import(folder), keep)

    def _keep_character(self, store: ProjectStore, imported: ImportedCharacter, label: str) -> bool:
        """Take a character that was read into the cast; False where it could not be, or another project was opened since."""
        session = self._session
        if session.store is not store:
            return False
        try:
            character = store_character(store, imported)
        except LpmError as error:
            self.failed.emit(str(error))
            return False
        is_kept = session.do(label.format(name=imported.name), lambda project: add_character(project, character))
        if is_kept:
            session.select("character", character.id)
        return is_kept

    def _take_picture(self, path: Path) -> None:
        self._read(path.name, lambda: read_reference(path), lambda portrait: self._offer_character(path, portrait))

    def _offer_character(self, path: Path, portrait: NewReference) -> None:
        name = path.stem.replace("_", " ").strip()
        offer = PictureDialog(image_from_array(portrait.picture_HWC), name, self._window)
        offer.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        offer.accepted.connect(lambda: self.make_character(portrait, offer.name, offer.consent))
        offer.open()

    def make_character(self, portrait: NewReference, name: str, consent: str) -> None:
        """Make a character of one picture and take it into the cast."""
        store = self._session.store

        def keep(imported: ImportedCharacter) -> None:
            if self._keep_character(store, imported, self.tr("Add {name}")):
                self.done.emit(self._welcome(imported.name))

        self._read(name, lambda: make_character(name, consent, portrait), keep)

    def _welcome(self, name: str) -> str:
        """Says of a character of one picture what it can be; of the model that ships, also what suits it."""
        if self._session.project.pack != Project.pack:
            return self.tr("{name} is in the cast, with one picture.").format(name=name)
        words = self.tr(
            "{name} is in the cast. lpm-tiny draws best in the flat style of its own characters."
            " Feelings show better with a picture of each: lpm character import makes a folder of several."
        )
        return words.format(name=name)

    def _read(self, name: str, read: Callable[[], Any], keep: Callable[[Any], None]) -> None:
        """Read on a task; `reading` tells the name, and `read` follows when nothing is read any more."""

        def ended() -> None:
            self._num_reading -= 1
            if not self._num_reading:
                self.read.emit()

        self._num_reading += 1
        self.reading.emit(name)
        self._tasks.run(lambda report, should_stop: read(), keep, self.failed.emit, on_end=ended)
