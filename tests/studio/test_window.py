"""The window: rendering shows frames and can be cancelled, nothing freezes, edits reach the project, empty states help."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QSettings, Qt, QThread, QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from engine.character_writing import NewCharacter, NewReference, write_character
from engine.characters import Origin, ReferenceKind
from engine.errors import BadPackError
from engine.locations import assets_dir
from engine.media.film_reading import probe_film
from engine.media.sound import write_wav
from studio.app import Machinery, Studio, open_first_project
from studio.commands.project_edits import add_character
from studio.project.document import Character, Project
from studio.project.store import ProjectStore
from studio.project.takes import ChunkState
from studio.settings import Settings
from studio.theme.look import LookChoice
from studio.views import main_window, message_bar
from studio.views.character.reference_grid import ReferenceButton
from studio.views.direct.prompt_track import PromptTrack
from tests.studio.conftest import NUM_FRAMES, WAIT_MS, HandClock, StandInEngine, picture, tone


@pytest.fixture
def engine() -> StandInEngine:
    return StandInEngine()


@pytest.fixture
def clocks() -> list[HandClock]:
    """The clocks that playback was started with; what is played stands still until the test turns them."""
    return []


@pytest.fixture
def studio(
    qtbot: QtBot,
    qapp: QApplication,
    store: ProjectStore,
    engine: StandInEngine,
    clocks: list[HandClock],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Studio]:
    monkeypatch.setattr(message_bar, "SHOWN_MS", WAIT_MS)  # no message goes before a slow machine has read it

    def open_sound(sound_S: NDArray[np.float32] | None, start_sample: int) -> HandClock:
        clocks.append(HandClock(start_sample))
        return clocks[-1]

    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    machinery = Machinery(
        load_pack=engine.load_pack,
        perform=engine.perform,
        make_job=lambda plan, media: plan,
        open_sound=open_sound,
    )
    made = Studio(qapp, ProjectStore(store.path, is_checked=True), settings, machinery)
    made.window.show()
    yield made
    engine.gate.set()
    made.close()
    assert not made.engine.isRunning()
    assert not [timer for timer in made.window.findChildren(QTimer) if timer.isActive() and timer.interval() < 1000]
    made.window.deleteLater()


def finish(qtbot: QtBot, studio: Studio) -> None:
    qtbot.waitUntil(lambda: not studio.render.is_busy, timeout=WAIT_MS)


def red_of(studio: Studio) -> int:
    image = studio.window.viewer.picture.image
    return image.pixelColor(image.width() // 2, image.height() // 2).red()


def test_rendering_shows_frames_while_it_goes_on_and_keeps_them(
    qtbot: QtBot, studio: Studio, engine: StandInEngine
) -> None:
    engine.free_chunks = 2
    studio.window.actions_by_name["render"].trigger()
    qtbot.waitUntil(lambda: studio.player.frame == 47, timeout=WAIT_MS)
    assert abs(red_of(studio) - 47) <= 2
    assert studio.window.timeline.takes.states[:3] == (ChunkState.FRESH, ChunkState.FRESH, ChunkState.EMPTY)
    assert "left" in studio.window.render_bar.words.text()
    assert studio.window.render_bar.cancel_button.isVisible()
    engine.gate.set()
    finish(qtbot, studio)
    assert studio.render.is_rendered
    assert engine.loaded == ["lpm-tiny"]
    with ProjectStore(studio.session.path, is_read_only=True, is_checked=True) as other:
        assert other.database.table("take_frames").count == NUM_FRAMES
    studio.window.actions_by_name["render"].trigger()
    finish(qtbot, studio)
    assert engine.loaded == ["lpm-tiny"]  # the model stays


def test_progress_says_what_is_kept(qtbot: QtBot, studio: Studio, engine: StandInEngine) -> None:
    engine.free_chunks, engine.reused_chunks = 2, 1
    studio.window.actions_by_name["render"].trigger()
    qtbot.waitUntil(lambda: studio.player.frame == 47, timeout=WAIT_MS)
    assert "1.0 s kept" in studio.window.render_bar.words.text()
    engine.gate.set()
    finish(qtbot, studio)


def test_cancel_stops_at_once_and_keeps_what_is_there(qtbot: QtBot, studio: Studio, engine: StandInEngine) -> None:
    engine.free_chunks = 1
    studio.window.actions_by_name["render"].trigger()
    qtbot.waitUntil(lambda: studio.player.frame == 23, timeout=WAIT_MS)
    studio.window.actions_by_name["cancel"].trigger()
    finish(qtbot, studio)
    assert studio.window.timeline.takes.states[:2] == (ChunkState.FRESH, ChunkState.EMPTY)
    assert studio.window.message.text == ""
    assert studio.window.render_bar.render_button.isVisible()
    engine.gate.set()
    studio.window.actions_by_name["render"].trigger()
    finish(qtbot, studio)
    assert studio.render.is_rendered


def test_the_window_lives_while_the_engine_works(qtbot: QtBot, studio: Studio, engine: StandInEngine) -> None:
    engine.free_chunks = 0
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(5)
    studio.window.actions_by_name["render"].trigger()
    qtbot.waitUntil(lambda: len(engine.jobs) == 1 and len(ticks) > 20, timeout=WAIT_MS)
    studio.session.select("prompt", "p1")
    studio.window.properties.prompt.words.setPlainText("waves")
    assert studio.session.project.timeline.prompts[0].text == "waves"
    timer.stop()
    engine.gate.set()
    finish(qtbot, studio)
    assert not studio.render.is_rendered  # what was changed meanwhile is told apart


@pytest.mark.parametrize(
    ("error", "words"),
    [(BadPackError("lpm-tiny: the pack is damaged"), "damaged"), (ZeroDivisionError("x"), "internal fault")],
)
def test_a_failing_engine_is_one_message(
    qtbot: QtBot, studio: Studio, engine: StandInEngine, error: Exception, words: str
) -> None:
    engine.error = error
    studio.window.actions_by_name["render"].trigger()
    finish(qtbot, studio)
    assert words in studio.window.message.text
    assert "Traceback" not in studio.window.message.text


def test_export_renders_first_and_writes_the_film(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with qtbot.waitSignal(studio.render.exported, timeout=WAIT_MS):
        studio.render.export(film)
    finish(qtbot, studio)
    assert probe_film(film).num_frames == NUM_FRAMES
    assert "film.mp4" in studio.window.message.text
    studio.render.export(tmp_path / "nowhere" / "film.mp4")
    finish(qtbot, studio)
    assert "nowhere" in studio.window.message.text


def drag(qtbot: QtBot, track: QWidget, start: QPoint, end: QPoint) -> None:
    qtbot.mousePress(track, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(track, (start + end) / 2)
    qtbot.mouseMove(track, end)
    qtbot.mouseRelease(track, Qt.MouseButton.LeftButton, pos=end)


def point(track: QWidget, studio: Studio, frame: float, shift_px: int = 0) -> QPoint:
    return QPoint(round(studio.window.timeline.scale.x_of(frame)) + shift_px, track.height() // 2)


def spans(studio: Studio) -> list[tuple[int, int]]:
    return [(prompt.start_frame, prompt.end_frame) for prompt in studio.session.project.timeline.prompts]


def test_directions_are_dragged_on_the_chunk_grid(qtbot: QtBot, studio: Studio) -> None:
    track: PromptTrack = studio.window.timeline.prompts
    drag(qtbot, track, point(track, studio, 48, -3), point(track, studio, 70))
    assert spans(studio) == [(0, 72), (72, 120)]
    drag(qtbot, track, point(track, studio, 96), point(track, studio, 118))
    assert spans(studio) == [(0, 72), (96, 144)]
    assert studio.session.funnel.undo_label == "Move direction"
    studio.session.undo()
    studio.session.undo()
    assert spans(studio) == [(0, 48), (72, 120)]


def test_without_snapping_edges_go_anywhere(qtbot: QtBot, studio: Studio) -> None:
    studio.window.actions_by_name["snap"].setChecked(False)
    track = studio.window.timeline.prompts
    drag(qtbot, track, point(track, studio, 48, -3), point(track, studio, 58))
    assert spans(studio)[0][1] not in (48, 72)


def test_directions_are_made_split_and_deleted_by_keys(qtbot: QtBot, studio: Studio) -> None:
    window = studio.window
    studio.player.seek(50)
    window.actions_by_name["add_prompt"].trigger()
    assert spans(studio) == [(0, 48), (48, 72), (72, 120)]
    words = window.properties.prompt.words
    assert window.properties.shown is window.properties.prompt
    qtbot.keyClicks(words, "jumps")
    assert [prompt.text for prompt in studio.session.project.timeline.prompts][1] == "jumps"
    studio.player.seek(60)
    window.actions_by_name["split"].trigger()
    assert spans(studio)[1:3] == [(48, 60), (60, 72)]
    window.actions_by_name["delete"].trigger()
    assert spans(studio) == [(0, 48), (60, 72), (72, 120)]
    for _ in range(4):
        window.actions_by_name["undo"].trigger()
    assert spans(studio) == [(0, 48), (72, 120)]


def test_a_direction_says_what_it_asks_for_in_turn(qtbot: QtBot, studio: Studio) -> None:
    studio.player.seek(50)
    studio.window.actions_by_name["add_prompt"].trigger()
    page = studio.window.properties.prompt
    qtbot.keyClicks(page.words, "smiles")
    assert "One after another" not in page._note.text()
    qtbot.keyClicks(page.words, ", then nods")
    assert "One after another, 0.5 s each: smiles; nods." in page._note.text()


def test_a_direction_says_when_nobody_can_turn_for_it(qtbot: QtBot, studio: Studio) -> None:
    studio.player.seek(50)
    studio.window.actions_by_name["add_prompt"].trigger()
    page = studio.window.properties.prompt
    name = studio.session.project.character.name  # type: ignore[union-attr]
    qtbot.keyClicks(page.words, "turns left")
    assert name not in page._note.text(), "that is the head's matter"
    qtbot.keyClicks(page.words, ", then turns her back to us")
    assert f"{name} cannot turn: there is no picture from behind." in page._note.text()


def test_live_says_so_while_a_direction_is_typed(qtbot: QtBot, studio: Studio) -> None:
    studio.window.actions_by_name["live"].trigger()
    controls = studio.window.live.controls
    qtbot.keyClicks(controls.direction, "turns")
    assert not controls.direction_note.isVisible()
    qtbot.keyClicks(controls.direction, " around")
    assert controls.direction_note.isVisible() and "no picture from behind" in controls.direction_note.text()
    controls.direction.clear()
    assert not controls.direction_note.isVisible()


def test_a_sound_is_moved_and_trimmed(qtbot: QtBot, studio: Studio) -> None:
    track = studio.window.timeline.listen
    target = track.viewport()
    drag(qtbot, target, point(target, studio, 100), point(target, studio, 116))
    clip = studio.session.project.sound("s2")
    assert clip is not None and clip.start_frame == 96
    drag(qtbot, target, point(target, studio, 144, -3), point(target, studio, 120))
    clip = studio.session.project.sound("s2")
    assert clip is not None and (clip.start_frame, clip.end_frame) == (96, 120)


def test_waveforms_are_drawn_and_grow_pale_when_muted(qtbot: QtBot, studio: Studio) -> None:
    track = studio.window.timeline.speak
    track.refresh()
    curves = track.getPlotItem().listDataItems() or track.getPlotItem().items
    assert len(curves) == 2
    x, y = curves[1].getData()
    assert x[0] == pytest.approx(0.0) and x[-1] == pytest.approx(72.0, abs=0.5)
    assert np.max(y) == pytest.approx(0.5, abs=0.02)
    assert curves[1].opts["brush"].color().alpha() == 230
    studio.session.select("sound", "s1")
    studio.window.properties.sound.mute.click()
    assert track.getPlotItem().items[1].opts["brush"].color().alpha() == 90


def test_space_plays_and_the_picture_follows(qtbot: QtBot, studio: Studio, clocks: list[HandClock]) -> None:
    studio.window.actions_by_name["render"].trigger()
    finish(qtbot, studio)
    studio.player.seek(0)
    qtbot.keyClick(studio.window, Qt.Key.Key_Space)
    assert studio.player.is_playing
    clocks[-1].sample += 3_000
    qtbot.waitUntil(lambda: studio.player.frame == 3, timeout=WAIT_MS)
    qtbot.keyClick(studio.window, Qt.Key.Key_Space)
    assert not studio.player.is_playing
    assert abs(red_of(studio) - studio.player.frame) <= 2
    frame = studio.player.frame
    qtbot.keyClick(studio.window, Qt.Key.Key_Right)
    assert studio.player.frame == frame + 1
    qtbot.keyClick(studio.window, Qt.Key.Key_Home)
    qtbot.keyClick(studio.window, Qt.Key.Key_Down)
    assert studio.player.frame == 48  # the next edit


def test_letters_in_a_text_field_stay_there(qtbot: QtBot, studio: Studio) -> None:
    studio.session.select("prompt", "p1")
    words = studio.window.properties.prompt.words
    words.setFocus()
    words.clear()
    qtbot.keyClicks(words, "slowly d l")
    assert words.toPlainText() == "slowly d l"
    assert not studio.player.is_playing
    assert len(spans(studio)) == 2


def test_sounds_and_characters_are_imported(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    wav = tmp_path / "new.wav"
    write_wav(wav, tone(1))
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    folder = tmp_path / "someone"
    reference = NewReference(
        kind=ReferenceKind.GLOBAL, subtype="", picture_HWC=np.repeat(picture(5), 4, 0).repeat(4, 1)
    )
    write_character(
        folder,
        NewCharacter(name="Bo", description="", origin=Origin.SYNTHETIC, consent="drawn", references=[reference]),
    )
    studio.window.files.take([wav, folder], "listen", 10)
    qtbot.waitUntil(lambda: len(studio.session.project.timeline.sounds) == 3, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: len(studio.session.project.characters) == 2, timeout=WAIT_MS)
    assert studio.session.project.timeline.clips_on("listen")[0].start_frame == 10
    assert studio.session.project.character_id == "maya"
    studio.window.files.take([text], "speak", 0)
    qtbot.waitUntil(lambda: "text.wav" in studio.window.message.text, timeout=WAIT_MS)
    studio.window.files.take([tmp_path], "speak", 0)
    qtbot.waitUntil(lambda: "no character" in studio.window.message.text, timeout=WAIT_MS)


def test_an_empty_track_takes_the_sounds_that_its_button_asks_for(
    qtbot: QtBot, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav = tmp_path / "voice.wav"
    write_wav(wav, tone(1))
    monkeypatch.setattr(main_window, "ask_sounds_to_read", lambda parent, title: [wav])
    studio.window.files.make_new(tmp_path / "new.lpm")
    studio.player.seek(12)
    studio.window.timeline.listen.import_button.click()
    qtbot.waitUntil(lambda: len(studio.session.project.timeline.clips_on("listen")) == 1, timeout=WAIT_MS)
    assert studio.session.project.timeline.clips_on("listen")[0].start_frame == 12
    assert not studio.window.timeline.listen.import_button.isVisible()
    assert studio.window.timeline.speak.import_button.isVisible()


def test_an_empty_project_says_what_to_do(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    studio.window.files.make_new(tmp_path / "new.lpm")
    assert studio.window.library.is_empty
    assert "character" in studio.window.viewer.picture.accessibleDescription()
    studio.window.grab()  # every hint is drawn
    assert not studio.window.actions_by_name["render"].isEnabled()
    studio.window.files.open(tmp_path / "test.lpm")
    assert not studio.window.library.is_empty
    studio.window.files.open(tmp_path / "missing.lpm")
    assert "missing.lpm" in studio.window.message.text
    assert studio.session.path.name == "test.lpm"


def test_a_new_project_gets_a_character_that_comes_with_the_studio(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    studio.window.files.make_new(tmp_path / "new.lpm")
    buttons = [button for button in studio.window.library.findChildren(QPushButton) if button.menu() is not None]
    menu = buttons[0].menu()
    menu.aboutToShow.emit()
    by_name = {action.text(): action for action in menu.actions() if action.text()}
    assert list(by_name)[-1] == "From a folder…" and len(by_name) > 2
    by_name["Omar"].trigger()
    assert studio.window.message.text == "Reading omar"
    qtbot.waitUntil(lambda: not studio.window.library.is_empty, timeout=WAIT_MS)
    character = studio.session.project.character
    assert character is not None and character.name == "Omar" and character.portrait is not None
    qtbot.waitUntil(lambda: studio.window.message.text == "", timeout=WAIT_MS)


def test_no_other_project_is_opened_while_one_is_rendered(
    qtbot: QtBot, studio: Studio, engine: StandInEngine, tmp_path: Path
) -> None:
    other = tmp_path / "other.lpm"
    ProjectStore.create(other, Project()).close()
    engine.free_chunks = 0
    studio.window.actions_by_name["render"].trigger()
    studio.window.files.take([other], "speak", 0)  # as when it is dropped on the timeline
    assert "cancel it first" in studio.window.message.text
    assert studio.session.path.name == "test.lpm"
    studio.window.actions_by_name["cancel"].trigger()
    finish(qtbot, studio)
    studio.window.files.take([other], "speak", 0)
    assert studio.session.path == other


def test_what_cannot_be_saved_is_one_message_and_can_be_tried_again(studio: Studio) -> None:
    studio.window.title.setText("New name")
    studio.window.title.editingFinished.emit()
    with ProjectStore(studio.session.path, is_checked=True) as other, other.transaction():
        studio.session.store.database.execute("PRAGMA busy_timeout=0")
        studio.window.actions_by_name["undo"].trigger()
        assert "could not be saved" in studio.window.message.text
    studio.window.actions_by_name["undo"].trigger()
    assert studio.session.project.title == "Test"


def test_what_an_undo_takes_away_is_no_longer_selected(studio: Studio) -> None:
    studio.session.do("Import", lambda project: add_character(project, Character(id="bo", name="Bo")))
    studio.session.select("character", "bo")
    studio.session.undo()
    assert studio.window.properties.shown is studio.window.properties.project


def test_save_as_goes_on_with_the_copy(studio: Studio, tmp_path: Path) -> None:
    studio.window.files.save_as(tmp_path / "copy.lpm")
    assert studio.session.path.name == "copy.lpm"
    assert len(studio.session.project.characters) == 1


def test_dark_and_light_both_paint(studio: Studio) -> None:
    shades = {}
    for choice in (LookChoice.LIGHT, LookChoice.DARK):
        studio.look.choose(choice)
        shades[choice] = studio.window.grab().toImage().pixelColor(3, 100).lightness()
    assert shades[LookChoice.LIGHT] > 180 > 80 > shades[LookChoice.DARK]


def test_everything_that_can_be_pressed_has_a_name(studio: Studio) -> None:
    nameless = [
        button
        for button in studio.window.findChildren(QAbstractButton)
        if not (button.text() or button.accessibleName() or button.toolTip())
        and not button.objectName().startswith("qt_")
    ]
    assert nameless == []


def test_calls_into_qt_lose_no_reference(studio: Studio) -> None:
    """PySide6 6.12.0 lost one reference to None at each call, which ended in a crash on Python 3.11."""
    gc.collect()
    before = sys.getrefcount(None)
    for _ in range(2000):
        studio.window.update()
    assert sys.getrefcount(None) > before - 1000


def test_the_first_start_has_a_project_and_a_crash_loop_ends(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LPM_HOME", str(tmp_path / "home"))
    with open_first_project(None, None) as first:
        path = first.path
    assert path.is_relative_to(tmp_path / "home")
    sample = assets_dir() / "projects" / "first-performance.lpm"
    before = sample.read_bytes()
    with open_first_project(sample, None) as asked:
        assert asked.path.is_relative_to(tmp_path / "home")  # what ships is never changed
    assert sample.read_bytes() == before
    broken = tmp_path / "broken.lpm"
    broken.write_text("x")
    with open_first_project(None, broken) as opened:
        assert opened.path != broken
    settings = Settings(QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat))
    assert [settings.begin_run() for _ in range(3)] == [True, True, False]
    settings.end_run()
    assert settings.begin_run()


def test_no_thread_runs_before_the_first_render(studio: Studio) -> None:
    assert isinstance(studio.engine, QThread)
    assert not studio.engine.isRunning()


def test_the_library_shows_who_performs_and_selects_on_a_press(qtbot: QtBot, studio: Studio) -> None:
    window = studio.window
    assert window.properties.shown is window.properties.project
    assert window.library.list.currentIndex().row() == 0
    row = window.library.list.visualRect(window.library.model.index(0)).center()
    qtbot.mouseClick(window.library.list.viewport(), Qt.MouseButton.LeftButton, pos=row)
    assert window.properties.shown is window.properties.character
    assert not window.properties.character.perform.isVisible()
    still = window.library.references.findChildren(ReferenceButton)[0]
    still.click()
    assert red_of(studio) == 10  # the global reference is shown large
    studio.player.seek(5)
    studio.window.properties.character.findChildren(QPushButton)[1].click()
    assert window.library.is_empty
    studio.session.undo()
    assert not window.library.is_empty
