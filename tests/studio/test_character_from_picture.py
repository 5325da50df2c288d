"""A picture becomes a character: dropped or chosen, looked at in a dialog, kept with its consent; empty projects say what to do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from engine.characters import Origin, check_character, list_characters, read_card
from engine.media.pictures import write_picture
from engine.media.sound import write_wav
from studio.app import Machinery, Studio
from studio.cli import main
from studio.commands.project_edits import choose_character
from studio.live.sound_ports import Loudspeaker, MicrophoneChoice
from studio.playback.clocks import SilentClock
from studio.project.blobs import decode_picture
from studio.project.document import Project
from studio.project.store import ProjectStore
from studio.settings import Settings
from studio.views import message_bar
from studio.views.character.picture_dialog import PictureDialog
from tests.studio.conftest import WAIT_MS, StandInEngine, tone

WIDE_PX, HIGH_PX = 64, 48
DROPPED = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class SilentPorts:
    """A machine without a microphone, until one is put in."""

    def __init__(self) -> None:
        self.found: tuple[MicrophoneChoice, ...] = ()

    def microphones(self) -> tuple[MicrophoneChoice, ...]:
        return self.found

    def open_loudspeaker(self) -> Loudspeaker:
        raise AssertionError("nothing is played here")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LPM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def studio(
    qtbot: QtBot, qapp: QApplication, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Studio]:
    """A studio with an empty project."""
    monkeypatch.setattr(message_bar, "SHOWN_MS", WAIT_MS)
    stand_in = StandInEngine()
    ProjectStore.create(tmp_path / "empty.lpm", Project(title="Empty")).close()
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    machinery = Machinery(
        load_pack=stand_in.load_pack,
        perform=stand_in.perform,
        make_job=lambda plan, media: plan,
        open_sound=lambda sound_S, start: SilentClock(start),
        ports=SilentPorts(),
    )
    made = Studio(qapp, ProjectStore(tmp_path / "empty.lpm", is_checked=True), settings, machinery)
    made.window.show()
    yield made
    made.close()
    made.window.deleteLater()


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """Wider than high: red at the sides, which no square from the middle has."""
    picture_HWC: NDArray[np.uint8] = np.full((HIGH_PX, WIDE_PX, 3), (255, 0, 0), dtype=np.uint8)
    margin = (WIDE_PX - HIGH_PX) // 2
    picture_HWC[:, margin : WIDE_PX - margin] = (20, 120, 60)
    write_picture(tmp_path / "ada_one.png", picture_HWC)
    return tmp_path / "ada_one.png"


def drop(target: QWidget, *paths: Path) -> bool:
    """Drag files over a widget and let them fall; whether it took them."""
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    entered = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, files, *DROPPED)
    QApplication.sendEvent(target, entered)
    fallen = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, files, *DROPPED)
    QApplication.sendEvent(target, fallen)
    return entered.isAccepted() and fallen.isAccepted()


def offers(studio: Studio) -> list[PictureDialog]:
    return [dialog for dialog in studio.window.findChildren(PictureDialog) if dialog.isVisible()]


def offer(qtbot: QtBot, studio: Studio) -> PictureDialog:
    qtbot.waitUntil(lambda: len(offers(studio)) == 1, timeout=WAIT_MS)
    return offers(studio)[0]


def create(qtbot: QtBot, studio: Studio, name: str, consent: str = "") -> None:
    """Fill in the dialog that is open, or comes, and press Create."""
    dialog = offer(qtbot, studio)
    before = len(studio.session.project.characters)
    dialog.name_line.setText(name)
    dialog.consent_line.setText(consent)
    dialog.create_button.click()
    qtbot.waitUntil(lambda: len(studio.session.project.characters) == before + 1, timeout=WAIT_MS)


@pytest.mark.parametrize("place", ["window", "library", "timeline"])
def test_a_dropped_picture_becomes_the_character_that_performs(
    qtbot: QtBot, studio: Studio, portrait: Path, home: Path, place: str
) -> None:
    target = {"window": studio.window, "library": studio.window.library, "timeline": studio.window.timeline}[place]
    assert drop(target, portrait)
    assert offer(qtbot, studio).name == "ada one"
    assert not studio.session.project.characters  # nothing before it is asked for
    create(qtbot, studio, "Ada", "Drawn by me")
    character = studio.session.project.character
    assert character is not None and (character.name, character.origin) == ("Ada", "imported")
    assert [reference.kind for reference in character.references] == ["global"]
    picture_HWC = decode_picture(studio.session.store.media(character.references[0].media_sha))
    assert picture_HWC.shape == (HIGH_PX, HIGH_PX, 3) and picture_HWC[..., 0].max() == 20
    assert studio.session.selection.id == character.id
    card = read_card(home / "characters" / "Ada")
    assert (card.consent, card.origin) == ("Drawn by me", Origin.IMPORTED)
    assert check_character(card.folder) == []
    qtbot.waitUntil(lambda: "flat style" in studio.window.message.text, timeout=WAIT_MS)


def test_it_is_undone_and_done_again_and_stays_at_hand(qtbot: QtBot, studio: Studio, portrait: Path) -> None:
    studio.window.files.take([portrait], "speak", 0)
    create(qtbot, studio, "Ada")
    assert studio.session.funnel.undo_label == "Add Ada"
    studio.window.actions_by_name["undo"].trigger()
    assert not studio.session.project.characters and studio.window.library.is_empty
    studio.window.actions_by_name["redo"].trigger()
    assert studio.session.project.character is not None
    assert "Ada" in [card.name for card in list_characters()]  # what was given is not lost with an undo


def test_the_dialog_and_the_command_line_make_the_same_character(
    qtbot: QtBot, studio: Studio, portrait: Path, home: Path, tmp_path: Path
) -> None:
    studio.window.files.take([portrait], "speak", 0)
    create(qtbot, studio, "Ada")  # and says nothing of consent
    assert main(["character", "import", str(portrait), "--name", "Ada", "-o", str(tmp_path / "ada")]) == 0
    made = home / "characters" / "Ada"
    assert sorted(path.name for path in made.iterdir()) == ["character.toml", "global.png"]
    for name in ("character.toml", "global.png"):
        assert (made / name).read_bytes() == (tmp_path / "ada" / name).read_bytes()
    assert "answers for the right" in read_card(made).consent


def test_who_performs_goes_on_performing(qtbot: QtBot, studio: Studio, portrait: Path) -> None:
    for name in ("Ada", "Bo"):
        studio.window.files.take([portrait], "speak", 0)
        create(qtbot, studio, name)
    first, second = studio.session.project.characters
    assert studio.session.project.character_id == first.id
    assert studio.session.selection.id == second.id


def test_no_character_at_hand_is_hidden_by_a_new_one(qtbot: QtBot, studio: Studio, portrait: Path, home: Path) -> None:
    num = len(list_characters())
    for _ in range(2):
        studio.window.files.take([portrait], "speak", 0)
        create(qtbot, studio, "Maya")
    assert sorted(path.name for path in (home / "characters").iterdir()) == ["Maya 2", "Maya 3"]
    assert len(list_characters()) == num + 2


def test_cancel_changes_nothing(qtbot: QtBot, studio: Studio, portrait: Path, home: Path) -> None:
    studio.window.files.take([portrait], "speak", 0)
    offer(qtbot, studio).reject()
    qtbot.waitUntil(lambda: not offers(studio), timeout=WAIT_MS)
    assert not studio.session.project.characters and not (home / "characters").exists()
    assert studio.session.funnel.undo_label is None


def test_a_character_needs_a_name(qtbot: QtBot, studio: Studio, portrait: Path) -> None:
    studio.window.files.take([portrait], "speak", 0)
    dialog = offer(qtbot, studio)
    dialog.name_line.setText("  ")
    assert not dialog.create_button.isEnabled()
    dialog.name_line.setText("x" * 200)
    assert dialog.create_button.isEnabled() and len(dialog.name) == 80
    create(qtbot, studio, "../../\N{GRINNING FACE}\N{GRINNING FACE}")
    assert studio.session.project.characters[0].name.startswith("../../")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty"), (b"no picture", "not a picture"), (b"RIFF1234WAVE", "WAV"), (b"\x89PNG\r\n\x1a\n", "damaged")],
)
def test_a_bad_picture_is_one_message_and_changes_nothing(
    qtbot: QtBot, studio: Studio, tmp_path: Path, home: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    assert drop(studio.window.library, path)
    qtbot.waitUntil(lambda: says in studio.window.message.text, timeout=WAIT_MS)
    assert "bad.png" in studio.window.message.text and "\n" not in studio.window.message.text
    assert not offers(studio) and not studio.session.project.characters and not home.exists()


def test_a_character_that_cannot_be_kept_is_one_message(
    qtbot: QtBot, studio: Studio, portrait: Path, home: Path
) -> None:
    home.mkdir()
    (home / "characters").write_text("in the way")
    studio.window.files.take([portrait], "speak", 0)
    dialog = offer(qtbot, studio)
    dialog.accept()
    qtbot.waitUntil(lambda: "characters is no folder" in studio.window.message.text, timeout=WAIT_MS)
    assert not studio.session.project.characters


def test_of_several_pictures_none_is_taken_and_the_rest_is(
    qtbot: QtBot, studio: Studio, portrait: Path, tmp_path: Path
) -> None:
    write_wav(tmp_path / "hello.wav", tone(1))
    assert drop(studio.window, portrait, tmp_path / "hello.wav", portrait.with_name("other.jpg"))
    assert studio.window.message.text.startswith("Drop one picture")
    qtbot.waitUntil(lambda: len(studio.session.project.timeline.sounds) == 1, timeout=WAIT_MS)
    assert not offers(studio) and not studio.session.project.characters
    assert studio.window.message.text.startswith("Drop one picture")


def test_a_picture_is_chosen_in_the_menus(
    qtbot: QtBot, studio: Studio, portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(portrait), ""))
    studio.window.actions_by_name["import_picture"].trigger()
    create(qtbot, studio, "Ada")
    menu = studio.window.library.cast
    menu.aboutToShow.emit()
    by_name = {action.text(): action for action in menu.actions()}
    assert "Ada" in by_name
    by_name["From a picture…"].trigger()
    create(qtbot, studio, "Bo")
    assert [character.name for character in studio.session.project.characters] == ["Ada", "Bo"]


def test_an_empty_project_cannot_be_rendered_and_says_why(qtbot: QtBot, studio: Studio, portrait: Path) -> None:
    window = studio.window
    buttons = window.render_bar.render_button, window.render_bar.export_button
    for button in buttons:
        assert not button.isEnabled()
        assert button.toolTip().endswith("Add a character in the library first")
    assert "Add a character in the library" in window.viewer.picture.hint
    assert not studio.render.render()
    assert window.message.text.startswith("Nobody is there to perform")
    window.files.take([portrait], "speak", 0)
    create(qtbot, studio, "Ada")
    for button in buttons:
        assert button.isEnabled() and "\n" not in button.toolTip()
    studio.session.do("Choose", lambda project: Project(characters=project.characters))
    assert window.viewer.picture.hint == "Choose a character in the library."
    assert buttons[0].toolTip().endswith("Choose a character in the library first")
    character_id = studio.session.project.characters[0].id
    studio.session.do("Choose", lambda project: choose_character(project, character_id))
    assert buttons[0].isEnabled()


def test_without_a_microphone_the_live_stage_says_what_else_there_is(
    qtbot: QtBot, studio: Studio, portrait: Path, tmp_path: Path
) -> None:
    live = studio.window.live
    studio.window.actions_by_name["live"].trigger()
    assert live.stage.picture.hint == "Add a character in the library, then go live."
    studio.window.files.take([portrait], "speak", 0)
    create(qtbot, studio, "Ada")
    assert live.controls.device_note.text().startswith("No microphone was found")
    assert live.stage.picture.hint == "Press Go live and type what Ada says, or choose a sound file to be heard."
    live.controls.pick_file(tmp_path / "voice.wav")
    assert "type" not in live.stage.picture.hint and "Go live" in live.stage.picture.hint
