"""A portrait that a model does not know the like of is warned of: on the character's page, and by `lpm perform`."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import Origin, ReferenceKind, find_character, load_character
from engine.errors import BadPackError
from engine.loaded_pack import load_pack
from studio.app import Machinery, Studio, warn_of_portrait
from studio.cli import main
from studio.commandline.portraits import warn_of_turns
from studio.project.blobs import encode_picture
from studio.project.store import ProjectStore
from studio.settings import Settings
from tests.studio.conftest import WAIT_MS, StandInEngine, picture
from tests.studio.test_character_from_picture import SilentClock

WORDS = "This picture is unlike those that the model learned from."


class Judge:
    """Warns of everything once it is let go; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.gate = threading.Event()
        self.is_broken = False

    def __call__(self, pack: str, content: bytes) -> str:
        self.asked.append((pack, content))
        assert self.gate.wait(WAIT_MS / 1000)
        if self.is_broken:
            raise BadPackError("there is no model pack 'lpm-tiny'")
        return WORDS


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def studio(qapp: QApplication, qtbot: QtBot, store: ProjectStore, judge: Judge, tmp_path: Path) -> Iterator[Studio]:
    engine = StandInEngine()
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    machinery = Machinery(
        load_pack=engine.load_pack,
        perform=engine.perform,
        make_job=lambda plan, media: plan,
        open_sound=lambda sound_S, start: SilentClock(start),
        warn_of_portrait=judge,
    )
    made = Studio(qapp, ProjectStore(store.path, is_checked=True), settings, machinery)
    made.window.show()
    yield made
    judge.gate.set()
    made.close()
    made.window.deleteLater()


def test_the_page_of_a_character_warns_when_it_is_known_and_asks_once(
    qtbot: QtBot, studio: Studio, judge: Judge
) -> None:
    page = studio.window.properties.character
    assert not judge.asked, "nobody has looked yet"
    studio.session.select("character", "maya")
    assert not page.warning.isVisible()
    judge.gate.set()
    qtbot.waitUntil(page.warning.isVisible, timeout=WAIT_MS)
    assert page.warning.text() == WORDS
    studio.session.select()
    studio.session.select("character", "maya")
    assert page.warning.isVisible()
    portrait = studio.session.project.characters[0].portrait
    assert portrait is not None
    assert judge.asked == [("lpm-tiny", studio.session.store.media(portrait.media_sha))]


def test_the_live_workspace_warns_of_who_performs_there(qtbot: QtBot, studio: Studio, judge: Judge) -> None:
    warning = studio.window.live.controls.portrait_warning
    assert not judge.asked and not warning.text()
    judge.gate.set()
    studio.window.actions_by_name["live"].trigger()
    qtbot.waitUntil(warning.isVisible, timeout=WAIT_MS)
    assert warning.text() == WORDS
    character = studio.session.project.character
    assert character is not None and character.portrait is not None
    assert judge.asked == [("lpm-tiny", studio.session.store.media(character.portrait.media_sha))]


def test_a_judge_that_fails_leaves_the_page_as_it_is(qtbot: QtBot, studio: Studio, judge: Judge) -> None:
    judge.is_broken = True
    judge.gate.set()
    studio.session.select("character", "maya")
    qtbot.waitUntil(lambda: len(judge.asked) == 1 and not studio.tasks._tasks, timeout=WAIT_MS)
    page = studio.window.properties.character
    assert not page.warning.isVisible()
    assert not studio.window.message.isVisible()
    judge.is_broken = False
    studio.session.select()
    studio.session.select("character", "maya")
    qtbot.waitUntil(page.warning.isVisible, timeout=WAIT_MS)


def test_a_damaged_picture_is_not_judged(studio: Studio, judge: Judge) -> None:
    studio.session.store.database.execute("UPDATE media SET content = x'00'")
    studio.session.select("character", "maya")
    assert not judge.asked
    assert not studio.window.properties.character.warning.isVisible()


def test_the_studios_own_judge_reads_the_pack() -> None:
    assert "nobody" in warn_of_portrait("lpm-tiny", encode_picture(picture(90)))
    portrait_HWC = load_character(find_character("nora")).global_picture_HWC
    assert warn_of_portrait("lpm-tiny", encode_picture(portrait_HWC)) == ""


def test_the_command_line_warns_and_performs_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = NewReference(kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=np.full((64, 64, 3), 120, np.uint8))
    write_character(
        tmp_path / "grey",
        NewCharacter(name="Grey", description="", origin=Origin.SYNTHETIC, consent="drawn", references=[reference]),
    )
    film = tmp_path / "film.mp4"
    asked = ["--character", str(tmp_path / "grey"), "--seconds", "0.2", "--work", str(tmp_path / "parts")]
    assert main(["perform", *asked, "-o", str(film)]) == 0
    assert film.is_file()
    told = capsys.readouterr().err
    assert told.startswith("lpm: Grey: The model finds nobody") and told.count("\n") == 1


def test_the_command_line_says_who_will_not_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    character = load_character(find_character("nora"))
    face = replace(character, references=character.references[:1])
    pack = load_pack("lpm-tiny")
    told_to = ("smiles, then turns around", "turns around", "in profile", "looks left")
    warn_of_turns(pack, face, told_to)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "will not turn for 'turns around'" in lines[0] and "view-rear=PICTURE" in lines[0]
    assert "view-left=PICTURE" in lines[1]
    warn_of_turns(pack, character, told_to)
    warn_of_turns(replace(pack, matte=None), face, told_to)
    assert not capsys.readouterr().err
