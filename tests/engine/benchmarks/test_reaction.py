"""Reactions against a twin and closing mouths. What is measured is known here; nothing depends on how fast this machine is."""

import time
import zlib
from dataclasses import replace

import numpy as np
import pytest

from engine.benchmarks.mouth_closing import Cut, CutPictures, closing_figures, cuts_of, join_figures
from engine.benchmarks.reaction import CALM_PROMPT, OTHER_PROMPT, Recording, Shown
from engine.benchmarks.twins import change_in, reactions_of
from engine.loaded_pack import LoadedPack, load_pack
from engine.online.live import STATE_PROMPTS, LiveConfig, LiveFrame
from engine.online.opening import open_session, session_stages
from engine.online.states import LiveState
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.small_pack import small_character

CONFIG = LiveConfig(split="caller", prompt=CALM_PROMPT, can_degrade=False)
VOICE_S = 0.3 * np.random.default_rng(0).standard_normal(24_000).astype(np.float32)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_online_pack(tmp_path_factory.mktemp("reaction") / "pack"))


def recorded(pack: LoadedPack, kind: str) -> tuple[Recording, int]:
    """Eight chunks of a session in which the change comes while the first frames are shown; and the first frame it can reach."""
    recording = Recording(kind=kind)
    with open_session(small_character(), pack, CONFIG, on_chunk=recording.jobs.append) as session:
        for number in range(8 * session.chunk_frames):
            if number == 5:
                reached = len(recording.jobs)
                recording.changes_s.append(time.perf_counter())
                if kind == "speak":
                    session.push_speak(VOICE_S)
                elif kind == "listen":
                    session.push_listen(VOICE_S)
                elif kind == "prompt":
                    session.set_prompt(OTHER_PROMPT)
            frame = session.pull()
            assert frame is not None
            recording.shown.append(shown(frame))
    return recording, reached


def shown(frame: LiveFrame) -> Shown:
    checksum = zlib.crc32(np.ascontiguousarray(frame.picture_HWC).data)
    return Shown(
        index=frame.index, chunk=frame.chunk, is_repeat=frame.is_repeat, at_s=time.perf_counter(), checksum=checksum
    )


@pytest.mark.parametrize("kind", ["speak", "listen", "prompt"])
def test_a_reaction_is_seen_in_the_first_chunk_that_began_after_the_change(pack: LoadedPack, kind: str) -> None:
    recording, reached = recorded(pack, kind)
    found = reactions_of(recording, session_stages(small_character(), pack, CONFIG)[0], CONFIG)
    (reaction,) = found.reactions
    assert found.exact_share == 1.0
    assert reaction.in_first_chunk
    first_frame = recording.jobs[reached].first_frame
    at_s = {one.index: one.at_s - recording.changes_s[0] for one in recording.shown}
    assert at_s[first_frame] <= reaction.changed_s <= at_s[first_frame + recording.jobs[reached].num_frames - 1]


def test_without_a_change_nothing_is_seen(pack: LoadedPack) -> None:
    recording, _ = recorded(pack, "none")
    recording.kind = "speak"
    found = reactions_of(recording, session_stages(small_character(), pack, CONFIG)[0], CONFIG)
    assert found.exact_share == 1.0
    assert found.as_table()["changed_p50_s"] is None
    assert not found.reactions[0].in_first_chunk


def test_a_session_that_was_made_otherwise_is_noticed(pack: LoadedPack) -> None:
    recording, _ = recorded(pack, "none")
    recording.kind = "speak"
    other = replace(CONFIG, seed=1)
    assert reactions_of(recording, session_stages(small_character(), pack, other)[0], other).exact_share < 0.5


def test_who_is_left_to_itself_and_spoken_to_is_held_against_one_who_waits(pack: LoadedPack) -> None:
    """The state that hearing a voice leads to is part of the reaction; where nothing is heard the twin is the same to the last bit."""
    config = replace(CONFIG, prompt="")
    for kind, is_seen in (("listen", True), ("none", False)):
        recording = Recording(kind=kind)
        with open_session(small_character(), pack, config, on_chunk=recording.jobs.append) as session:
            for number in range(8 * session.chunk_frames):
                if number == 2 * session.chunk_frames:
                    recording.changes_s.append(time.perf_counter())
                    session.push_listen(VOICE_S if is_seen else np.zeros_like(VOICE_S))
                frame = session.pull()
                assert frame is not None
                recording.shown.append(shown(frame))
        texts = {job.told.text for job in recording.jobs}
        assert (STATE_PROMPTS[LiveState.LISTENING][0] in texts) == is_seen
        recording.kind = "listen"
        found = reactions_of(recording, session_stages(small_character(), pack, config)[0], config)
        assert found.exact_share == 1.0
        assert found.reactions[0].in_first_chunk == is_seen


def test_a_change_of_a_small_place_counts() -> None:
    picture_HWC = np.full((192, 192, 3), 100, np.uint8)
    mouth_HWC = picture_HWC.copy()
    mouth_HWC[120:132, 96:108] += 10
    assert change_in(picture_HWC, mouth_HWC) == pytest.approx(10.0)
    assert change_in(picture_HWC, picture_HWC) == 0.0


def played(at_s: float, openings: dict[int, float]) -> Cut:
    frames = tuple(
        Shown(index=index, chunk=0, is_repeat=False, at_s=at_s + index / 24, checksum=0) for index in openings
    )
    return Cut(at_s=at_s, shown=frames)


def test_the_mouth_is_closed_when_it_stays_closed() -> None:
    speech = {index: 0.5 + 0.4 * np.cos(index) for index in range(-24, 5)}
    closing = speech | {5: 0.02, 6: 0.3} | dict.fromkeys(range(7, 48), 0.02)
    found = closing_figures([played(10.0, closing)], closing)
    assert found["met_an_open_mouth"] == 1
    assert found["closed_p95_s"] == pytest.approx(7 / 24, abs=1e-3)
    resting = dict.fromkeys(range(-24, -12), 0.9) | dict.fromkeys(range(-12, 48), 0.02)
    assert closing_figures([played(10.0, resting)], resting)["met_an_open_mouth"] == 0
    talking = speech | {index: 0.5 + 0.4 * np.cos(index) for index in range(5, 48)}
    silent_later = {index: opening if index < 24 else 0.0 for index, opening in talking.items()}
    assert closing_figures([played(10.0, silent_later)], silent_later)["closed_p95_s"] == pytest.approx(1.0, abs=0.1)


def test_a_jump_where_the_picture_goes_on_is_a_step_among_steps(pack: LoadedPack) -> None:
    recording, reached = recorded(pack, "speak")
    join = recording.jobs[reached].first_frame
    even = {index: np.full((4, 4, 3), 3 * (index - join + 20), np.uint8) for index in range(join - 20, join + 20)}
    assert join_figures(recording, even)["join_step_p95"] == pytest.approx(1.0)
    jumping = {index: picture + 9 * (index >= join) for index, picture in even.items()}
    assert join_figures(recording, jumping)["join_step_p95"] == pytest.approx(4.0)
    assert join_figures(recording, {})["join_step_p95"] is None
    for index in range(join - 20, join - 10):  # shown again: nothing moves, and nothing is to be learned of steps
        recording.shown.append(Shown(index=index, chunk=0, is_repeat=True, at_s=0.0, checksum=0))
    halting = even | {index: even[join - 20] for index in range(join - 20, join - 10)}
    halting[join - 10] = halting[join - 11] + np.uint8(3)
    halting |= {index: halting[join - 10] + np.uint8(3 * (index - join + 10)) for index in range(join - 9, join + 20)}
    assert join_figures(recording, halting)["join_step_p95"] == pytest.approx(1.0)


def test_only_pictures_around_a_cut_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    recording = Recording(kind="interruption")
    pictures = CutPictures(recording)
    nothing_S, picture_HWC = np.zeros(1000, np.float32), np.zeros((2, 2, 3), np.uint8)
    for index in range(24 * 10):
        now[0] = index / 24
        if index == 120:
            recording.changes_s.append(now[0])
        recording.shown.append(Shown(index=index, chunk=0, is_repeat=False, at_s=now[0], checksum=0))
        pictures.see(
            LiveFrame(
                index=index,
                picture_HWC=picture_HWC,
                speak_S=nothing_S,
                listen_S=nothing_S,
                state=LiveState.RESPONDING,
                chunk=0,
                is_repeat=False,
            )
        )
    assert set(pictures.by_frame) >= set(range(96, 169))
    assert len(pictures.by_frame) < 85
    (cut,) = cuts_of(recording, pictures.by_frame)
    assert [one.index for one in cut.shown] == list(range(96, 169))
