"""The live loop: keeps microphone, session, loudspeaker, screen and film in time with each other, on one thread.

24 times a second it takes the frame that is due, plays its sound, and shows the frame whose sound is heard just now. Requests come
through a bounded queue and are served between frames. It knows devices by their ports and no window.
"""

import queue
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError, LpmError
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ
from studio.live.hearing import EchoGuard, HeldBack, LevelMeter
from studio.live.pacing import TARGET_QUEUED_S, FramePace
from studio.live.recording import Recording
from studio.live.setup import (
    Direct,
    Interrupt,
    LiveFacts,
    LiveMeters,
    LiveRequest,
    LiveSetup,
    MicrophoneUse,
    Record,
    Say,
    StopRecording,
)
from studio.live.sound_files import SilentLoudspeaker
from studio.live.sound_ports import DeviceLostError, Loudspeaker, Microphone
from studio.live.waiting_speech import WaitingSpeech

if TYPE_CHECKING:
    from engine import LiveFrame, LiveSession

MOST_REQUESTS: Final = 32
METERS_EVERY_FRAMES: Final = 6
MOST_UNSHOWN_FRAMES: Final = 24
MOST_HEARD_S: Final = 0.5
"""After a stall only the newest of what was said is heard: the rest is past."""

_WARM_UP_STEP_S: Final = 0.05
_FIRST_FRAME_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class LiveWatcher:
    """Who is told what; called from the loop's thread, and must not wait."""

    opened: Callable[[LiveFacts], None]  # the first picture is there
    show: Callable[["LiveFrame"], None]  # this picture belongs on the screen now
    metered: Callable[[LiveMeters], None]  # figures, a few times a second
    troubled: Callable[[str], None]  # something went wrong and the session goes on


class LiveLoop:
    """One session's loop. `run` returns when it is stopped; the session and the ports stay open and belong to the caller."""

    def __init__(
        self,
        session: "LiveSession",
        setup: LiveSetup,
        microphone: Microphone | None,
        loudspeaker: Loudspeaker,
        requests: "queue.Queue[LiveRequest]",
        watcher: LiveWatcher,
    ) -> None:
        """Nothing is read or shown before `run`."""
        self._session, self._setup, self._watcher = session, setup, watcher
        self._microphone, self._loudspeaker, self._requests = microphone, loudspeaker, requests
        self._is_speaking_through = setup.use is MicrophoneUse.SPEAK and microphone is not None
        rate_hz = microphone.rate_hz if microphone is not None else SOUND_RATE_HZ
        self._held_back = HeldBack(session.chunk_frames, rate_hz)
        hears_room = setup.microphone is not None and setup.microphone.hears_room
        is_open_room = hears_room and not setup.has_headphones
        self._echo = EchoGuard(is_needed=is_open_room and not self._is_speaking_through)
        self._is_heard = not (self._is_speaking_through and is_open_room)
        self._level = LevelMeter()
        self._speech = WaitingSpeech()
        self._unshown: deque[LiveFrame] = deque(maxlen=MOST_UNSHOWN_FRAMES)
        self._recording: Recording | None = None
        self._finished: list[Recording] = []
        self._size_px = 0
        self._has_lost_sound = False

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Play until `is_stopped`; a recording that is under way is finished. Raises what the session raises."""
        try:
            frame = self._first_frame(is_stopped)
            if frame is None:
                return
            self._size_px = frame.picture_HWC.shape[0]
            self._loudspeaker.play(np.zeros(round(TARGET_QUEUED_S * SOUND_RATE_HZ), np.float32))
            self._watcher.opened(self._facts())
            pace = FramePace(time.monotonic())
            num_frames = 0
            while not is_stopped():
                self._take(frame)
                if num_frames % METERS_EVERY_FRAMES == 0:
                    self._watcher.metered(self._meters())
                pace.advance(time.monotonic(), self._loudspeaker.queued_s)
                self._serve_until(pace.due_s)
                self._speech.give(self._session.push_speak)
                self._hear()
                due = self._session.pull_now()
                assert due is not None, "nobody pauses this session"
                frame, num_frames = due, num_frames + 1
        finally:
            self._stop_recording()
            for recording in self._finished:
                recording.wait()

    def _first_frame(self, is_stopped: Callable[[], bool]) -> "LiveFrame | None":
        """The clock begins with the first picture; what is heard before is past."""
        gives_up_s = time.monotonic() + _FIRST_FRAME_S
        while not is_stopped():
            frame = self._session.pull(timeout_s=_WARM_UP_STEP_S)
            if frame is not None:
                if self._microphone is not None:
                    self._microphone.begin()
                return frame
            if time.monotonic() > gives_up_s:
                raise BadInputError(f"no picture was ready after {_FIRST_FRAME_S:.0f} s; choose a smaller pack")
        return None

    # ------------------------------------------------------------------ a frame

    def _take(self, frame: "LiveFrame") -> None:
        """Play the frame's sound, film it, and show the one that is heard now."""
        if self._is_heard:
            self._loudspeaker.play(frame.speak_S)
        else:
            self._loudspeaker.play(np.zeros_like(frame.speak_S))
        delay_s = self._loudspeaker.queued_s + self._loudspeaker.latency_s
        self._echo.played(frame.speak_S, time.monotonic() + delay_s)
        self._film(frame)
        self._unshown.append(frame)
        num_waiting = min(max(round(delay_s * FRAME_RATE_HZ) - 1, 0), MOST_UNSHOWN_FRAMES - 1)
        shown = None
        while len(self._unshown) > num_waiting:
            shown = self._unshown.popleft()
        if shown is not None:
            self._watcher.show(shown)

    def _hear(self) -> None:
        if self._microphone is None:
            return
        try:
            packet_S = self._microphone.read()
        except DeviceLostError as error:
            self._microphone = None
            self._watcher.troubled(str(error))
            return
        self._level.hear(packet_S)
        most_samples = round(MOST_HEARD_S * self._microphone.rate_hz)
        if self._is_speaking_through:
            packet_S = self._given_voice(packet_S, most_samples)
        elif self._echo.is_echo(time.monotonic()):
            packet_S = np.zeros_like(packet_S[-most_samples:])
        else:
            packet_S = packet_S[-most_samples:]
        if not len(packet_S):
            return
        push = self._session.push_speak if self._is_speaking_through else self._session.push_listen
        try:
            push(packet_S, self._microphone.rate_hz)
        except BadInputError:  # the session is minutes behind: what cannot wait any longer is not heard
            if not self._has_lost_sound:
                self._watcher.troubled("This machine is too busy to hear everything; close other programs.")
            self._has_lost_sound = True

    def _given_voice(self, packet_S: NDArray[np.float32], most_samples: int) -> NDArray[np.float32]:
        """What of the character's own voice is spoken now. Nothing catches up with a voice that fell behind, so after a stall it
        begins again with the newest of it."""
        if len(packet_S) > most_samples:
            packet_S = packet_S[-most_samples:]
            self._held_back.begin_again()
        return self._held_back.through(packet_S)

    # ------------------------------------------------------------------ requests

    def _serve_until(self, due_s: float) -> None:
        """Serve what is asked until the next frame is due; a loop that is late serves what waits, and waits for nothing more."""
        while True:
            try:
                request = self._requests.get(timeout=max(due_s - time.monotonic(), 0.0))
            except queue.Empty:
                return
            try:
                self._serve(request)
            except LpmError as error:
                self._watcher.troubled(str(error))

    def _serve(self, request: LiveRequest) -> None:
        match request:
            case Say():
                self._speech.add(request.sound_S)
            case Interrupt():
                self._interrupt()
            case Direct():
                self._session.set_prompt(request.text)
            case Record():
                self._stop_recording()
                self._recording = request.recording
            case StopRecording():
                self._stop_recording()

    def _interrupt(self) -> None:
        """Silent at once: what waits at the loudspeaker is forgotten too, and its place kept by silence."""
        self._speech.forget()
        self._session.interrupt()
        queued_s = self._loudspeaker.queued_s
        self._loudspeaker.fall_silent()
        self._loudspeaker.play(np.zeros(round(min(queued_s, TARGET_QUEUED_S) * SOUND_RATE_HZ), np.float32))
        self._held_back.begin_again()

    # ------------------------------------------------------------------ film and figures

    def _film(self, frame: "LiveFrame") -> None:
        if self._recording is None:
            return
        try:
            self._recording.append(frame)
        except (LpmError, OSError):
            self._stop_recording()  # which tells why

    def _stop_recording(self) -> None:
        if self._recording is not None:
            self._recording.finish()
            self._finished.append(self._recording)
            self._recording = None

    def _facts(self) -> LiveFacts:
        report = self._session.report()
        return LiveFacts(
            pack=self._setup.pack,
            is_causal=report.generator != "BaseWindows",
            size_px=self._size_px,
            chunk_frames=self._session.chunk_frames,
            first_frame_s=report.first_frame_s,
            has_loudspeaker=not isinstance(self._loudspeaker, SilentLoudspeaker),
        )

    def _meters(self) -> LiveMeters:
        report, chunks = self._session.report(), self._session.chunk_reports()
        newest = chunks[-1].stages_s if chunks else {}
        return LiveMeters(
            shown_frames=report.shown_frames,
            repeated_frames=report.repeated_frames,
            dropped_frames=report.dropped_frames,
            ahead_frames=self._session.ahead_frames,
            stages_ms={name: 1e3 * seconds for name, seconds in newest.items()},
            chunk_ms_p50=report.chunk_ms_p50,
            chunk_ms_p95=report.chunk_ms_p95,
            reaction_ms_p50=1e3 * report.reaction_p50_s,
            real_time_factor=report.real_time_factor,
            pace=report.pace,
            microphone_db=self._level.db if self._microphone is not None else None,
            recorded_s=self._recording.num_frames / FRAME_RATE_HZ if self._recording is not None else None,
        )
