"""A live session: sound, words and events are pushed in, frames are pulled out, from any threads (paper 5.2).

    with open_session(character, pack) as session:
        session.push_listen(packet_S, rate_hz=48_000)        # from the microphone's callback, any size
        session.push_speak(voice_S)                          # what the character says, as soon as it is known
        frame = session.pull_now()                           # each 1/24 s: show it and play frame.speak_S

Who plays in real time calls `pull_now`, which never waits; who writes a file calls `pull`, which waits for the picture. All methods
may be called from any thread; pushing and `pull_now` never wait for a model. Close a session (or use `with`) to end its threads.
No Qt and no sound card is in here.

Visible state (histories of the models, the codec's state) belongs to the stages and conditions (text rows, sound, references) to the
conductor and the encoder, so either can be renewed without the other (paper 5.3, state splitting).
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import LpmError
from engine.online.audio_window import SAMPLES_PER_FRAME, SoundTrack
from engine.online.chunk_steps import ChunkWork, SessionStages, chunk_steps
from engine.online.conductor import ChunkJob, Conductor
from engine.online.figures import percentile
from engine.online.live import ChunkCosts, ChunkReport, LiveFrame, SessionReport, checked_direction
from engine.online.pipeline import ONE_WORKER, PIPELINE_WORKERS, Pipeline, PipelineEvents, StageRunner, Task
from engine.online.states import LiveState
from engine.online.trace import Trace
from engine.shapes import SOUND_RATE_HZ

MOST_IN_FLIGHT: Final = 3
"""Chunks under way at once: one for each stage of the paper's pipeline."""

ChunkWatcher = Callable[[ChunkJob], None]
"""Is told of every chunk as it begins, with all that the chunk is told, withdrawn later or not; must be quick."""


class LiveSession:
    """Made by `open_session` and `restore_session`."""

    def __init__(
        self,
        conductor: Conductor,
        stages: SessionStages,
        identity: Mapping[str, str],
        opened_s: float | None = None,
        on_chunk: ChunkWatcher | None = None,
    ) -> None:
        """`identity` says what a snapshot belongs to; `opened_s` is when opening began, for the time to the first frame."""
        self.identity = MappingProxyType(dict(identity))
        self.trace = Trace()
        self._conductor, self._stages = conductor, stages
        self._conductor.figures.opened_s = time.perf_counter() if opened_s is None else opened_s
        self._changed = threading.Condition(threading.RLock())
        self._is_closed = self._is_draining = False
        self._failure: BaseException | None = None
        split = conductor.config.split
        workers = PIPELINE_WORKERS if split == "pipeline" else ONE_WORKER
        steps = chunk_steps(stages, conductor.layout.chunk_latents)
        self._runner = StageRunner(steps, workers, stages.device, self.trace)
        self._caller_tasks: list[Task] = []
        self._on_chunk = on_chunk
        self._pipeline: Pipeline | None = None
        self._thread: threading.Thread | None = None
        self._most_in_flight = 1 if split == "one worker" else MOST_IN_FLIGHT
        if split != "caller":
            threads_each = 1 if split == "pipeline" else torch.get_num_threads()
            events = PipelineEvents(
                is_stale=lambda task: self._conductor.is_stale(task.payload.job),
                stepped=self._stepped,
                done=self._done,
                dropped=self._dropped,
                failed=self._failed,
            )
            self._pipeline = Pipeline(self._runner, events, 2 * self._most_in_flight, threads_each)
            self._thread = threading.Thread(target=self._conduct, name="live conductor", daemon=True)
            self._thread.start()

    # ------------------------------------------------------------------ in

    def push_listen(self, packet_S: NDArray[np.float32], rate_hz: int = SOUND_RATE_HZ) -> None:
        """Sound that the character hears: one channel of floats, any size and rate. `BadInputError` for anything else."""
        with self._changed:
            self._check_open()
            self._push(self._conductor.listen, packet_S, rate_hz)

    def push_speak(self, packet_S: NDArray[np.float32], rate_hz: int = SOUND_RATE_HZ) -> None:
        """Sound that the character says; it comes back with the frames that say it."""
        with self._changed:
            self._check_open()
            self._push(self._conductor.speak, packet_S, rate_hz)

    def end_speak(self) -> None:
        """What was pushed is all of an utterance: let out the last samples that a resampler holds back."""
        with self._changed:
            self._check_open()
            self._conductor.speak.end_of_stream()

    def set_prompt(self, text: str, withdraw: bool = False) -> None:
        """A direction in words from the next chunk on; empty leaves the character to itself.

        Of one that asks for several things in turn ("looks left, then nods") each holds for two and a half seconds, and the last
        until another comes (`engine.turns`).

        With `withdraw` what was made ahead is taken back, so that the direction acts as soon as it can; nothing is where it is the
        direction that holds already.
        """
        direction = checked_direction(text)
        with self._changed:
            self._check_open()
            if direction == self._conductor.direction.text:
                return
            self._conductor.direct(direction)
            self._conductor.figures.prompt_set(time.perf_counter())
            if withdraw:
                self._conductor.withdraw(self._conductor.answer_frames)
            self._changed.notify_all()

    def interrupt(self, withdraw: bool = True) -> int:
        """The character stops speaking: its sound at once, its mouth as soon as the next chunk can be made.

        What was made ahead is taken back, but for the frames that play meanwhile, as far as they are ready, so that the picture
        neither freezes nor jumps; without `withdraw` it plays to its end first. Returns how many frames were taken back: none
        where the character has nothing left to say, since they would be made again as they are.
        """
        with self._changed:
            self._check_open()
            is_cut = self._conductor.stop_speaking()
            num_withdrawn = self._conductor.withdraw(self._conductor.answer_frames) if withdraw and is_cut else 0
            self._changed.notify_all()
            return num_withdrawn

    def pause(self) -> None:
        """The clock stands still: nothing is pulled, no new chunk begins. What is under way is finished and waits."""
        with self._changed:
            self._check_open()
            self._conductor.is_paused = True
            self._changed.notify_all()

    def resume(self) -> None:
        """The clock goes on where it stood."""
        with self._changed:
            self._check_open()
            self._conductor.is_paused = False
            self._changed.notify_all()

    # ------------------------------------------------------------------ out

    def pull(self, timeout_s: float | None = None) -> LiveFrame | None:
        """The next frame, as soon as it is ready; None after `timeout_s` or while paused."""
        deadline_s = None if timeout_s is None else time.perf_counter() + timeout_s
        with self._changed:
            self._conductor.is_paced = False
            while True:
                self._check_open()
                if self._conductor.is_paused:
                    return None
                frame = self._conductor.take_frame(time.perf_counter())
                if frame is not None:
                    self._changed.notify_all()
                    return frame
                if self._pipeline is None:
                    if not self._advance_caller_task():
                        if not self._may_begin():
                            return None
                        self._caller_tasks.append(self._begin())
                    continue
                remaining_s = None if deadline_s is None else deadline_s - time.perf_counter()
                if remaining_s is not None and remaining_s <= 0:
                    return None
                self._changed.wait(remaining_s)

    def pull_now(self) -> LiveFrame | None:
        """The frame whose time has come, at once: where its picture is not ready, the one before, marked as a repeat.

        To be called 24 times a second. None while paused.
        """
        with self._changed:
            self._check_open()
            self._conductor.is_paced = True
            if self._conductor.is_paused:
                return None
            now_s = time.perf_counter()
            frame = self._conductor.take_frame(now_s) or self._conductor.repeat_frame(now_s)
            self._changed.notify_all()
            return frame

    @property
    def state(self) -> LiveState:
        """What the character is doing in the chunk that was begun last."""
        with self._changed:
            return self._conductor.activity.state

    @property
    def chunk_frames(self) -> int:
        """Frames that a chunk adds."""
        return self._conductor.layout.chunk_frames

    @property
    def ahead_frames(self) -> int:
        """Frames that are ready or being made and not yet shown."""
        with self._changed:
            return self._conductor.ahead_frames

    @property
    def clock_frames(self) -> int:
        """Frames shown so far: the index of the next one."""
        with self._changed:
            return self._conductor.clock

    def report(self) -> SessionReport:
        """Figures so far."""
        with self._changed:
            conductor, figures = self._conductor, self._conductor.figures
            made_s = max(figures.made_s, 1e-9)
            return SessionReport(
                shown_frames=figures.shown_frames,
                repeated_frames=figures.repeated_frames,
                dropped_frames=figures.dropped_frames,
                withdrawn_frames=figures.withdrawn_frames,
                num_chunks=figures.num_chunks,
                real_time_factor=figures.busiest_s / made_s,
                work_s_per_s=sum(figures.stages_s.values()) / made_s,
                stages_s=dict(figures.stages_s),
                cpu_stages_s=dict(figures.cpu_stages_s),
                chunk_ms_p50=1e3 * percentile(figures.chunk_latencies_s, 0.5),
                chunk_ms_p95=1e3 * percentile(figures.chunk_latencies_s, 0.95),
                first_frame_s=float("nan") if figures.first_frame_s is None else figures.first_frame_s,
                reaction_p50_s=percentile(figures.reactions_s, 0.5),
                reaction_p95_s=percentile(figures.reactions_s, 0.95),
                skipped_listen_s=figures.skipped_listen_samples / SOUND_RATE_HZ,
                lookahead_frames=conductor.lookahead.target_frames,
                most_ahead_frames=conductor.most_ahead_frames,
                cache_bytes=self._stages.generator.cache_bytes,
                generator=type(self._stages.generator).__name__,
                pace=conductor.pace.name,
                paces=tuple(conductor.pace.history),
            )

    def chunk_reports(self) -> tuple[ChunkReport, ...]:
        """The last few hundred chunks, in order."""
        with self._changed:
            return tuple(self._conductor.figures.chunks)

    # ------------------------------------------------------------------ for ever and back

    def snapshot(self, folder: Path) -> None:
        """Write everything that the session is into a new folder; `restore_session` goes on from there to the same frames.

        Chunks under way are finished first. Sound at another rate than 24 kHz is resampled anew from here on.
        """
        from engine.online.snapshots import write_snapshot

        with self._changed:
            self._check_open()
            self._is_draining = True
            try:
                while self._conductor.in_flight:
                    self._check_open()
                    if self._pipeline is None:
                        self._advance_caller_task()
                    else:
                        self._changed.wait(1.0)
                write_snapshot(folder, self._conductor, self._stages, self.identity)
            finally:
                self._is_draining = False
                self._changed.notify_all()

    def work(self) -> bool:
        """Without threads (`split="caller"`): begin a chunk or do one stage of the oldest; whether there was anything to do."""
        with self._changed:
            self._check_open()
            if self._pipeline is not None:
                raise ValueError(
                    'this session has threads that do the work; open it with split="caller" to do it yourself'
                )
            if self._may_begin():
                self._caller_tasks.append(self._begin())
                return True
            return self._advance_caller_task()

    def close(self) -> None:
        """End the session's threads; nothing can be pushed or pulled any more. Closing twice does no harm."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None and self._pipeline is not None:
            self._thread.join()
            self._pipeline.close()

    def __enter__(self) -> Self:
        """The session itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    # ------------------------------------------------------------------ inside

    @property
    def _turn_samples(self) -> int:
        """As much speech waits for its chunk at most when it is spoken live; behind more it waits for other words."""
        return 2 * self.chunk_frames * SAMPLES_PER_FRAME

    def _push(self, track: SoundTrack, packet_S: NDArray[np.float32], rate_hz: int) -> None:
        frame = max(track.end_frame, track.taken_frames)
        has_its_turn = track is self._conductor.listen or track.waiting_samples <= self._turn_samples
        if track.push(packet_S, rate_hz) and has_its_turn:
            self._conductor.figures.sound_pushed(frame, time.perf_counter())

    def _conduct(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._may_begin())
                if self._is_closed:
                    return
                assert self._pipeline is not None
                try:
                    self._pipeline.submit(self._begin())
                except Exception as error:  # whoever pulls must hear of it: this thread has nobody to tell
                    self._failure = error
                    self._changed.notify_all()

    def _may_begin(self) -> bool:
        is_able = self._failure is None and not self._is_draining
        return is_able and self._conductor.wants_chunk(self._most_in_flight)

    def _begin(self) -> Task:
        job = self._conductor.begin_chunk(time.perf_counter())
        if self._on_chunk is not None:
            self._on_chunk(job)
        return Task(number=job.number, payload=ChunkWork(job=job))

    def _advance_caller_task(self) -> bool:
        if not self._caller_tasks:
            return False
        task = self._caller_tasks[0]
        if self._conductor.is_stale(task.payload.job):
            del self._caller_tasks[0]
            self._dropped(task)
            return True
        self._runner.run_step(task)
        if self._runner.is_done(task):
            del self._caller_tasks[0]
            self._done(task)
        else:
            self._stepped(task)
        return True

    def _stepped(self, task: Task) -> None:
        work: ChunkWork = task.payload
        pictures_THWC, work.pictures_THWC = work.pictures_THWC, None
        if pictures_THWC is None:
            return
        with self._changed:
            alone_s = sum(task.stages_s.values())
            self._conductor.add_pictures(work.job, work.num_decoded - 1, pictures_THWC, alone_s, time.perf_counter())
            self._changed.notify_all()

    def _done(self, task: Task) -> None:
        with self._changed:
            self._stepped(task)
            work: ChunkWork = task.payload
            busiest_s = max(task.busy_s.values())
            costs = ChunkCosts(stages_s=task.stages_s, cpu_stages_s=task.cpu_s, busiest_s=busiest_s)
            self._conductor.finish_chunk(work.job, costs, time.perf_counter())
            self._changed.notify_all()

    def _dropped(self, task: Task) -> None:
        with self._changed:
            self._conductor.drop_chunk(task.payload.job)
            self._changed.notify_all()

    def _failed(self, task: Task, error: BaseException) -> None:
        with self._changed:
            self._failure = error
            self._conductor.drop_chunk(task.payload.job)
            self._changed.notify_all()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("the session is closed")
        if self._failure is not None:
            if isinstance(self._failure, LpmError):
                raise self._failure
            raise RuntimeError(f"a stage of the session failed: {self._failure}") from self._failure
