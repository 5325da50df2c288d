"""Commands are pure, keep the document's promises, and undo is the way back to the letter."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInputError
from studio.commands import project_edits, prompt_edits, sound_edits
from studio.commands.funnel import CommandFunnel
from studio.project.document import Character, Project, PromptSpan, SoundClip, Timeline
from studio.project.rows import project_of, tables_of
from studio.project.store import ProjectStore
from studio.project.timecode import clock_text, format_timecode, nearest_chunk_edge, num_chunks, parse_timecode

BASE = Project(
    characters=(Character(id="a", name="A"), Character(id="b", name="B")),
    character_id="a",
    timeline=Timeline(
        num_frames=240,
        sounds=(SoundClip(id="s", track="speak", name="s", media_sha="x", start_frame=24, out_sample=48000),),
        prompts=(
            PromptSpan(id="p", start_frame=0, end_frame=48, text="one"),
            PromptSpan(id="q", start_frame=96, end_frame=144, text="two"),
        ),
    ),
)
frames = st.integers(-100, 400)
edits: st.SearchStrategy[Callable[[Project], Project]] = st.one_of(
    st.builds(lambda a, b: lambda d: prompt_edits.trim_prompt(d, "p", a, b), frames, frames),
    st.builds(lambda a: lambda d: prompt_edits.move_prompt(d, "q", a), frames),
    st.builds(lambda a: lambda d: prompt_edits.split_prompt(d, a, f"split{a}"), frames),
    st.builds(
        lambda a, n: lambda d: prompt_edits.add_prompt(d, PromptSpan(id=f"n{a}.{n}", start_frame=a, end_frame=a + n)),
        st.integers(0, 300),
        st.integers(1, 100),
    ),
    st.builds(lambda t: lambda d: prompt_edits.set_prompt_text(d, "p", t), st.text(max_size=700)),
    st.just(lambda d: prompt_edits.delete_prompt(d, "q")),
    st.builds(lambda a: lambda d: sound_edits.move_sound(d, "s", a, "listen"), frames),
    st.builds(lambda a, b: lambda d: sound_edits.trim_sound(d, "s", a, b, 60000), frames, frames),
    st.builds(lambda a: lambda d: sound_edits.split_sound(d, "s", a, f"s{a}"), frames),
    st.builds(lambda g: lambda d: sound_edits.set_gain(d, "s", g), st.floats(-90, 90)),
    st.builds(lambda m: lambda d: sound_edits.set_sound_muted(d, "s", m), st.booleans()),
    st.builds(lambda a: lambda d: project_edits.set_length(d, a), frames),
    st.builds(lambda a, b: lambda d: project_edits.set_range(d, a, b), frames, frames),
    st.builds(lambda m: lambda d: project_edits.set_track_muted(d, "listen", m), st.booleans()),
    st.builds(lambda n: lambda d: project_edits.set_title(d, n), st.text(max_size=200)),
    st.builds(lambda c: lambda d: project_edits.remove_character(d, c), st.sampled_from(["a", "b", "none"])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(edits, max_size=12))
def test_any_edits_keep_the_documents_promises(steps: list[Callable[[Project], Project]]) -> None:
    project = BASE
    for step in steps:
        project = step(project)  # Timeline, PromptSpan and SoundClip check themselves when they are made
    ends = [prompt.end_frame for prompt in project.timeline.prompts]
    assert all(end <= project.timeline.num_frames for end in ends)
    assert all(0 <= clip.in_sample < clip.out_sample <= 60000 for clip in project.timeline.sounds)


def test_undo_is_the_way_back_and_redo_the_way_there(store: ProjectStore) -> None:
    funnel = CommandFunnel(store)
    before = funnel.project
    documents = [before]
    for label, edit in (
        ("split", lambda d: prompt_edits.split_prompt(d, 24, "p3")),
        ("mute", lambda d: project_edits.set_track_muted(d, "speak", True)),
        ("cut", lambda d: sound_edits.split_sound(d, "s1", 30, "s3")),
        ("shorter", lambda d: project_edits.set_length(d, 100)),
    ):
        assert funnel.do(label, edit)
        documents.append(funnel.project)
    for expected in reversed(documents[:-1]):
        assert funnel.undo()
        assert funnel.project == expected
        with ProjectStore(store.path, is_read_only=True) as other:
            assert other.project == expected
    assert not funnel.undo()
    while funnel.redo():
        pass
    assert funnel.project == documents[-1]
    assert store.journal_labels()[-1] == "Redo: shorter"


def test_typing_is_undone_in_one_step_and_an_idle_edit_in_none(store: ProjectStore) -> None:
    funnel = CommandFunnel(store)
    for text in ("s", "sm", "smiles"):
        funnel.do("type", lambda d, text=text: prompt_edits.set_prompt_text(d, "p1", text), merge_key="words p1")
    assert not funnel.do("nothing", lambda d: prompt_edits.set_prompt_text(d, "p1", "smiles"))
    assert funnel.undo_label == "type"
    funnel.undo()
    prompt = funnel.project.prompt("p1")
    assert prompt is not None and prompt.text == "talks calmly"
    assert funnel.undo_label is None


def test_what_cannot_be_undone_now_can_be_undone_later(store: ProjectStore) -> None:
    funnel = CommandFunnel(store)
    funnel.do("rename", lambda d: project_edits.set_title(d, "New"))
    for go in (funnel.undo, funnel.redo):
        before, labels = funnel.project, (funnel.undo_label, funnel.redo_label)
        with ProjectStore(store.path, is_checked=True) as other, other.transaction():
            store.database.execute("PRAGMA busy_timeout=0")
            with pytest.raises(BadInputError, match="could not be saved"):
                go()
        assert (funnel.project, funnel.undo_label, funnel.redo_label) == (before, *labels)
        assert go() and funnel.project != before


def test_the_first_sound_leaves_no_mark_outside_the_timeline() -> None:
    project = project_edits.set_range(Project(), 100, 150)
    clip = SoundClip(track="speak", name="s", media_sha="x", start_frame=0, out_sample=48000)
    timeline = sound_edits.add_sound(project, clip).timeline
    assert (timeline.num_frames, timeline.in_frame, timeline.out_frame) == (48, None, None)
    tables = {name: list(rows.values()) for name, rows in tables_of(project).items()}
    tables["project"][0]["num_frames"] = 48  # as older versions saved it
    assert project_of(tables).timeline.in_frame is None


def test_directions_stop_at_their_neighbours() -> None:
    trimmed = prompt_edits.trim_prompt(BASE, "p", 0, 130)
    assert trimmed.timeline.prompts[0].end_frame == 96
    added = prompt_edits.add_prompt(BASE, PromptSpan(id="n", start_frame=60, end_frame=200))
    assert [(p.start_frame, p.end_frame) for p in added.timeline.prompts] == [(0, 48), (60, 96), (96, 144)]
    assert prompt_edits.add_prompt(BASE, PromptSpan(start_frame=10, end_frame=20)) == BASE


def test_a_new_direction_goes_where_there_is_room() -> None:
    suggestion = prompt_edits.suggested_prompt(BASE, 30)
    assert suggestion is not None
    assert (suggestion.start_frame, suggestion.end_frame) == (48, 96)
    full = prompt_edits.with_prompts(BASE, [PromptSpan(start_frame=0, end_frame=240)])
    assert prompt_edits.suggested_prompt(full, 30) is None


@pytest.mark.parametrize(
    ("frame", "text"), [(0, "00:00:00:00"), (25, "00:00:01:01"), (1440, "00:01:00:00"), (86400, "01:00:00:00")]
)
def test_timecode_reads_back(frame: int, text: str) -> None:
    assert format_timecode(frame) == text
    assert parse_timecode(text) == frame


@pytest.mark.parametrize(
    ("text", "frame"), [("14", 336), ("14:06", 342), ("1:14:06", 1782), ("0:01:14:06", 1782), (" 00:14 ", 14)]
)
def test_shorter_times_are_taken_too(text: str, frame: int) -> None:
    assert parse_timecode(text) == frame


def test_a_clock_shows_hours_only_where_there_are_some() -> None:
    assert [clock_text(seconds) for seconds in (0, 14, 75, 3725)] == ["0:00", "0:14", "1:15", "1:02:05"]


@pytest.mark.parametrize("text", ["", "a", "1:2:3:4:5", "-1", "1.5", "٣"])
def test_what_is_no_time_is_not_taken(text: str) -> None:
    assert parse_timecode(text) is None


def test_chunk_arithmetic() -> None:
    assert [num_chunks(frames) for frames in (1, 24, 25)] == [1, 1, 2]
    assert [nearest_chunk_edge(frame) for frame in (0, 11, 12, 36)] == [0, 0, 24, 48]
