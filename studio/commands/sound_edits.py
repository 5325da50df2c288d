"""Edits of the sounds on the speak and listen tracks: pure functions from one document to the next.

Called through the funnel. A sound that grows past the end makes the timeline longer; sounds on one track may overlap and mix.
"""

from dataclasses import replace

from studio.commands.project_edits import set_length
from studio.project.document import MAX_GAIN_DB, Project, SoundClip, SoundTrack
from studio.project.timecode import MAX_FRAMES, SAMPLES_PER_FRAME


def with_sounds(project: Project, sounds: list[SoundClip]) -> Project:
    """The document with these sounds; the timeline reaches at least to the end of the last one."""
    end = max((clip.end_frame for clip in sounds), default=0)
    num_frames = min(max(project.timeline.num_frames, end), MAX_FRAMES)
    return replace(project, timeline=replace(project.timeline, sounds=tuple(sounds), num_frames=num_frames))


def _replaced(project: Project, changed: SoundClip) -> Project:
    return with_sounds(project, [changed if clip.id == changed.id else clip for clip in project.timeline.sounds])


def add_sound(project: Project, clip: SoundClip) -> Project:
    """Put a sound on its track. The first sound of a project sets the timeline's length."""
    if not project.timeline.sounds and not project.timeline.prompts:
        project = set_length(project, clip.end_frame)
    return with_sounds(project, [*project.timeline.sounds, clip])


def move_sound(project: Project, clip_id: str, start_frame: int, track: SoundTrack | None = None) -> Project:
    """Let a sound begin at another frame, and perhaps on the other track."""
    clip = project.sound(clip_id)
    if clip is None:
        return project
    start = min(max(start_frame, 0), MAX_FRAMES - clip.num_frames)
    return _replaced(project, replace(clip, start_frame=start, track=track or clip.track))


def trim_sound(project: Project, clip_id: str, start_frame: int, end_frame: int, media_samples: int) -> Project:
    """Move the edges of a sound within what its medium holds (`media_samples`); at least one frame stays."""
    clip = project.sound(clip_id)
    if clip is None:
        return project
    earliest = clip.start_frame - clip.in_sample // SAMPLES_PER_FRAME
    start = min(max(start_frame, earliest, 0), clip.end_frame - 1)
    in_sample = clip.in_sample + (start - clip.start_frame) * SAMPLES_PER_FRAME
    end = max(end_frame, start + 1)
    out_sample = clip.out_sample
    if end != clip.end_frame:
        out_sample = min(in_sample + (end - start) * SAMPLES_PER_FRAME, media_samples)
    return _replaced(project, replace(clip, start_frame=start, in_sample=in_sample, out_sample=out_sample))


def split_sound(project: Project, clip_id: str, frame: int, second_id: str) -> Project:
    """Cut a sound in two at `frame`; nothing happens at or outside its edges."""
    clip = project.sound(clip_id)
    if clip is None or not clip.start_frame < frame < clip.end_frame:
        return project
    cut = clip.in_sample + (frame - clip.start_frame) * SAMPLES_PER_FRAME
    first = replace(clip, out_sample=cut)
    second = replace(clip, id=second_id, start_frame=frame, in_sample=cut)
    sounds = [first if other.id == clip_id else other for other in project.timeline.sounds]
    return with_sounds(project, [*sounds, second])


def delete_sound(project: Project, clip_id: str) -> Project:
    """Take a sound off its track; the timeline keeps its length."""
    return with_sounds(project, [clip for clip in project.timeline.sounds if clip.id != clip_id])


def set_gain(project: Project, clip_id: str, gain_db: float) -> Project:
    """Make a sound louder or softer, within 24 dB."""
    clip = project.sound(clip_id)
    if clip is None:
        return project
    return _replaced(project, replace(clip, gain_db=round(min(max(gain_db, -MAX_GAIN_DB), MAX_GAIN_DB), 1)))


def set_sound_muted(project: Project, clip_id: str, is_muted: bool) -> Project:
    """Leave one sound out of the performance, or take it in again."""
    clip = project.sound(clip_id)
    return project if clip is None else _replaced(project, replace(clip, is_muted=is_muted))
