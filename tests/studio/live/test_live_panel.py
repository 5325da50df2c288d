"""The Live workspace on a real session of a small random pack: it hears, speaks typed lines, is interrupted, and films itself."""

import queue
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import engine
from engine.media.film_reading import probe_film
from engine.media.sound import read_sound, write_wav
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ
from studio.app import Machinery, Studio
from studio.live.live_loop import MOST_HEARD_S, LiveLoop, LiveWatcher
from studio.live.recording import Recorded
from studio.live.setup import LiveSetup, MicrophoneUse
from studio.live.sound_files import FileLoudspeaker, FileMicrophone, file_microphone
from studio.live.sound_ports import Loudspeaker, MicrophoneChoice
from studio.live.typed_voice import say
from studio.playback.clocks import SilentClock
from studio.project.store import ProjectStore
from studio.settings import Settings
from studio.views.live.live_controller import LivePhase
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.small_pack import small_character, write_small_pack
from tests.studio.conftest import WAIT_MS, StandInEngine, tone

LINE = "Hello, how are you?"
LONG_LINE = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."


@dataclass
class FilePorts:
    """A machine whose microphone and loudspeaker are files."""

    heard: Path
    microphone: Path | None = None
    asked_on: list[str] = field(default_factory=list)

    def microphones(self) -> tuple[MicrophoneChoice, ...]:
        self.asked_on.append(threading.current_thread().name)
        return () if self.microphone is None else (file_microphone(self.microphone),)

    def open_loudspeaker(self) -> Loudspeaker:
        return FileLoudspeaker(self.heard)


@pytest.fixture(scope="module", params=["base"])
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> engine.LoadedPack:
    write = {"base": write_small_pack, "online": write_small_online_pack}[request.param]
    return engine.load_pack(str(write(tmp_path_factory.mktemp("pack") / request.param)))


@pytest.fixture
def ports(tmp_path: Path) -> FilePorts:
    voice = tmp_path / "partner.wav"
    write_wav(voice, np.tile(0.1 * tone(1.0, 330.0), 60))
    return FilePorts(heard=tmp_path / "heard.wav", microphone=voice)


@pytest.fixture
def studio(
    qtbot: QtBot, qapp: QApplication, store: ProjectStore, pack: engine.LoadedPack, ports: FilePorts, tmp_path: Path
) -> Iterator[Studio]:
    settings = Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    machinery = Machinery(
        load_pack=lambda name: pack,
        perform=StandInEngine().perform,
        open_sound=lambda sound_S, start: SilentClock(start),
        ports=ports,
    )
    made = Studio(qapp, ProjectStore(store.path, is_checked=True), settings, machinery)
    made.window.show()
    yield made
    made.close()
    assert not made.live_thread.isRunning()
    made.window.deleteLater()


def until(qtbot: QtBot, is_so: Callable[[], bool]) -> None:
    qtbot.waitUntil(is_so, timeout=WAIT_MS)


def go_live(qtbot: QtBot, studio: Studio) -> None:
    """Enter the workspace and open a session with what is picked."""
    studio.window.actions_by_name["live"].trigger()
    microphone = studio.window.live.controls.microphone
    until(qtbot, lambda: microphone.count() > 3)
    studio.window.live.controls.live_button.click()
    until(qtbot, lambda: studio.live.phase is LivePhase.OPEN)


def wait_for_state(qtbot: QtBot, studio: Studio, state: str) -> None:
    until(qtbot, lambda: studio.window.live.stage.ribbon.state == state)


def likeness(sound_S: NDArray[np.float32], line_S: NDArray[np.float32]) -> float:
    """The best correlation of a line with any place of a sound, 1 where it is there unbroken."""
    size = 1 << (len(sound_S) + len(line_S) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound_S, size) * np.conj(np.fft.rfft(line_S, size)), size)[: len(sound_S)]
    place = int(np.argmax(product))
    there_S = sound_S[place : place + len(line_S)]
    there_S = np.pad(there_S, (0, len(line_S) - len(there_S)))
    return float(there_S @ line_S / max(np.linalg.norm(there_S) * np.linalg.norm(line_S), 1e-9))


def test_it_listens_answers_a_typed_line_and_the_film_has_both(
    qtbot: QtBot, studio: Studio, ports: FilePorts, tmp_path: Path
) -> None:
    film, films = tmp_path / "live.mp4", list[Recorded]()
    studio.live.recorded.connect(films.append)
    undo_label = studio.session.funnel.undo_label
    go_live(qtbot, studio)
    live = studio.window.live
    studio.live.record(film)
    wait_for_state(qtbot, studio, "listening")
    live.stage.line.setText(LINE)
    qtbot.keyClick(live.stage.line, Qt.Key.Key_Return)
    wait_for_state(qtbot, studio, "responding")
    until(qtbot, lambda: live.stage.ribbon.state != "responding")
    assert "windows of 12 frames" in live.controls.engine_note.text()  # it says what performs
    status = studio.window.status
    assert "Maya performs live" in status.engine.text() and "idle" not in status.engine.text()
    assert re.fullmatch(r"Live for 0:\d\d", status.place.text())  # and nothing of the timeline, which is out of sight
    assert live.controls.meters.stages.total_ms > 0
    assert "Stop recording" in live.controls.record_button.text()
    live.controls.record_button.click()
    until(qtbot, lambda: len(films) == 1)
    facts = probe_film(film)
    assert facts.num_frames == films[0].num_frames
    assert abs(facts.sound_s - facts.video_s) <= 1 / FRAME_RATE_HZ
    assert facts.num_channels == 2
    line_S = say(LINE, live.controls.chosen_voice)
    assert likeness(read_sound(film), line_S) > 0.7  # over the partner's tone, which goes on
    assert str(film) in studio.window.message.text
    assert studio.session.funnel.undo_label == undo_label
    assert ports.asked_on and "MainThread" not in ports.asked_on


@pytest.mark.parametrize("pack", ["online"], indirect=True)
def test_a_pack_with_causal_models_performs_through_them(
    qtbot: QtBot, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.performing_live", lambda pack: pack)  # what a card takes; here there is none
    go_live(qtbot, studio)
    live = studio.window.live
    wait_for_state(qtbot, studio, "listening")
    until(qtbot, lambda: "Refine " in live.controls.meters.stages.accessibleDescription())
    assert "base model" not in live.controls.engine_note.text()


def test_leaving_the_workspace_closes_the_session_and_keeps_the_film(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    films = list[Recorded]()
    studio.live.recorded.connect(films.append)
    go_live(qtbot, studio)
    assert studio.window.timeline.isHidden()
    studio.window.live.controls.record_button.click()
    until(qtbot, lambda: re.search(r"[1-9]", studio.window.live.controls.record_button.text()) is not None)  # a second
    studio.window.actions_by_name["direct"].trigger()
    until(qtbot, lambda: studio.live.phase is LivePhase.CLOSED and len(films) == 1)
    assert not studio.window.timeline.isHidden()
    assert probe_film(films[0].path).num_frames == films[0].num_frames >= FRAME_RATE_HZ
    assert films[0].path.parent == studio.session.path.parent


def test_interrupt_cuts_the_line_short(qtbot: QtBot, studio: Studio, ports: FilePorts) -> None:
    ports.microphone = ports.microphone and write_silence(ports.microphone)
    go_live(qtbot, studio)
    live = studio.window.live
    whole_S = say(LONG_LINE, live.controls.chosen_voice)
    live.stage.said.emit(LONG_LINE)
    wait_for_state(qtbot, studio, "responding")
    live.stage.interrupt_button.click()
    until(qtbot, lambda: live.stage.ribbon.state == "idle")
    qtbot.wait(300)
    live.controls.live_button.click()
    until(qtbot, lambda: studio.live.phase is LivePhase.CLOSED)
    heard_S = read_sound(ports.heard)
    spoken_s = voiced_s(heard_S)
    assert spoken_s < 0.6 * voiced_s(whole_S)
    assert not np.any(np.abs(heard_S[-SOUND_RATE_HZ // 4 :]) > 1e-3)


def test_speak_through_says_the_voice_unbroken(qtbot: QtBot, studio: Studio, ports: FilePorts) -> None:
    studio.window.live.controls.use.setCurrentIndex(1)
    assert studio.window.live.controls.chosen_use is MicrophoneUse.SPEAK
    go_live(qtbot, studio)
    assert not studio.window.live.stage.line.isEnabled()
    wait_for_state(qtbot, studio, "responding")
    qtbot.wait(1500)
    studio.window.live.controls.live_button.click()
    until(qtbot, lambda: studio.live.phase is LivePhase.CLOSED)
    heard_S = read_sound(ports.heard)
    assert voiced_s(heard_S) > 0.8
    assert likeness(heard_S, tone(0.5, 330.0)) > 0.95


def test_without_a_microphone_it_says_so_and_still_speaks(qtbot: QtBot, studio: Studio, ports: FilePorts) -> None:
    ports.microphone = None
    live = studio.window.live
    studio.window.actions_by_name["live"].trigger()
    until(qtbot, lambda: bool(ports.asked_on) and "No microphone" in live.controls.device_note.text())
    assert live.controls.device_note.isVisible()
    live.controls.use.setCurrentIndex(1)
    live.controls.live_button.click()
    assert studio.live.phase is LivePhase.CLOSED
    assert "pick a microphone" in studio.window.message.text
    live.controls.use.setCurrentIndex(0)
    live.controls.live_button.click()
    until(qtbot, lambda: studio.live.phase is LivePhase.OPEN)
    live.stage.said.emit("  ")
    until(qtbot, lambda: "nothing" in studio.window.message.text)
    live.stage.said.emit(LONG_LINE)  # a short one may be over before a busy machine draws it
    wait_for_state(qtbot, studio, "responding")


def test_the_window_lives_while_a_session_opens_and_a_failure_is_one_message(
    qtbot: QtBot, studio: Studio, pack: engine.LoadedPack
) -> None:
    gate, ticks = threading.Event(), list[int]()

    def slow_pack(name: str) -> engine.LoadedPack:
        gate.wait(WAIT_MS / 1000)
        raise engine.errors.BadPackError("lpm-tiny: the pack is damaged")

    studio.live_thread._load_pack = slow_pack
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(5)
    studio.window.actions_by_name["live"].trigger()
    studio.window.live.controls.live_button.click()
    until(qtbot, lambda: len(ticks) > 20)
    assert studio.live.phase is LivePhase.OPENING
    assert studio.window.live.stage.ribbon.state == "warm-up"
    gate.set()
    until(qtbot, lambda: studio.live.phase is LivePhase.CLOSED)
    timer.stop()
    assert "damaged" in studio.window.message.text


@dataclass
class FullSession:
    """A session that takes no more sound."""

    chunk_frames: int = 12
    asked: int = 0

    def push_listen(self, packet_S: NDArray[np.float32], rate_hz: int) -> None:
        self.asked += len(packet_S)
        raise engine.errors.BadInputError("120 s of sound are waiting; pull frames before pushing more")


def test_a_machine_that_is_minutes_behind_loses_sound_and_not_the_session(ports: FilePorts) -> None:
    session, troubles, times = FullSession(), list[str](), iter([0.0, 60.0, 120.0])
    assert ports.microphone is not None
    choice = file_microphone(ports.microphone)
    setup = LiveSetup(character=small_character(), pack="small", microphone=choice)
    watcher = LiveWatcher(
        opened=lambda facts: None, show=lambda frame: None, metered=lambda meters: None, troubled=troubles.append
    )
    microphone = FileMicrophone(ports.microphone, lambda: next(times))
    loop = LiveLoop(session, setup, microphone, FileLoudspeaker(ports.heard), queue.Queue(), watcher)  # type: ignore[arg-type]
    for _ in range(3):
        loop._hear()
    assert session.asked == 2 * round(MOST_HEARD_S * SOUND_RATE_HZ)
    assert len(troubles) == 1 and "too busy" in troubles[0]


def voiced_s(sound_S: NDArray[np.float32]) -> float:
    frames_TS = sound_S[: len(sound_S) // 1000 * 1000].reshape(-1, 1000)
    return float(np.sum(np.sqrt(np.mean(frames_TS**2, axis=1)) > 0.02)) / FRAME_RATE_HZ


def write_silence(path: Path) -> Path:
    write_wav(path, np.zeros(SOUND_RATE_HZ, np.float32))
    return path
