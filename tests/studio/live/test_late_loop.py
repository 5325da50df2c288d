"""A machine that is too slow for the session is still told what to do: nothing that is asked waits for a moment of rest."""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.media.sound import write_wav
from engine.shapes import SOUND_RATE_HZ
from studio.live.live_loop import MOST_HEARD_S, LiveLoop, LiveWatcher
from studio.live.setup import Direct, LiveRequest, LiveSetup, MicrophoneUse
from studio.live.sound_files import FileMicrophone, SilentLoudspeaker, file_microphone
from tests.engine.small_pack import small_character


@dataclass
class DirectedSession:
    """As much of a session as takes directions."""

    chunk_frames: int = 12
    prompts: list[str] = field(default_factory=list)

    def set_prompt(self, text: str) -> None:
        self.prompts.append(text)


def test_a_loop_that_is_always_late_does_what_it_is_asked() -> None:
    session, requests = DirectedSession(), queue.Queue[LiveRequest]()
    watcher = LiveWatcher(
        opened=lambda facts: None, show=lambda frame: None, metered=lambda meters: None, troubled=lambda words: None
    )
    setup = LiveSetup(character=small_character(), pack="small")
    loop = LiveLoop(session, setup, None, SilentLoudspeaker(), requests, watcher)  # type: ignore[arg-type]
    for text in ("nods", "smiles"):
        requests.put(Direct(text=text))
    loop._serve_until(time.monotonic() - 1.0)
    assert session.prompts == ["nods", "smiles"]


@dataclass
class SpeakingSession(DirectedSession):
    """As much of a session as is ready by and by and says what it is given."""

    warm_up_s: float = 0.0
    given: list[NDArray[np.float32]] = field(default_factory=list)

    def pull(self, timeout_s: float) -> object:
        self.warm_up_s -= timeout_s
        return "the first picture" if self.warm_up_s <= 0 else None

    def push_speak(self, packet_S: NDArray[np.float32], rate_hz: int) -> None:
        self.given.append(packet_S)


def speaking_loop(session: SpeakingSession, folder: Path, now: Callable[[], float]) -> LiveLoop:
    write_wav(folder / "voice.wav", np.linspace(0.1, 0.9, 20 * SOUND_RATE_HZ, dtype=np.float32))
    choice = file_microphone(folder / "voice.wav")
    setup = LiveSetup(character=small_character(), pack="small", microphone=choice, use=MicrophoneUse.SPEAK)
    watcher = LiveWatcher(
        opened=lambda facts: None, show=lambda frame: None, metered=lambda meters: None, troubled=lambda words: None
    )
    microphone = FileMicrophone(folder / "voice.wav", now)
    return LiveLoop(session, setup, microphone, SilentLoudspeaker(), queue.Queue(), watcher)  # type: ignore[arg-type]


def test_a_sound_file_begins_with_the_first_picture(tmp_path: Path) -> None:
    session, times = SpeakingSession(warm_up_s=2.0), iter(float(second) for second in range(100))
    loop = speaking_loop(session, tmp_path, lambda: next(times))
    assert loop._first_frame(lambda: False) is not None
    assert loop._microphone is not None
    heard_S = loop._microphone.read()
    assert len(heard_S) == SOUND_RATE_HZ and heard_S[0] == pytest.approx(0.1, abs=1e-3)


def test_a_voice_does_not_stay_behind_after_a_stall(tmp_path: Path) -> None:
    """Each reading gives what was heard since the one before; a second of it at once is a stall."""
    steps_s = [0.0, *(0.05,) * 40, 3.0, *(0.05,) * 40]
    times = iter(np.cumsum(steps_s).tolist())
    session = SpeakingSession()
    loop = speaking_loop(session, tmp_path, lambda: next(times))
    for _ in steps_s:
        loop._hear()
    said_S = np.concatenate(session.given)
    num_heard = round(sum(steps_s) * SOUND_RATE_HZ)
    num_left_out = round((3.0 - MOST_HEARD_S) * SOUND_RATE_HZ)
    assert len(said_S) == pytest.approx(num_heard - num_left_out, abs=2)
    last = 0.1 + 0.8 * num_heard / (20 * SOUND_RATE_HZ)
    assert said_S[-1] == pytest.approx(last, abs=1e-3), "it ends with what was heard last"
    held_s = loop._held_back._hold_samples / SOUND_RATE_HZ
    longest_s = max(len(packet_S) for packet_S in session.given) / SOUND_RATE_HZ
    assert longest_s < held_s + 0.1, "after the stall it is held back anew, and no longer"
