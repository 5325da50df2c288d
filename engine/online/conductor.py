"""The rules of a live session: when a chunk begins, what it is told, which frame is due, and what an interruption takes back.

Everything that time, sound and the person change is here, in plain values; models and threads are elsewhere. Not safe from
several threads by itself: the session holds its lock around every call.

The clock counts frames that were shown. Frame, sound and clock are one number line: frame f has sound samples [1000 f, 1000 f + 1000).
Latents have a number line of their own, without holes; a chunk ties the two together where it begins.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.online.audio_window import SoundTrack
from engine.online.direction_in_force import DirectionInForce
from engine.online.figures import SessionFigures
from engine.online.live import ChunkCosts, ChunkReport, LiveConfig, LiveFrame, suggested_text
from engine.online.lookahead import Lookahead, WaitedFor
from engine.online.pace import SOFTER, Pace
from engine.online.stages import ChunkTold, SoundReach
from engine.online.states import VOICE_LEVEL, Activity, ChunkReady, Interrupted, LiveState, SoundHeard, after
from engine.shapes import FRAME_RATE_HZ
from engine.turns import PartsOf, as_it_is


@dataclass(frozen=True, kw_only=True)
class ChunkJob:
    """A chunk being made. `epoch` is that of its beginning: an interruption makes all jobs of earlier epochs worthless.

    is_answer: playback waits for it, since what was made ahead was taken back for its sake; all other work can wait.
    """

    number: int
    epoch: int
    first_latent: int
    first_frame: int
    num_frames: int
    told: ChunkTold
    state: LiveState
    began_s: float
    is_answer: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadyFrame:
    """A picture that waits for its time."""

    index: int
    latent: int
    chunk: int
    state: LiveState
    picture_HWC: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ConductorLayout:
    """What the rules must know of the models. `efforts` are the generator's; `can_be_softer` says whether pictures can be had without their
    details first, before the generator does less."""

    chunk_latents: int
    frames_per_latent: int
    speak_reach: SoundReach
    listen_reach: SoundReach
    slack_latents: int
    efforts: tuple[str, ...]
    can_be_softer: bool = False
    parts_of: PartsOf = as_it_is

    @property
    def levels(self) -> tuple[str, ...]:
        """All that a chunk may cost, from the whole work to the least."""
        return (self.efforts[0], SOFTER, *self.efforts[1:]) if self.can_be_softer else self.efforts

    @property
    def chunk_frames(self) -> int:
        """Frames that a chunk adds."""
        return self.chunk_latents * self.frames_per_latent


class Conductor:
    """One session's rules and plain state."""

    def __init__(self, config: LiveConfig, layout: ConductorLayout, portrait_HWC: NDArray[np.uint8]) -> None:
        """`portrait_HWC` is shown where nothing was ever ready."""
        self.config, self.layout = config, layout
        self.direct(config.prompt)
        self.clock = 0
        self.epoch = 0
        self.next_latent = self.next_frame = self.num_chunks = 0
        self.is_paused = False
        self.activity = Activity()
        self.ready: deque[ReadyFrame] = deque()
        self.in_flight = self.stale_in_flight = 0
        self.lookahead, self.pace, self.figures = Lookahead(config.lookahead), Pace(layout.levels), SessionFigures()
        reaches = (layout.speak_reach, layout.listen_reach)
        kept_frames = layout.slack_latents * layout.frames_per_latent + layout.chunk_frames
        self.speak, self.listen = (
            SoundTrack(reach.before_frames + kept_frames, config.most_waiting_s) for reach in reaches
        )
        self.last_shown: ReadyFrame | None = None
        self.last_latent = -1  # the last whose time has come, shown or too late: what is behind it can be taken back
        self.is_paced = False
        self.portrait_HWC = portrait_HWC
        self._late_in_chunk = self._repeats_since_chunk = 0
        self._waited_for = WaitedFor(work_s=0.0, alone_s=0.0)
        self._awaited: ChunkJob | None = None  # the answer whose first pictures are not there yet
        self._is_answer_next = False  # what was made ahead was taken back
        self._is_answering = False  # and playback has no lead of its own again yet
        self._first_under_pace = 0  # the first chunk that was begun under the present pace

    @property
    def work_frames(self) -> int:
        """Frames that play until a chunk's pictures come; none where pulling waits for them."""
        return self.lookahead.work_frames if self.is_paced else 0

    @property
    def answer_frames(self) -> int:
        """The same for a chunk that is waited for, other work being laid down."""
        return self.lookahead.answer_frames if self.is_paced else 0

    @property
    def ahead_frames(self) -> int:
        """Frames that are ready or being made and not yet shown."""
        return self.next_frame - self.clock

    @property
    def most_ahead_frames(self) -> int:
        """More is never ahead: the bound of all queues together."""
        return self.config.lookahead.most_frames + self.layout.chunk_frames

    @property
    def pictures_ahead(self) -> int:
        """The same without the holes that a machine leaves which is too slow: these cost nothing and can be filled by nobody."""
        num_latents = self.next_latent - self.last_latent  # with the one that is being shown
        return min(self.ahead_frames, num_latents * self.layout.frames_per_latent)

    def direct(self, text: str) -> None:
        """A direction that acts from the next chunk on; empty is none."""
        self.direction = DirectionInForce(text=text, parts=self.layout.parts_of(text))

    def wants_chunk(self, most_in_flight: int) -> bool:
        """Whether the next chunk should begin now: while an answer is waited for, none does.

        Withdrawn ones are soon gone and do not count, unless they pile up.
        """
        most = self.config.lookahead.most_frames if self.pace.has_more_lookahead else self.lookahead.target_frames
        if not self.activity.is_warm:
            # The second begins beside the first: playback, which the first opens, would outrun it.
            most = max(most, min(self.layout.chunk_frames, self.config.lookahead.most_frames))
        has_room = self.in_flight - self.stale_in_flight < most_in_flight and self.in_flight < 2 * most_in_flight
        is_free = not self.is_paused and self._awaited is None
        return is_free and has_room and self.pictures_ahead <= most

    def begin_chunk(self, now_s: float) -> ChunkJob:
        """Freeze the conditions of the next chunk; what comes later waits for the one after (paper 5.3, boundary-aligned)."""
        layout = self.layout
        # Where playback has caught up, the chunk begins where it will be when the chunk is ready.
        self._is_answering = self._is_answering and self.next_frame < self.clock + self.work_frames
        work_frames = self.answer_frames if self._is_answering else self.work_frames
        self.next_frame = max(self.next_frame, self.clock + work_frames)
        first_frame, end_frame = self.next_frame, self.next_frame + layout.chunk_frames
        if self.config.listen_lag_s is not None:
            chunk_samples, lag_samples = layout.chunk_frames * 1000, round(self.config.listen_lag_s * 24_000)
            self.listen.drop_quiet_waiting(chunk_samples, VOICE_LEVEL)
            self.figures.skipped_listen_samples += self.listen.drop_oldest_waiting(chunk_samples + lag_samples)
        self.speak.take(end_frame, self.clock)
        self.listen.take(end_frame, self.clock)
        if self.num_chunks:  # playback comes to this one by way of the pictures of the first
            self.activity = after(self.activity, ChunkReady())
            heard = SoundHeard(
                speak_S=self.speak.between(first_frame, end_frame), listen_S=self.listen.between(first_frame, end_frame)
            )
            self.activity = after(self.activity, heard)
        level = self._level()
        job = ChunkJob(
            number=self.num_chunks,
            epoch=self.epoch,
            first_latent=self.next_latent,
            first_frame=first_frame,
            num_frames=layout.chunk_frames,
            told=ChunkTold(
                num_latents=layout.chunk_latents,
                text=self.direction.told_from(first_frame)
                or suggested_text(self.config, self.activity.state, first_frame),
                speak_S=_around(self.speak, first_frame, end_frame, layout.speak_reach),
                listen_S=_around(self.listen, first_frame, end_frame, layout.listen_reach),
                effort=max(level - 1, 0) if layout.can_be_softer else level,
                is_soft=layout.can_be_softer and level > 0,
            ),
            state=self.activity.state,
            began_s=now_s,
            is_answer=self._is_answer_next,
        )
        self._awaited, self._is_answer_next = job if job.is_answer else None, False
        self.num_chunks += 1
        self.in_flight += 1
        self.next_latent += layout.chunk_latents
        self.next_frame = end_frame
        self.figures.prompt_reaches(first_frame)
        return job

    def is_stale(self, job: ChunkJob) -> bool:
        """Whether a job was withdrawn; its results are worth nothing."""
        return job.epoch != self.epoch

    def drop_chunk(self, job: ChunkJob) -> None:
        """A job has left the pipeline, which now has room for another."""
        self.in_flight -= 1
        if self.is_stale(job):
            self.stale_in_flight -= 1
        elif self._awaited is job:
            self._awaited = None

    def add_pictures(
        self, job: ChunkJob, latent: int, pictures_THWC: NDArray[np.uint8], alone_s: float, now_s: float
    ) -> None:
        """The pictures of a job's latent, counted from 0, are there, after work of `alone_s`; nothing of a stale one is kept."""
        if self.is_stale(job):
            return
        if self._awaited is job:
            self._awaited = None
        first_frame, num_frames = job.first_frame + latent * self.layout.frames_per_latent, len(pictures_THWC)
        num_late = min(max(self.clock - first_frame, 0), num_frames)
        if num_late:
            self.last_latent = job.first_latent + latent
        for offset in range(num_late, num_frames):
            self.ready.append(
                ReadyFrame(
                    index=first_frame + offset,
                    latent=job.first_latent + latent,
                    chunk=job.number,
                    state=job.state,
                    picture_HWC=pictures_THWC[offset],
                )
            )
        self.figures.dropped_frames += num_late
        self._late_in_chunk += num_late
        if num_late:
            self._is_answering = False  # so quick it is not
        # What playback has to wait for a chunk, its latent that comes latest by its own time.
        played_s = latent * self.layout.frames_per_latent / FRAME_RATE_HZ
        waited = WaitedFor(work_s=now_s - job.began_s - played_s, alone_s=alone_s - played_s)
        self._waited_for = waited if latent == 0 else self._waited_for.or_longer(waited)
        if not self.activity.is_warm:
            self.activity = after(self.activity, ChunkReady())

    def finish_chunk(self, job: ChunkJob, costs: ChunkCosts, now_s: float) -> None:
        """All pictures of a job are there, or it is stale."""
        self.drop_chunk(job)
        if self.is_stale(job):
            return
        self.lookahead.observe(self._waited_for, job.is_answer)
        self._judge(job, costs, was_late=bool(self._late_in_chunk or self._repeats_since_chunk))
        self._late_in_chunk = self._repeats_since_chunk = 0
        report = ChunkReport(
            chunk=job.number,
            first_frame=job.first_frame,
            num_frames=job.num_frames,
            state=job.state,
            prompt=job.told.text,
            effort=self.layout.levels[job.told.effort + job.told.is_soft],
            latency_s=now_s - job.began_s,
            stages_s=costs.stages_s,
            cpu_stages_s=costs.cpu_stages_s,
        )
        self.figures.chunk_made(report, costs.busiest_s)

    def take_frame(self, now_s: float) -> LiveFrame | None:
        """The frame that is due, if it is ready; a hole that playback left is filled by a repeat. None while it is being made."""
        if not self.ready:
            return None
        if self.ready[0].index > self.clock:
            return self.repeat_frame(now_s)
        return self._show(self.ready.popleft(), is_repeat=False, now_s=now_s)

    def repeat_frame(self, now_s: float) -> LiveFrame:
        """The frame that is due although its picture is not there: the last one again, with its own sound."""
        self._repeats_since_chunk += 1
        frame = self.last_shown or ReadyFrame(
            index=-1, latent=-1, chunk=-1, state=self.activity.state, picture_HWC=self.portrait_HWC
        )
        return self._show(frame, is_repeat=True, now_s=now_s)

    def withdraw(self, bridge_frames: int) -> int:
        """Take back what was made ahead, but for what plays while the next chunk is made; how many frames were taken back.

        The latent that was shown last stays whole; the chunk grid is anchored anew behind it.
        """
        kept: list[ReadyFrame] = []
        last_latent, end_frame = self.last_latent, self.clock
        for frame in self.ready:
            if frame.index >= self.clock + bridge_frames and frame.latent != last_latent:
                break
            kept.append(frame)
            last_latent, end_frame = frame.latent, frame.index + 1
        num_withdrawn = self.next_frame - end_frame
        self.ready = deque(kept)
        self.epoch += 1
        self.stale_in_flight = self.in_flight
        self._late_in_chunk = self._repeats_since_chunk = 0
        self._awaited, self._is_answer_next, self._is_answering = None, True, True
        self.next_latent, self.next_frame = last_latent + 1, end_frame
        self.speak.give_back(end_frame)
        self.listen.give_back(end_frame)
        self.figures.withdrawn_frames += num_withdrawn
        return num_withdrawn

    def stop_speaking(self) -> bool:
        """No more of the character's own sound from the next shown frame on, neither what waits nor what is being made.

        Whether there was any; where there was none, nothing changes.
        """
        if not self.speak.cut(self.clock):
            return False
        self.activity = after(self.activity, Interrupted())
        return True

    def _show(self, frame: ReadyFrame, is_repeat: bool, now_s: float) -> LiveFrame:
        index = self.clock
        self.speak.take(index + 1, index)
        self.listen.take(index + 1, index)
        self.clock += 1
        if not is_repeat:
            self.last_shown, self.last_latent = frame, frame.latent
        shown = LiveFrame(
            index=index,
            picture_HWC=frame.picture_HWC,
            speak_S=self.speak.between(index, index + 1),
            listen_S=self.listen.between(index, index + 1),
            state=frame.state,
            chunk=frame.chunk,
            is_repeat=is_repeat,
        )
        self.next_frame = max(self.next_frame, self.clock)
        self.figures.frame_shown(index, is_repeat, now_s)
        return shown

    def _judge(self, job: ChunkJob, costs: ChunkCosts, was_late: bool) -> None:
        """Let the pace follow from a chunk that was begun under it; what was under way when it changed says nothing of it."""
        if not self.config.can_degrade or not self.is_paced or job.number < self._first_under_pace:
            return
        level = self.pace.level
        self.pace.observe(costs.busiest_s * FRAME_RATE_HZ / job.num_frames, was_late, frame=job.first_frame)
        if self.pace.level != level:
            self._first_under_pace = self.num_chunks

    def _level(self) -> int:
        """What was chosen from the start, or less where the machine cannot keep up: a place in `levels`."""
        chosen = min(self.config.effort, len(self.layout.efforts) - 1)
        if chosen and self.layout.can_be_softer:
            chosen += 1
        return max(chosen, self.pace.effort) if self.config.can_degrade else chosen


def _around(track: SoundTrack, first_frame: int, end_frame: int, reach: SoundReach) -> NDArray[np.float32]:
    return track.between(first_frame - reach.before_frames, end_frame + reach.after_frames)
