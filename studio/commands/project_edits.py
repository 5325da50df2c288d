"""Edits of the project as a whole: cast, title, seed, length, in and out, muted tracks. Pure functions, called through the funnel."""

from dataclasses import replace

from studio.project.document import MAX_NAME_CHARACTERS, Character, Project, PromptSpan, Timeline, TrackName
from studio.project.timecode import MAX_FRAMES


def set_title(project: Project, title: str) -> Project:
    """Name the project; a blank name changes nothing."""
    title = " ".join(title.split())[:MAX_NAME_CHARACTERS]
    return replace(project, title=title) if title else project


def set_seed(project: Project, seed: int) -> Project:
    """Choose another throw of the dice for the performance."""
    return replace(project, seed=min(max(seed, 0), 2**31 - 1))


def add_character(project: Project, character: Character) -> Project:
    """Take a character into the cast; the first one performs at once."""
    chosen = project.character_id or character.id
    return replace(project, characters=(*project.characters, character), character_id=chosen)


def choose_character(project: Project, character_id: str) -> Project:
    """Say who performs."""
    is_known = any(character.id == character_id for character in project.characters)
    return replace(project, character_id=character_id) if is_known else project


def remove_character(project: Project, character_id: str) -> Project:
    """Take a character out of the cast; if it was the one who performs, the next one does."""
    rest = tuple(character for character in project.characters if character.id != character_id)
    chosen = project.character_id
    if chosen == character_id:
        chosen = rest[0].id if rest else ""
    return replace(project, characters=rest, character_id=chosen)


def set_length(project: Project, num_frames: int) -> Project:
    """Make the timeline longer or shorter; directions past the end are cut, sounds past it stay and are not heard."""
    num_frames = min(max(num_frames, 1), MAX_FRAMES)
    timeline = project.timeline
    prompts = tuple(_cut(prompt, num_frames) for prompt in timeline.prompts if prompt.start_frame < num_frames)
    shorter = replace(timeline, num_frames=num_frames, prompts=prompts)
    return replace(project, timeline=_with_range(shorter, timeline.in_frame, timeline.out_frame))


def _cut(prompt: PromptSpan, end_frame: int) -> PromptSpan:
    return replace(prompt, end_frame=min(prompt.end_frame, end_frame))


def set_track_muted(project: Project, track: TrackName, is_muted: bool) -> Project:
    """Leave a whole track out of the performance, or take it in again."""
    muted = project.timeline.muted | {track} if is_muted else project.timeline.muted - {track}
    return replace(project, timeline=replace(project.timeline, muted=muted))


def set_range(project: Project, in_frame: int | None, out_frame: int | None) -> Project:
    """Mark the stretch that is played in a loop and exported; None opens an end."""
    return replace(project, timeline=_with_range(project.timeline, in_frame, out_frame))


def _with_range(timeline: Timeline, in_frame: int | None, out_frame: int | None) -> Timeline:
    end = timeline.num_frames
    first = None if in_frame is None or in_frame <= 0 or in_frame >= end else in_frame
    last = None if out_frame is None or out_frame >= end or out_frame <= (first or 0) else out_frame
    return replace(timeline, in_frame=first, out_frame=last)
