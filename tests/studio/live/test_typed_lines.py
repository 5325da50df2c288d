"""Typed lines are spoken in the order typed, none is lost, and an interrupt or the end of the session drops those that wait."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from engine.errors import BadInputError
from engine.shapes import SOUND_RATE_HZ
from studio.background.live_thread import LiveThread
from studio.background.tasks import TaskRunner
from studio.live import typed_voice
from studio.live.setup import Interrupt, LiveFacts, LiveRequest, LiveSetup, MicrophoneUse, Say
from studio.live.sound_card import SoundCard
from studio.live.typed_voice import VOICES
from studio.live.waiting_speech import PIECE_S, WaitingSpeech
from studio.project.store import ProjectStore
from studio.qt_models.session import StudioSession
from studio.views.live.live_controller import LiveController, LivePhase
from tests.studio.conftest import WAIT_MS

FACTS = LiveFacts(pack="small", is_causal=False, size_px=48, chunk_frames=12, first_frame_s=0.1, has_loudspeaker=False)


class NotingThread(LiveThread):
    """A session that is open at once and notes what it is asked; it takes no more than `room` requests."""

    def __init__(self) -> None:
        super().__init__(lambda name: None, lambda setup, pack: None, SoundCard())
        self.asked: list[LiveRequest] = []
        self.room = 1000

    def begin(self, setup: LiveSetup) -> bool:
        self.opened.emit(FACTS)
        return True

    def submit(self, request: LiveRequest) -> bool:
        if len(self.asked) < self.room:
            self.asked.append(request)
            return True
        return False

    @property
    def said(self) -> list[int]:
        """How long each line is that was said: what tells them apart here."""
        return [len(request.sound_S) for request in self.asked if isinstance(request, Say)]


@dataclass
class SlowSpeech:
    """Speech of as many samples as the line says; a line that is held is not ready before it is let go."""

    gates: dict[str, threading.Event] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)

    def hold(self, text: str) -> threading.Event:
        self.gates[text] = threading.Event()
        return self.gates[text]

    def say(self, text: str, voice: typed_voice.TypedVoice) -> NDArray[np.float32]:
        self.begun.append(text)
        if text in self.gates:
            assert self.gates[text].wait(WAIT_MS / 1000)
        if not text.isdigit():
            raise BadInputError(f"nothing of {text!r} can be spoken")
        return np.zeros(int(text), np.float32)


@pytest.fixture
def speech(monkeypatch: pytest.MonkeyPatch) -> SlowSpeech:
    from studio.views.live import typed_lines

    made = SlowSpeech()
    monkeypatch.setattr(typed_lines, "say", made.say)
    return made


@pytest.fixture
def thread(qtbot: QtBot) -> NotingThread:
    return NotingThread()


@pytest.fixture
def live(qtbot: QtBot, store: ProjectStore, thread: NotingThread, speech: SlowSpeech) -> Iterator[LiveController]:
    tasks = TaskRunner()
    made = LiveController(StudioSession(store), thread, SoundCard(), tasks)
    go_live(made)
    yield made
    for gate in speech.gates.values():
        gate.set()
    made.close()
    tasks.close()


def go_live(live: LiveController) -> None:
    live.begin(None, MicrophoneUse.LISTEN, False, "")
    live._session_opened(FACTS)
    assert live.phase is LivePhase.OPEN


def until(qtbot: QtBot, is_so: Callable[[], bool]) -> None:
    qtbot.waitUntil(is_so, timeout=WAIT_MS)


def test_lines_keep_their_order_however_long_each_takes(
    qtbot: QtBot, live: LiveController, thread: NotingThread, speech: SlowSpeech
) -> None:
    gate = speech.hold("1")
    for text in ("1", "2", "3"):
        live.say(text, VOICES[0])
    until(qtbot, lambda: speech.begun[:1] == ["1"])
    qtbot.wait(100)  # as long as the second line would take to overtake
    assert thread.said == []
    gate.set()
    until(qtbot, lambda: len(thread.said) == 3)
    assert thread.said == [1, 2, 3]


def test_a_line_that_cannot_be_spoken_stops_no_other(qtbot: QtBot, live: LiveController, thread: NotingThread) -> None:
    failures = list[str]()
    live.failed.connect(failures.append)
    for text in ("1", "?!", "3"):
        live.say(text, VOICES[0])
    until(qtbot, lambda: len(thread.said) == 2)
    assert thread.said == [1, 3]
    assert failures == ["nothing of '?!' can be spoken"]


def test_a_session_that_takes_no_more_gets_the_rest_later(
    qtbot: QtBot, live: LiveController, thread: NotingThread
) -> None:
    thread.room = 1
    for text in ("1", "2", "3"):
        live.say(text, VOICES[0])
    until(qtbot, lambda: thread.said == [1])
    qtbot.wait(100)
    thread.room = 1000
    until(qtbot, lambda: thread.said == [1, 2, 3])


def one_begun_and_one_waiting(qtbot: QtBot, live: LiveController, speech: SlowSpeech) -> threading.Event:
    """Two typed lines; the first is held until the event is set."""
    gate = speech.hold("1")
    for text in ("1", "2"):
        live.say(text, VOICES[0])
    until(qtbot, lambda: speech.begun == ["1"])
    return gate


def test_an_interrupt_drops_what_waits_and_not_what_comes_after(
    qtbot: QtBot, live: LiveController, thread: NotingThread, speech: SlowSpeech
) -> None:
    gate = one_begun_and_one_waiting(qtbot, live, speech)
    live.interrupt()
    live.say("3", VOICES[0])
    gate.set()
    until(qtbot, lambda: thread.said == [3])
    qtbot.wait(100)
    assert isinstance(thread.asked[0], Interrupt) and thread.said == [3]
    assert "2" not in speech.begun


def test_what_waits_when_a_session_ends_is_not_said_in_the_next(
    qtbot: QtBot, live: LiveController, thread: NotingThread, speech: SlowSpeech
) -> None:
    gate = one_begun_and_one_waiting(qtbot, live, speech)
    live.end()
    thread.finished.emit()
    assert live.phase is LivePhase.CLOSED
    live.say("9", VOICES[0])  # nobody is there
    go_live(live)
    gate.set()
    live.say("4", VOICES[0])
    until(qtbot, lambda: thread.said == [4])
    assert speech.begun == ["1", "4"]


def test_speech_waits_for_room_in_its_order_and_whole() -> None:
    speech, taken, room = WaitingSpeech(), list[NDArray[np.float32]](), [0]

    def push(sound_S: NDArray[np.float32]) -> None:
        if len(sound_S) > room[0]:
            raise BadInputError("120 s of sound are waiting; pull frames before pushing more")
        room[0] -= len(sound_S)
        taken.append(sound_S)

    rng = np.random.default_rng(0)
    lines = [rng.random(num_samples, np.float32) for num_samples in (1000, round(3.5 * PIECE_S * SOUND_RATE_HZ), 500)]
    for line_S in lines:
        speech.add(line_S)
    for _ in range(10):
        room[0] += round(PIECE_S * SOUND_RATE_HZ)
        speech.give(push)
    np.testing.assert_array_equal(np.concatenate(taken), np.concatenate(lines))
    speech.add(lines[0])
    speech.forget()
    taken.clear()
    speech.give(push)
    assert taken == []
