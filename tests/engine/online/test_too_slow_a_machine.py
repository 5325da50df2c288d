"""Machines of every speed, in time that is only counted: what is given up, in which order, and that sound and pictures stay together."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from engine.online.conductor import ChunkJob, Conductor, ConductorLayout
from engine.online.live import ChunkCosts, LiveConfig, LiveFrame
from engine.online.lookahead import LookaheadConfig, WaitedFor
from engine.online.pace import FULL, MORE_LOOKAHEAD, REPEATS, SOFTER
from engine.online.session import MOST_IN_FLIGHT
from engine.online.stages import SoundReach

EFFORTS = ("whole", "refiner at half resolution")
REACH = SoundReach(before_frames=4, after_frames=0)
PORTRAIT = np.zeros((1, 1, 3), np.uint8)
LAYOUT = ConductorLayout(
    chunk_latents=3, frames_per_latent=4, speak_reach=REACH, listen_reach=REACH, slack_latents=30, efforts=EFFORTS
)
VOICE = 0.1 + np.arange(24_000 * 90, dtype=np.float32)

StagesS = Callable[[int, float], tuple[float, ...]]
"""Seconds that a chunk keeps each of the workers busy, by its effort and the time."""


@dataclass(kw_only=True, repr=False)
class Machine:
    """A session's rules, workers that are busy for as long as they are told, and a player who takes a frame each 1/24 s."""

    stages_s: StagesS
    withdraw_at_s: float = float("inf")
    margin_frames: int = 3
    shown: list[LiveFrame] = field(default_factory=list)
    jobs: list[ChunkJob] = field(default_factory=list)
    most_ready: int = 0

    def __post_init__(self) -> None:
        lookahead = LookaheadConfig(margin_frames=self.margin_frames)
        self.conductor = Conductor(LiveConfig(prompt="talks", lookahead=lookahead), LAYOUT, PORTRAIT)
        self.conductor.is_paced = True
        self.conductor.speak.push(VOICE)
        self._free_s: dict[int, float] = defaultdict(float)
        self._under_way: list[tuple[float, int, int, float, float]] = []

    def play(self, seconds: float) -> "Machine":
        self._begin(0.0)
        now_s = next_tick_s = self._under_way[0][0]
        while len(self.shown) < 24 * seconds:
            if self._under_way and self._under_way[0][0] <= next_tick_s:
                now_s, number, latent, busy_s, alone_s = heapq.heappop(self._under_way)
                costs = ChunkCosts(stages_s={"all": busy_s}, cpu_stages_s={"all": busy_s}, busiest_s=busy_s)
                pictures = np.full((LAYOUT.frames_per_latent, 1, 1, 3), number % 256, np.uint8)
                self.conductor.add_pictures(self.jobs[number], latent, pictures, alone_s, now_s)
                if latent == LAYOUT.chunk_latents - 1:
                    self.conductor.finish_chunk(self.jobs[number], costs, now_s)
            else:
                now_s, next_tick_s = next_tick_s, next_tick_s + 1 / 24
                self.shown.append(self.conductor.take_frame(now_s) or self.conductor.repeat_frame(now_s))
                if now_s >= self.withdraw_at_s:
                    self.withdraw_at_s = float("inf")
                    self.waited_frames = (self.conductor.answer_frames, self.conductor.work_frames)
                    self.withdrawn = (self.conductor.clock, self.conductor.num_chunks)
                    self.conductor.withdraw(self.conductor.answer_frames)
                    for worker, free_s in self._free_s.items():  # which end their step, and lay the rest down
                        self._free_s[worker] = min(free_s, now_s + 0.03)
            self.most_ready = max(self.most_ready, len(self.conductor.ready))
            self._begin(now_s)
        return self

    def _begin(self, now_s: float) -> None:
        while self.conductor.wants_chunk(MOST_IN_FLIGHT):
            job = self.conductor.begin_chunk(now_s)
            self.jobs.append(job)
            at_s, stages_s = now_s, self.stages_s(job.told.effort, now_s)
            for worker, busy_s in enumerate(stages_s):
                at_s = self._free_s[worker] = max(at_s, self._free_s[worker]) + busy_s
            for latent in range(LAYOUT.chunk_latents):  # decoded one after another
                earlier_s = stages_s[-1] * (LAYOUT.chunk_latents - 1 - latent) / LAYOUT.chunk_latents
                heapq.heappush(
                    self._under_way, (at_s - earlier_s, job.number, latent, max(stages_s), sum(stages_s) - earlier_s)
                )

    def share_of_repeats(self, last_s: int) -> float:
        return float(np.mean([frame.is_repeat for frame in self.shown[-24 * last_s :]]))

    @property
    def paces(self) -> list[str]:
        return [line.split(": ")[1] for line in self.conductor.pace.history]


def test_sound_and_pictures_stay_together_and_nothing_piles_up_however_slow_it_is() -> None:
    for slowness in (0.5, 1.1, 2.0, 6.0):
        machine = Machine(stages_s=lambda effort, now_s, slow=slowness: (0.5 * slow, 0.4 * slow, 0.2 * slow)).play(30)  # type: ignore[misc]
        assert [frame.index for frame in machine.shown] == list(range(24 * 30))
        heard_S = np.concatenate([frame.speak_S for frame in machine.shown])
        assert np.array_equal(heard_S, VOICE[: len(heard_S)])
        for frame in machine.shown:
            if not frame.is_repeat:
                job = machine.jobs[frame.chunk]
                assert job.first_frame <= frame.index < job.first_frame + job.num_frames
                assert np.array_equal(job.told.speak_S[4000:], VOICE[1000 * job.first_frame :][: 1000 * job.num_frames])
        assert machine.most_ready <= machine.conductor.most_ahead_frames
        assert machine.conductor.in_flight <= MOST_IN_FLIGHT


def test_a_machine_that_keeps_up_gives_up_nothing() -> None:
    machine = Machine(stages_s=lambda effort, now_s: (0.2, 0.2, 0.15)).play(30)
    assert machine.paces == []
    assert machine.share_of_repeats(29) == 0.0  # of the first second a frame may be missing: nothing was measured yet
    assert {job.told.effort for job in machine.jobs} == {0}


def test_one_that_keeps_up_with_less_work_does_less_work_and_says_no_more_than_that() -> None:
    machine = Machine(stages_s=lambda effort, now_s: (0.3, 0.3 if effort else 0.65, 0.15)).play(60)
    assert list(dict.fromkeys(machine.paces))[:2] == [MORE_LOOKAHEAD, EFFORTS[1]]
    assert machine.conductor.pace.name == EFFORTS[1], "no frame is repeated any more, so it must not say so"
    assert machine.share_of_repeats(30) == 0.0
    efforts = [job.told.effort for job in machine.jobs]
    assert efforts == sorted(efforts)


@pytest.mark.parametrize("stages_s", [(0.75, 0.7, 0.4), (0.2, 0.2, 0.75)])
def test_one_that_cannot_keep_up_at_all_shows_nearly_all_that_it_can_make(stages_s: tuple[float, ...]) -> None:
    machine = Machine(stages_s=lambda effort, now_s: stages_s).play(60)
    assert machine.paces == [MORE_LOOKAHEAD, EFFORTS[1], REPEATS]
    assert 1 - machine.share_of_repeats(30) > 0.9 * 0.5 / 0.75
    runs = [
        len(list(run)) for is_repeat, run in itertools.groupby(machine.shown[-480:], lambda f: f.is_repeat) if is_repeat
    ]
    assert max(runs) <= 12, "a frame stands still for at most half a second"


@pytest.mark.parametrize("slow_until_s", [8.0])
def test_what_was_given_up_comes_back(slow_until_s: float) -> None:
    machine = Machine(stages_s=lambda effort, now_s: (0.7, 0.7, 0.1) if now_s < slow_until_s else (0.2, 0.2, 0.1)).play(
        80
    )
    assert EFFORTS[1] in machine.paces
    assert machine.paces[-1] == FULL
    assert machine.jobs[-1].told.effort == 0
    assert machine.share_of_repeats(30) == 0.0


def test_who_stalled_once_answers_soon_again_though_he_is_busy() -> None:
    """Working further ahead costs no chunk anything: it takes a steady machine to give it up, not an idle one."""
    hiccups = itertools.cycle([0.37] * 7 + [0.48])
    machine = Machine(stages_s=lambda effort, now_s: (next(hiccups) if not 5 < now_s < 8 else 0.6, 0.3, 0.1))
    machine.play(60)
    assert machine.paces == [MORE_LOOKAHEAD, FULL]
    assert machine.share_of_repeats(40) == 0.0


def test_a_level_is_judged_by_the_chunks_that_were_begun_under_it() -> None:
    """Three are under way when less work is chosen; their lateness says nothing of the choice."""
    machine = Machine(stages_s=lambda effort, now_s: (0.3, 0.1 if effort else 0.9, 0.15)).play(40)
    changes = [int(line.split(":")[0].removeprefix("frame ")) for line in machine.conductor.pace.history]
    for earlier, later in itertools.pairwise(changes):
        begun = [job for job in machine.jobs if earlier < job.first_frame <= later]
        assert len(begun) >= MOST_IN_FLIGHT + 2


@pytest.mark.parametrize("margin_frames", [3, 12])
def test_an_answer_waits_for_no_queue_and_what_follows_it_leaves_no_hole(margin_frames: int) -> None:
    """Chunks wait for each other here, more so the further ahead they are begun; an answer does not, nor does playback for the next."""
    for at_s in np.arange(10.0, 11.0, 0.11):
        machine = Machine(
            stages_s=lambda effort, now_s: (0.3, 0.05, 0.1), withdraw_at_s=float(at_s), margin_frames=margin_frames
        )
        machine.play(20)
        clock, number = machine.withdrawn
        answer_frames, work_frames = machine.waited_frames
        answer, following = machine.jobs[number : number + 2]
        assert answer_frames <= work_frames
        assert 0 <= answer.first_frame - clock - answer_frames < LAYOUT.frames_per_latent, (
            "a latent that is begun stays whole"
        )
        assert following.first_frame == answer.first_frame + answer.num_frames
        assert machine.conductor.stale_in_flight == 0
        assert machine.share_of_repeats(5) == 0.0


def test_nothing_behind_an_answer_is_skipped_for_the_sake_of_queues_that_are_empty() -> None:
    conductor = Machine(stages_s=lambda effort, now_s: (0.2, 0.2, 0.1)).play(5).conductor
    for _ in range(16):
        conductor.lookahead.observe(WaitedFor(work_s=1.4, alone_s=0.3))
    assert conductor.work_frames > conductor.answer_frames + LAYOUT.chunk_frames
    conductor.withdraw(conductor.answer_frames)
    answer, following = conductor.begin_chunk(5.0), conductor.begin_chunk(5.0)
    assert following.first_frame == answer.first_frame + answer.num_frames


def test_a_machine_that_is_late_with_its_answer_is_waited_for_as_long_as_it_takes() -> None:
    machine = Machine(
        stages_s=lambda effort, now_s: (0.3, 0.3, 0.1) if now_s < 10 else (0.4, 0.4, 0.1), withdraw_at_s=10.0
    )
    machine.play(20)
    assert machine.conductor.figures.dropped_frames > 0
    assert not machine.conductor._is_answering
    assert machine.share_of_repeats(5) == 0.0


def test_pictures_lose_their_details_before_the_generator_does_less() -> None:
    """And a chunk says what it cost."""
    layout = replace(LAYOUT, can_be_softer=True)
    assert layout.levels == ("whole", SOFTER, "refiner at half resolution")
    assert LAYOUT.levels == EFFORTS
    conductor = Conductor(LiveConfig(), layout, PORTRAIT)
    assert conductor.pace.levels == (FULL, MORE_LOOKAHEAD, SOFTER, "refiner at half resolution", REPEATS)
    costs = ChunkCosts(stages_s={}, cpu_stages_s={}, busiest_s=0.1)
    found = []
    for level in range(len(conductor.pace.levels)):
        conductor.pace.level = level
        job = conductor.begin_chunk(0.0)
        pictures = np.zeros((layout.frames_per_latent, 1, 1, 3), np.uint8)
        for latent in range(layout.chunk_latents):
            conductor.add_pictures(job, latent, pictures, 0.1, 0.1)
        conductor.pace.level = 0
        conductor.finish_chunk(job, costs, 0.1)
        found.append((job.told.is_soft, job.told.effort, conductor.figures.chunks[-1].effort))
    whole, soft, least = layout.levels
    assert found == [(False, 0, whole), (False, 0, whole), (True, 0, soft), (True, 1, least), (True, 1, least)]


def test_the_lighter_setting_is_without_details_too() -> None:
    for can_be_softer in (False, True):
        conductor = Conductor(LiveConfig(effort=1), replace(LAYOUT, can_be_softer=can_be_softer), PORTRAIT)
        told = conductor.begin_chunk(0.0).told
        assert (told.effort, told.is_soft) == (1, can_be_softer)
