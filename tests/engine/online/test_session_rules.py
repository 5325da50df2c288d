"""The pure rules of a session: states of Figure 7, how far to work ahead, what to give up when the machine is too slow."""

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.online.figures import percentile
from engine.online.lookahead import Lookahead, LookaheadConfig, WaitedFor
from engine.online.pace import FULL, MORE_LOOKAHEAD, REPEATS, Pace
from engine.online.states import HANGOVER_FRAMES, Activity, ChunkReady, Interrupted, LiveState, SoundHeard, after

SILENT, VOICE = np.zeros(12_000, np.float32), np.full(12_000, 0.1, np.float32)


def heard(
    activity: Activity, speak_S: NDArray[np.float32] = SILENT, listen_S: NDArray[np.float32] = SILENT
) -> Activity:
    return after(activity, SoundHeard(speak_S=speak_S, listen_S=listen_S))


def test_the_states_follow_from_what_is_heard() -> None:
    cold = Activity()
    assert heard(cold, speak_S=VOICE).state is LiveState.WARM_UP
    idle = after(cold, ChunkReady())
    assert idle.state is LiveState.IDLE
    listening = heard(idle, listen_S=VOICE)
    assert listening.state is LiveState.LISTENING
    both = heard(listening, speak_S=VOICE, listen_S=VOICE)
    assert both.state is LiveState.RESPONDING
    assert after(both, Interrupted()).state is LiveState.LISTENING
    assert heard(heard(both)).state is LiveState.IDLE


def test_pauses_belong_to_speech_and_breath_is_no_voice() -> None:
    idle = after(Activity(), ChunkReady())
    pausing = heard(heard(idle, listen_S=VOICE))
    assert 12 < HANGOVER_FRAMES <= 24
    assert pausing.state is LiveState.LISTENING
    assert heard(pausing).state is LiveState.IDLE
    assert heard(idle, listen_S=0.02 * VOICE).state is LiveState.IDLE
    last_frame_only = SILENT.copy()
    last_frame_only[-1000:] = 0.1
    assert heard(idle, listen_S=last_frame_only).state is LiveState.LISTENING


def test_lookahead_is_what_a_chunk_takes_and_a_little_more_within_its_bounds() -> None:
    lookahead = Lookahead(LookaheadConfig(least_frames=2, most_frames=30, margin_frames=3, safety=1.25))
    assert (lookahead.work_frames, lookahead.target_frames) == (0, 3)
    for _ in range(10):
        lookahead.observe(WaitedFor(work_s=0.25, alone_s=0.2))
    assert (lookahead.work_frames, lookahead.target_frames) == (6, 11)
    lookahead.observe(WaitedFor(work_s=3.0, alone_s=0.2))  # once is a hiccup
    assert lookahead.target_frames == 11
    lookahead.observe(WaitedFor(work_s=3.0, alone_s=0.2))  # twice is the machine
    assert lookahead.target_frames == 30
    for _ in range(16):
        lookahead.observe(WaitedFor(work_s=0.01, alone_s=0.01))
    assert lookahead.target_frames == 5
    assert lookahead.answer_frames == 1, "never more than is waited for anyway"
    for _ in range(4):
        lookahead.observe(WaitedFor(work_s=0.4, alone_s=0.3))
        lookahead.observe(WaitedFor(work_s=0.4, alone_s=0.2))
    assert (lookahead.work_frames, lookahead.answer_frames) == (10, 2)
    for _ in range(8):
        lookahead.observe(WaitedFor(work_s=0.4, alone_s=0.3))
        lookahead.observe(WaitedFor(work_s=0.4, alone_s=0.2))
    assert lookahead.answer_frames == 6, "as the quickest of the last chunks, and a frame to lay other work down"
    with pytest.raises(ValueError, match="no range"):
        LookaheadConfig(least_frames=5, most_frames=4)


def test_too_slow_a_machine_gives_up_in_order_and_takes_back_when_it_can() -> None:
    pace = Pace(("whole", "cheaper"))
    assert pace.levels == (FULL, MORE_LOOKAHEAD, "cheaper", REPEATS)
    seen = []
    for frame in range(12):
        pace.observe(1.4, was_late=True, frame=frame)
        seen.append((pace.name, pace.effort, pace.has_more_lookahead))
    assert list(dict.fromkeys(seen)) == [
        (FULL, 0, False),
        (MORE_LOOKAHEAD, 0, True),
        ("cheaper", 1, True),
        (REPEATS, 1, True),
    ]
    assert [line.split(": ")[1] for line in pace.history] == [MORE_LOOKAHEAD, "cheaper", REPEATS]
    for frame in range(100):
        pace.observe(0.3, was_late=False, frame=frame)
    assert pace.name == FULL


def test_one_late_chunk_or_a_busy_but_sufficient_machine_changes_nothing() -> None:
    pace = Pace(("whole",))
    for frame in range(60):
        pace.observe(0.85, was_late=frame % 5 == 0, frame=frame)
    assert pace.name == FULL
    assert pace.levels == (FULL, MORE_LOOKAHEAD, REPEATS)


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(map(float, range(100))), 0.95) == 95.0
    assert np.isnan(percentile([], 0.5))
