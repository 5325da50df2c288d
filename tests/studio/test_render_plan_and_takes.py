"""The plan hears what the timeline says, hashes tell what changed, and takes keep what was rendered."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import CharacterError
from studio.commands import project_edits, prompt_edits, sound_edits
from studio.project import render_plan
from studio.project.document import Project, PromptSpan
from studio.project.render_plan import chunk_hashes, plan_render
from studio.project.store import ProjectStore
from studio.project.takes import ChunkState, TakeRecorder, chunk_states, frame_picture, list_takes, read_frames
from studio.project.timecode import num_chunks
from tests.studio.conftest import NUM_FRAMES, picture, tone


def test_the_plan_is_cut_to_the_timeline(store: ProjectStore) -> None:
    plan = plan_render(store.project, store.media)
    assert plan.num_frames == NUM_FRAMES
    assert plan.speak_S is not None and plan.listen_S is not None
    assert len(plan.speak_S) == len(plan.listen_S) == NUM_FRAMES * 1000
    np.testing.assert_allclose(plan.speak_S[:72000], tone(3), atol=1e-3)
    assert not plan.speak_S[72000:].any()
    assert not plan.listen_S[:80000].any()
    assert plan.listen_S[80000:128000].any()
    assert [prompt.text for prompt in plan.prompts] == ["talks calmly", "nods"]


def test_muted_and_blank_things_are_left_out(store: ProjectStore) -> None:
    project = project_edits.set_track_muted(store.project, "speak", True)
    project = sound_edits.set_sound_muted(project, "s2", True)
    project = prompt_edits.set_prompt_text(project, "p1", "  ")
    plan = plan_render(project, store.media)
    assert plan.speak_S is None
    assert plan.listen_S is None
    assert [prompt.text for prompt in plan.prompts] == ["nods"]
    assert plan_render(project_edits.set_track_muted(project, "prompts", True), store.media).prompts == ()


def test_gain_is_heard_and_never_clips_over(store: ProjectStore) -> None:
    plain = plan_render(store.project, store.media).speak_S
    soft = plan_render(sound_edits.set_gain(store.project, "s1", -20.0), store.media).speak_S
    loud = plan_render(sound_edits.set_gain(store.project, "s1", 24.0), store.media).speak_S
    assert plain is not None and soft is not None and loud is not None
    np.testing.assert_allclose(soft, plain * 0.1, atol=1e-6)
    assert np.abs(loud).max() == 1.0


def test_nobody_cannot_perform(store: ProjectStore) -> None:
    with pytest.raises(CharacterError, match="no character"):
        plan_render(project_edits.remove_character(store.project, "maya"), store.media)


@pytest.mark.parametrize(
    ("edit", "first_changed"),
    [
        (lambda d: prompt_edits.set_prompt_text(d, "p2", "laughs"), 3),
        (lambda d: project_edits.set_seed(d, 5), 0),
        (lambda d: sound_edits.delete_sound(d, "s2"), 2),  # the chunk before hears a little ahead
        (lambda d: sound_edits.move_sound(d, "s2", 90), 2),
        (lambda d: project_edits.set_track_muted(d, "listen", True), 2),
        (lambda d: project_edits.set_title(d, "Other"), 6),
    ],
)
def test_an_edit_makes_stale_what_it_touches_and_what_follows(
    store: ProjectStore, edit: Callable[[Project], Project], first_changed: int
) -> None:
    before, after = chunk_hashes(store.project), chunk_hashes(edit(store.project))
    assert [a == b for a, b in zip(before, after, strict=True)] == [i < first_changed for i in range(len(before))]


@pytest.mark.parametrize(
    ("edit", "first_changed"),
    [
        (
            lambda d: prompt_edits.split_prompt(d, 48, "q"),
            1,
        ),  # each half has both parts, so the first ends earlier
        (lambda d: prompt_edits.trim_prompt(d, "p", 0, 144), 2),  # the first part goes on where the second began
        (lambda d: prompt_edits.set_prompt_text(d, "p", "looks left, then smiles"), 2),
    ],
)
def test_what_is_asked_in_turn_is_shared_over_the_whole_direction(
    store: ProjectStore, edit: Callable[[Project], Project], first_changed: int
) -> None:
    in_turn = PromptSpan(id="p", start_frame=0, end_frame=96, text="looks left, then nods")
    project = replace(store.project, timeline=replace(store.project.timeline, prompts=(in_turn,)))
    before, after = chunk_hashes(project), chunk_hashes(edit(project))
    assert [a == b for a, b in zip(before, after, strict=True)] == [i < first_changed for i in range(len(before))]


def test_a_plain_direction_may_be_split_between_chunks_and_nothing_changes(store: ProjectStore) -> None:
    plain = PromptSpan(id="p", start_frame=0, end_frame=96, text="looks left")
    project = replace(store.project, timeline=replace(store.project.timeline, prompts=(plain,)))
    assert chunk_hashes(prompt_edits.split_prompt(project, 48, "q")) == chunk_hashes(project)


def test_what_is_far_from_a_chunk_need_not_be_looked_at(store: ProjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, timeline = np.random.default_rng(0), store.project.timeline
    projects = []
    for _ in range(40):
        sounds = tuple(
            replace(
                clip, id=f"{clip.id}{number}", start_frame=int(rng.integers(220)), in_sample=int(rng.integers(9999))
            )
            for number in range(3)
            for clip in timeline.sounds
        )
        changed = replace(timeline, num_frames=int(rng.integers(1, 200)), sounds=sounds)
        projects.append(replace(store.project, timeline=changed))
    hashes = [chunk_hashes(project) for project in projects]
    monkeypatch.setattr(render_plan, "_near_chunks", lambda spans, num_frames: [spans] * num_chunks(num_frames))
    assert [chunk_hashes(project) for project in projects] == hashes


def test_a_take_fills_chunk_by_chunk_and_grows_stale(store: ProjectStore) -> None:
    hashes = chunk_hashes(store.project)
    assert set(chunk_states(store, hashes)) == {ChunkState.EMPTY}
    recorder = TakeRecorder(store, hashes, NUM_FRAMES)
    recorder.add(np.stack([picture(frame) for frame in range(30)]), 0, 1.0)
    assert chunk_states(store, hashes)[:2] == (ChunkState.FRESH, ChunkState.EMPTY)
    recorder.add(np.stack([picture(frame) for frame in range(30, NUM_FRAMES)]), 30, 2.0)
    recorder.finish()
    assert set(chunk_states(store, hashes)) == {ChunkState.FRESH}
    take = list_takes(store)[0]
    assert take.is_complete
    assert take.seconds_per_second == pytest.approx(2.0 / 6)
    frames_THWC = read_frames(store, 20, 40)
    assert frames_THWC is not None
    np.testing.assert_allclose(frames_THWC[:, 0, 0, 0], np.arange(20, 40), atol=2)
    changed = prompt_edits.set_prompt_text(store.project, "p2", "laughs")
    states = chunk_states(store, chunk_hashes(changed))
    assert states == (ChunkState.FRESH,) * 3 + (ChunkState.STALE,) * 3


def test_a_new_take_covers_the_old_one_as_it_grows(store: ProjectStore) -> None:
    hashes = chunk_hashes(store.project)
    for red in (10, 200):
        recorder = TakeRecorder(store, hashes, NUM_FRAMES)
        recorder.add(np.stack([picture(red)] * (NUM_FRAMES if red == 10 else 24)), 0, 1.0)
    new, old = read_frames(store, 0, 1), read_frames(store, 24, 25)
    assert new is not None and old is not None
    assert new[0, 0, 0, 0] > 190 and old[0, 0, 0, 0] < 20


def test_a_chunk_that_a_cancelled_take_made_in_part_is_not_fresh(store: ProjectStore) -> None:
    hashes = chunk_hashes(store.project)
    whole = np.stack([picture(10)] * NUM_FRAMES)
    TakeRecorder(store, hashes, NUM_FRAMES).add(whole, 0, 1.0)
    changed = chunk_hashes(prompt_edits.set_prompt_text(store.project, "p1", "laughs"))
    TakeRecorder(store, changed, NUM_FRAMES).add(whole[:16], 0, 1.0)
    assert chunk_states(store, hashes) == (ChunkState.STALE,) + (ChunkState.FRESH,) * 5
    TakeRecorder(store, hashes, NUM_FRAMES).add(whole[:24], 0, 1.0)
    assert set(chunk_states(store, hashes)) == {ChunkState.FRESH}


def test_old_takes_are_dropped(store: ProjectStore) -> None:
    hashes = chunk_hashes(store.project)
    for _ in range(5):
        recorder = TakeRecorder(store, hashes, 1)
        recorder.add(picture(1)[None], 0, 1.0)
        recorder.finish()
    assert len(list_takes(store)) == 2
    assert store.database.table("take_frames").count == 2


def test_a_frame_that_is_not_rendered_is_none(store: ProjectStore) -> None:
    assert frame_picture(store, 0) is None
    assert read_frames(store, 0, 3) is None


@pytest.mark.parametrize(
    "damage",
    ["done_frames = 'abc'", "done_frames = x'00'", "work_seconds = 'abc'", "num_frames = -1", "work_seconds = 9e999"],
)
def test_what_is_no_take_is_left_out(store: ProjectStore, damage: str) -> None:
    for _ in range(2):
        TakeRecorder(store, chunk_hashes(store.project), NUM_FRAMES)
    newest, older = list_takes(store)
    with store.transaction():
        store.database.execute(f"UPDATE takes SET {damage} WHERE id = ?", [newest.id])
    assert list_takes(store) == [older]
