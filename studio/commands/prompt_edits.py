"""Edits of the directions: pure functions from one document to the next.

Directions never overlap: each edit stops at its neighbours and at the ends of the timeline. Called through the funnel.
"""

from dataclasses import replace

from studio.project.document import MAX_PROMPT_CHARACTERS, Project, PromptSpan
from studio.project.timecode import CHUNK_FRAMES


def with_prompts(project: Project, prompts: list[PromptSpan]) -> Project:
    """The document with these directions, sorted."""
    ordered = tuple(sorted(prompts, key=lambda prompt: prompt.start_frame))
    return replace(project, timeline=replace(project.timeline, prompts=ordered))


def free_space(project: Project, frame: int, prompt_id: str = "") -> tuple[int, int]:
    """The stretch around `frame` that no direction but `prompt_id` takes; empty (frame, frame) where one is."""
    start, end = 0, project.timeline.num_frames
    for prompt in project.timeline.prompts:
        if prompt.id == prompt_id:
            continue
        if prompt.start_frame <= frame < prompt.end_frame:
            return frame, frame
        if prompt.end_frame <= frame:
            start = max(start, prompt.end_frame)
        else:
            end = min(end, prompt.start_frame)
    return start, max(start, end)


def add_prompt(project: Project, prompt: PromptSpan) -> Project:
    """Add a direction, cut to the free space where it starts; nothing happens where there is none."""
    _, end = free_space(project, prompt.start_frame)
    end = min(prompt.end_frame, end)
    if end <= prompt.start_frame:
        return project
    return with_prompts(project, [*project.timeline.prompts, replace(prompt, end_frame=end)])


def set_prompt_text(project: Project, prompt_id: str, text: str) -> Project:
    """Change the words of a direction, at most 600 characters."""
    text = " ".join(text.split())[:MAX_PROMPT_CHARACTERS]
    return with_prompts(project, [replace(p, text=text) if p.id == prompt_id else p for p in project.timeline.prompts])


def trim_prompt(project: Project, prompt_id: str, start_frame: int, end_frame: int) -> Project:
    """Move the edges of a direction as far as its neighbours allow; it keeps at least one frame."""
    prompt = project.prompt(prompt_id)
    if prompt is None:
        return project
    low, high = free_space(project, prompt.start_frame, prompt_id)
    start = min(max(start_frame, low), high - 1)
    end = max(min(end_frame, high), start + 1)
    moved = replace(prompt, start_frame=start, end_frame=end)
    return with_prompts(project, [moved if p.id == prompt_id else p for p in project.timeline.prompts])


def move_prompt(project: Project, prompt_id: str, start_frame: int) -> Project:
    """Move a direction as a whole, within the space between its neighbours."""
    prompt = project.prompt(prompt_id)
    if prompt is None:
        return project
    low, high = free_space(project, prompt.start_frame, prompt_id)
    start = max(min(start_frame, high - prompt.num_frames), low)
    return trim_prompt(project, prompt_id, start, start + prompt.num_frames)


def split_prompt(project: Project, frame: int, second_id: str) -> Project:
    """Cut the direction under `frame` in two with the same words; nothing happens at an edge."""
    prompt = project.timeline.prompt_at(frame)
    if prompt is None or prompt.start_frame == frame:
        return project
    first = replace(prompt, end_frame=frame)
    second = replace(prompt, id=second_id, start_frame=frame)
    others = [p for p in project.timeline.prompts if p.id != prompt.id]
    return with_prompts(project, [*others, first, second])


def delete_prompt(project: Project, prompt_id: str) -> Project:
    """Take a direction away."""
    return with_prompts(project, [p for p in project.timeline.prompts if p.id != prompt_id])


def suggested_prompt(project: Project, frame: int) -> PromptSpan | None:
    """An empty direction of four chunks at the chunk that holds `frame`, or in the next free space; None if all is full."""
    timeline = project.timeline
    start = min(frame, timeline.num_frames - 1) // CHUNK_FRAMES * CHUNK_FRAMES
    for candidate in (start, *(p.end_frame for p in timeline.prompts if p.end_frame > start)):
        low, high = free_space(project, candidate)
        if high > candidate >= low:
            return PromptSpan(start_frame=candidate, end_frame=min(candidate + 4 * CHUNK_FRAMES, high))
    return None
