"""How soon a live session shows what happened: from a change in what it hears, says or is told to the first changed frame as played.

A session plays in real time, frames taken 24 times a second and packets of sound pushed 50 times a second. At random moments, which
know nothing of its chunks, the partner begins to talk, the character is given something to say, or its direction changes. What the
frames would have been without that is computed afterwards (`engine.benchmarks.twins`).

Interruptions are played here too; whether a mouth is closed is for the benchmark's eye to say (`engine.benchmarks.mouth_closing`).
"""

import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.online.conductor import ChunkJob
from engine.online.live import LiveFrame
from engine.online.session import LiveSession
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

CHANGE_KINDS: Final = ("listen", "speak", "prompt")
CALM_PROMPT: Final = "waits, looks at the viewer"
OTHER_PROMPT: Final = "happy, smiles, tilts the head to the left"

_PACKET_SAMPLES: Final = SOUND_RATE_HZ // 50
_PACKET_S: Final = _PACKET_SAMPLES / SOUND_RATE_HZ
_SETTLING_S: Final = 2.0
_VOICE_S: Final = 0.8
_APART_S: Final = (6.0, 7.0)  # from moment to moment: nothing of one is still heard at the next
_CUT_AFTER_S: Final = (1.8, 3.0)  # from an utterance's beginning to its interruption
_UTTERANCE_S: Final = 5.0
_FIRST_FRAME_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A frame as it was played, and when; `checksum` tells one picture from another."""

    index: int
    chunk: int
    is_repeat: bool
    at_s: float
    checksum: int


@dataclass(kw_only=True)
class Recording:
    """What happened in a session: when each change came, all that was shown, all chunks that were begun. Times are the clock's."""

    kind: str
    changes_s: list[float] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    jobs: list[ChunkJob] = field(default_factory=list)


Look = Callable[[LiveFrame], None]


def record_changes(
    session: LiveSession, recording: Recording, voice_S: NDArray[np.float32], moments: int, seed: int
) -> None:
    """Plays one kind of change at so many random moments; the session begins under `CALM_PROMPT` and tells the recording its chunks."""
    rng = np.random.default_rng(seed)
    starts_s = _SETTLING_S + np.cumsum(rng.uniform(*_APART_S, moments))
    acts = [act for start_s in starts_s for act in _change(session, recording, float(start_s), voice_S)]
    voiced_s = (
        [(float(start_s), float(start_s) + _VOICE_S) for start_s in starts_s] if recording.kind == "listen" else []
    )
    _play(session, recording, acts, voiced_s, voice_S, float(starts_s[-1]) + _APART_S[0], lambda frame: None)


def record_interruptions(
    session: LiveSession,
    recording: Recording,
    voice_S: NDArray[np.float32],
    moments: int,
    seed: int,
    cut: Callable[[], object],
    look: Look,
) -> None:
    """Plays utterances that are `cut` at random; `look` is shown every frame, and must be quick."""
    rng = np.random.default_rng(seed)
    acts: list[tuple[float, Callable[[], object]]] = []
    utterance_S, start_s = voice_S[: round(_UTTERANCE_S * SOUND_RATE_HZ)], _SETTLING_S
    for _ in range(moments):
        start_s += float(rng.uniform(*_APART_S))
        acts.append((start_s, lambda: session.push_speak(utterance_S)))
        acts.append((start_s + float(rng.uniform(*_CUT_AFTER_S)), lambda: _noted(recording, cut)))
    _play(session, recording, acts, [], voice_S, start_s + _APART_S[0], look)


def _change(
    session: LiveSession, recording: Recording, start_s: float, voice_S: NDArray[np.float32]
) -> list[tuple[float, Callable[[], object]]]:
    """What is done for one change; a heard voice is in the packets themselves, and only its time is noted here."""
    if recording.kind == "speak":
        sound_S = voice_S[: round(_VOICE_S * SOUND_RATE_HZ)]
        return [(start_s, lambda: _noted(recording, lambda: session.push_speak(sound_S)))]
    if recording.kind == "prompt":
        return [
            (start_s, lambda: _noted(recording, lambda: session.set_prompt(OTHER_PROMPT))),
            (start_s + _APART_S[0] / 2, lambda: session.set_prompt(CALM_PROMPT)),
        ]
    return []


def _noted(recording: Recording, act: Callable[[], object]) -> None:
    recording.changes_s.append(time.perf_counter())
    act()


def _play(
    session: LiveSession,
    recording: Recording,
    acts: Sequence[tuple[float, Callable[[], object]]],
    voiced_s: Sequence[tuple[float, float]],
    voice_S: NDArray[np.float32],
    seconds: float,
    look: Look,
) -> None:
    """Plays so many seconds in real time: frames in this thread, everything that comes in from another one."""
    if session.pull(timeout_s=_FIRST_FRAME_TIMEOUT_S) is None:
        raise TimeoutError(f"no frame was ready after {_FIRST_FRAME_TIMEOUT_S:.0f} s")
    ended, began_s = threading.Event(), time.perf_counter()
    pushing = threading.Thread(
        target=_push,
        args=(session, recording, sorted(acts, key=lambda act: act[0]), voiced_s, voice_S, began_s, ended),
        name="bench push",
        daemon=True,
    )
    pushing.start()
    try:
        for number in range(1, round(seconds * FRAME_RATE_HZ)):
            time.sleep(max(began_s + number / FRAME_RATE_HZ - time.perf_counter(), 0.0))
            frame = session.pull_now()
            assert frame is not None, "nobody pauses this session"
            at_s = time.perf_counter()
            look(frame)
            recording.shown.append(
                Shown(
                    index=frame.index,
                    chunk=frame.chunk,
                    is_repeat=frame.is_repeat,
                    at_s=at_s,
                    checksum=zlib.crc32(np.ascontiguousarray(frame.picture_HWC).data),
                )
            )
    finally:
        ended.set()
        pushing.join()


def _push(
    session: LiveSession,
    recording: Recording,
    acts: list[tuple[float, Callable[[], object]]],
    voiced_s: Sequence[tuple[float, float]],
    voice_S: NDArray[np.float32],
    began_s: float,
    ended: threading.Event,
) -> None:
    """Packets as from a microphone, silent or with the partner's voice, and each act when its time has come."""
    waiting, number, silent_S, place = list(acts), 0, np.zeros(_PACKET_SAMPLES, np.float32), 0
    starts_s = [start_s for start_s, _ in voiced_s]
    while True:
        packet_due_s = (number + 1) * _PACKET_S
        due_s = min(packet_due_s, waiting[0][0] if waiting else packet_due_s)
        if ended.wait(max(began_s + due_s - time.perf_counter(), 0.0)):
            return
        if waiting and waiting[0][0] <= packet_due_s:
            waiting.pop(0)[1]()
            continue
        begins_s = number * _PACKET_S
        if any(start_s <= begins_s < end_s for start_s, end_s in voiced_s):
            if starts_s and starts_s[0] <= begins_s:
                recording.changes_s.append(time.perf_counter() - _PACKET_S)  # when the packet's first sample was heard
                starts_s.pop(0)
                place = 0
            session.push_listen(voice_S[place : place + _PACKET_SAMPLES])
            place += _PACKET_SAMPLES
        else:
            session.push_listen(silent_S)
        number += 1
