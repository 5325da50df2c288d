"""A live session played in real time from files: a microphone and a screen that are not there. Called by `lpm live`; no Qt.

Packets of the partner's voice arrive at the pace of a microphone, the character's own voice is pushed in whole when it answers, and
24 times a second the frame whose time has come is taken, whether its picture is ready or not. What was shown is written to a film
by a thread of its own, so that writing delays nothing.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine import LiveFrame, LiveSession
from engine.media.film import FilmWriter
from engine.media.film_sound import FilmSound
from engine.media.samples import SpooledSound
from engine.memory import memory_mb
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

PACKET_SAMPLES: Final = SOUND_RATE_HZ // 50
FIRST_FRAME_TIMEOUT_S: Final = 120.0
_SETTLED_S: Final = 5.0
_FRAMES_AT_ONCE: Final = 12


@dataclass(frozen=True, kw_only=True)
class LiveScript:
    """What happens in the session, by the second of the clock that begins with the first frame."""

    seconds: float
    listen_S: NDArray[np.float32] | None = None
    speak_S: NDArray[np.float32] | None = None
    speak_at_s: float = 0.0
    interrupt_at_s: tuple[float, ...] = ()
    prompt_at_s: tuple[tuple[float, str], ...] = ()


@dataclass(kw_only=True)
class PlayFigures:
    """What the player itself saw: how late it woke, how long calls took, memory over time, the states it passed through."""

    late_s: list[float] = field(default_factory=list)
    pull_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    states: list[tuple[int, str]] = field(default_factory=list)

    @property
    def memory_growth(self) -> float:
        """How much more memory there is at the end than when the session had settled, as a share."""
        settled = self.memory_mb[int(_SETTLED_S) :] or self.memory_mb
        return settled[-1] / settled[0] - 1 if settled else 0.0


class FilmThread:
    """Writes frames in a thread of its own; `close` finishes the film, or throws it away."""

    def __init__(self, path: Path, size_px: int, has_partner: bool) -> None:
        """Open the film; `BadInputError` where it cannot be written."""
        self._speak, self._listen = SpooledSound(), SpooledSound() if has_partner else None
        sound = FilmSound(speak_S=self._speak, listen_S=self._listen)
        self._film = FilmWriter(path, size_px=size_px, sound=sound, preset="superfast")
        self._frames: queue.Queue[LiveFrame | None] = queue.Queue(maxsize=40 * FRAME_RATE_HZ)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="live film", daemon=True)
        self._thread.start()

    @property
    def speak_S(self) -> NDArray[np.float32]:
        """All that the character has said so far, sample for sample with the film's frames."""
        return self._speak[:]

    def append(self, frame: LiveFrame) -> None:
        """Hand over a frame; waits only when writing is forty seconds behind."""
        if self._failure is not None:
            raise self._failure
        self._frames.put(frame)

    def close(self, commit: bool) -> None:
        """Wait until all is written, and put the film in its place if so wanted; raises what went wrong with writing."""
        self._frames.put(None)
        self._thread.join()
        with self._film:
            if commit and self._failure is None:
                self._film.commit()
        if commit and self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        some: list[LiveFrame] = []
        while True:
            frame = self._frames.get()
            some += [frame] if frame is not None else []
            if self._failure is None and some and (frame is None or len(some) == _FRAMES_AT_ONCE):
                try:
                    self._write(some)
                except BaseException as error:  # told to whoever appends next
                    self._failure = error
                some = []
            if frame is None:
                return

    def _write(self, some: list[LiveFrame]) -> None:
        for frame in some:
            self._speak.append(frame.speak_S)
            if self._listen is not None:
                self._listen.append(frame.listen_S)
        self._film.append(np.stack([frame.picture_HWC for frame in some]))


def play(
    session: LiveSession, script: LiveScript, show: Callable[[LiveFrame], None], progress: Callable[[int, int], None]
) -> PlayFigures:
    """Play the script in real time; each frame is handed to `show` when its time has come."""
    figures = PlayFigures()
    num_frames = max(1, round(script.seconds * FRAME_RATE_HZ))
    frame = session.pull(timeout_s=FIRST_FRAME_TIMEOUT_S)
    if frame is None:
        raise TimeoutError(f"no frame was ready after {FIRST_FRAME_TIMEOUT_S:.0f} s")
    began_s = time.perf_counter()
    ended, broken = threading.Event(), threading.Event()
    failures: list[Exception] = []
    words = (session, script, began_s, ended, broken, failures)
    pushing = threading.Thread(target=_push, args=words, name="live push", daemon=True)
    pushing.start()
    try:
        for index in range(num_frames):
            if failures:
                raise failures[0]
            if index:
                frame = _frame_in_time(session, began_s + index / FRAME_RATE_HZ, figures)
            show(frame)
            if not figures.states or figures.states[-1][1] != frame.state:
                figures.states.append((frame.index, str(frame.state)))
            if index % FRAME_RATE_HZ == 0:
                figures.memory_mb.append(memory_mb())
            progress(index + 1, num_frames)
    except BaseException:
        broken.set()
        raise
    finally:
        ended.set()
        pushing.join()
    return figures


def _frame_in_time(session: LiveSession, due_s: float, figures: PlayFigures) -> LiveFrame:
    time.sleep(max(due_s - time.perf_counter(), 0.0))
    woke_s = time.perf_counter()
    frame = session.pull_now()
    assert frame is not None, "nobody pauses this session"
    figures.late_s.append(woke_s - due_s)
    figures.pull_s.append(time.perf_counter() - woke_s)
    return frame


def _push(
    session: LiveSession,
    script: LiveScript,
    began_s: float,
    ended: threading.Event,
    broken: threading.Event,
    failures: list[Exception],
) -> None:
    """Everything that comes in, each at its time, in order; what is due is done also by a thread that is late.

    What a session refuses is kept in `failures` for whoever plays, and nothing more is pushed.
    """
    for at_s, act in sorted(_acts(session, script), key=lambda pair: pair[0]):
        due_s = began_s + at_s
        ended.wait(max(due_s - time.perf_counter(), 0.0))
        if broken.is_set() or time.perf_counter() < due_s:
            return
        try:
            act()
        except Exception as error:  # told by the thread that plays
            failures.append(error)
            return


def _acts(session: LiveSession, script: LiveScript) -> list[tuple[float, Callable[[], object]]]:
    acts: list[tuple[float, Callable[[], object]]] = []
    listen_S = script.listen_S if script.listen_S is not None else np.zeros(0, np.float32)
    for start in range(0, len(listen_S), PACKET_SAMPLES):
        packet_S = listen_S[start : start + PACKET_SAMPLES]
        acts.append(((start + len(packet_S)) / SOUND_RATE_HZ, lambda packet_S=packet_S: session.push_listen(packet_S)))  # type: ignore[misc]
    if script.speak_S is not None:
        speak_S = script.speak_S
        acts.append((script.speak_at_s, lambda: session.push_speak(speak_S)))
    acts += [(at_s, session.interrupt) for at_s in script.interrupt_at_s]
    acts += [(at_s, lambda text=text: session.set_prompt(text)) for at_s, text in script.prompt_at_s]  # type: ignore[misc]
    return acts
