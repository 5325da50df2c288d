"""The sound of a long project is mixed beside the window: it lives, can stop the mixing, and what is edited meanwhile stays."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.errors import BadInputError, CancelledError
from studio.app import Machinery, Studio
from studio.project import blobs
from studio.project.export import export_film
from studio.project.render_plan import chunk_hashes, mix_track, plan_render, samples_to_mix
from studio.project.store import ProjectStore
from studio.project.takes import TakeRecorder
from studio.project.timecode import SAMPLES_PER_FRAME
from studio.settings import Settings
from studio.views.render.render_controller import RenderState
from tests.studio.conftest import NUM_FRAMES, WAIT_MS, HandClock, StandInEngine, picture


@dataclass
class HeldSounds:
    """Reading a project's media waits for `gate` once the second sound is asked for; never on the main thread."""

    gate: threading.Event = field(default_factory=threading.Event)
    num_read: int = 0

    def holding(self, read: Callable[[ProjectStore, str], bytes]) -> Callable[[ProjectStore, str], bytes]:
        def media(store: ProjectStore, sha: str) -> bytes:
            if threading.current_thread() is not threading.main_thread():
                self.num_read += 1
                if self.num_read > 1:
                    assert self.gate.wait(WAIT_MS / 1000)
            return read(store, sha)

        return media


@pytest.fixture
def sounds(monkeypatch: pytest.MonkeyPatch) -> HeldSounds:
    made = HeldSounds()
    monkeypatch.setattr(ProjectStore, "media", made.holding(ProjectStore.media))
    return made


@pytest.fixture
def engine() -> StandInEngine:
    return StandInEngine()


@pytest.fixture
def studio(
    qtbot: QtBot, qapp: QApplication, store: ProjectStore, sounds: HeldSounds, engine: StandInEngine, tmp_path: Path
) -> Iterator[Studio]:
    machinery = Machinery(
        load_pack=engine.load_pack,
        perform=engine.perform,
        make_job=lambda plan, media: plan,
        open_sound=lambda sound_S, start: HandClock(start),
    )
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    made = Studio(qapp, ProjectStore(store.path, is_checked=True), settings, machinery)
    made.window.show()
    yield made
    sounds.gate.set()
    made.close()
    made.window.deleteLater()


def begin_to_mix(qtbot: QtBot, studio: Studio, sounds: HeldSounds) -> None:
    studio.window.actions_by_name["render"].trigger()
    qtbot.waitUntil(lambda: sounds.num_read == 2 and studio.render.state is RenderState.MIXING, timeout=WAIT_MS)


def finish(qtbot: QtBot, studio: Studio) -> None:
    qtbot.waitUntil(lambda: not studio.render.is_busy, timeout=WAIT_MS)


def test_the_window_lives_and_is_edited_while_sound_is_mixed(
    qtbot: QtBot, studio: Studio, sounds: HeldSounds, engine: StandInEngine
) -> None:
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(5)
    begin_to_mix(qtbot, studio, sounds)
    qtbot.waitUntil(lambda: len(ticks) > 20, timeout=WAIT_MS)
    timer.stop()
    bar = studio.window.render_bar
    assert bar.words.text() == "Mixing the sound"
    assert 0 < bar.progress.value() < bar.progress.maximum()
    assert bar.cancel_button.isVisible()
    studio.session.select("prompt", "p1")
    studio.window.properties.prompt.words.setPlainText("waves")
    sounds.gate.set()
    finish(qtbot, studio)
    assert engine.jobs[0].prompts[0].text == "talks calmly"  # what was asked for when the render began
    assert studio.session.project.timeline.prompts[0].text == "waves"
    assert not studio.render.is_rendered
    studio.window.actions_by_name["render"].trigger()
    finish(qtbot, studio)
    assert engine.jobs[1].prompts[0].text == "waves"
    assert studio.render.is_rendered


def test_mixing_is_cancelled_before_a_model_is_loaded(
    qtbot: QtBot, studio: Studio, sounds: HeldSounds, engine: StandInEngine
) -> None:
    begin_to_mix(qtbot, studio, sounds)
    studio.window.actions_by_name["cancel"].trigger()
    assert studio.render.state is RenderState.CANCELLING
    sounds.gate.set()
    finish(qtbot, studio)
    assert engine.loaded == [] and engine.jobs == []
    assert studio.window.message.text == ""
    studio.window.actions_by_name["render"].trigger()
    finish(qtbot, studio)
    assert studio.render.is_rendered


def test_a_sound_that_cannot_be_read_is_one_message(
    qtbot: QtBot, studio: Studio, sounds: HeldSounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(store: ProjectStore, sha: str) -> bytes:
        raise BadInputError("a sound is missing")

    monkeypatch.setattr(ProjectStore, "media", missing)
    studio.window.actions_by_name["render"].trigger()
    finish(qtbot, studio)
    assert studio.window.message.text == "a sound is missing"


def test_blocks_make_the_same_sound_and_count_it(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = store.project.timeline.sounds
    clips = (replace(clips[0], in_sample=1234, out_sample=40_000, start_frame=5, gain_db=-6.0), *clips[1:])
    project = replace(store.project, timeline=replace(store.project.timeline, sounds=clips))
    whole_S = mix_track(project, "speak", store.media)
    monkeypatch.setattr(blobs, "BLOCK_SAMPLES", 777)
    counts: list[int] = []
    plan = plan_render(project, store.media, counts.append)
    assert whole_S is not None and plan.speak_S is not None
    np.testing.assert_array_equal(plan.speak_S, whole_S)
    sound_S = blobs.decode_sound(store.media(clips[0].media_sha))[1234:40_000]
    start = 5 * SAMPLES_PER_FRAME
    np.testing.assert_allclose(whole_S[start : start + len(sound_S)], sound_S * 10 ** (-6 / 20), atol=1e-6)
    assert not whole_S[:start].any() and not whole_S[start + len(sound_S) :].any()
    assert max(counts) == 777 and sum(counts) == samples_to_mix(project)


def test_an_export_is_stopped_while_its_sound_is_mixed(
    store: ProjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = TakeRecorder(store, chunk_hashes(store.project), NUM_FRAMES)
    recorder.add(np.stack([picture(1)] * 2), 0, 1.0)
    media, read = ProjectStore.media, list[str]()

    def noted(store: ProjectStore, sha: str) -> bytes:
        read.append(sha)
        return media(store, sha)

    monkeypatch.setattr(ProjectStore, "media", noted)
    with pytest.raises(CancelledError):
        export_film(store.path, tmp_path / "film.mp4", (0, 2), lambda share: None, lambda: bool(read))
    assert len(read) == 1 and not (tmp_path / "film.mp4").exists()
