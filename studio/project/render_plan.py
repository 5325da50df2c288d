"""A timeline becomes a plan for the engine: mixed sound, directions, length, and a hash of each chunk's conditions.

    plan_render(project, media) -> RenderPlan        pure: what to perform, in arrays and numbers
    render_job(plan, media)     -> engine.PerformJob what `engine.perform` takes

Called by the engine's thread and by `lpm render`: mixing hours of sound takes a while, so that it can be watched and stopped.
Knows no Qt, no SQLite and no model.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import CharacterError
from engine.turns import in_turn, parts_in_turn
from studio.project.blobs import decode_picture, sound_blocks
from studio.project.document import SOUND_TRACKS, Character, Project, PromptSpan, SoundClip, SoundTrack
from studio.project.timecode import CHUNK_FRAMES, SAMPLES_PER_FRAME, num_chunks

if TYPE_CHECKING:
    from engine import PerformJob
    from engine.characters import Character as EngineCharacter

MediaReader = Callable[[str], bytes]
"""Gives the bytes of a medium by its content hash, as `ProjectStore.media` does."""

Mixing = Callable[[int], None]
"""Is told how many samples were mixed since it was told last; what it raises stops the mixing."""


Span = TypeVar("Span", SoundClip, PromptSpan)


def unwatched(num_samples: int) -> None:
    """Mixing that nobody watches."""


@dataclass(frozen=True, kw_only=True)
class RenderPlan:
    """What to perform. A sound is None where its track is empty or muted; it has exactly `num_frames` * 1000 samples."""

    character: Character
    pack: str
    seed: int
    num_frames: int
    speak_S: NDArray[np.float32] | None
    listen_S: NDArray[np.float32] | None
    prompts: tuple[PromptSpan, ...]
    chunk_hashes: tuple[str, ...]


def plan_render(project: Project, media: MediaReader, mixing: Mixing = unwatched) -> RenderPlan:
    """Cut and mix the timeline for the engine; `CharacterError` where nobody is there to perform."""
    timeline = project.timeline
    return RenderPlan(
        character=performer_of(project),
        pack=project.pack,
        seed=project.seed,
        num_frames=timeline.num_frames,
        speak_S=mix_track(project, "speak", media, mixing),
        listen_S=mix_track(project, "listen", media, mixing),
        prompts=audible_prompts(project),
        chunk_hashes=chunk_hashes(project),
    )


def performer_of(project: Project) -> Character:
    """Who performs the timeline; `CharacterError` where nobody can."""
    character = project.character
    if character is None:
        raise CharacterError("no character is chosen: pick one in the library, then render")
    if character.portrait is None:
        raise CharacterError(f"{character.name}: has no global reference picture, and so cannot perform")
    return character


def mix_track(
    project: Project, track: SoundTrack, media: MediaReader, mixing: Mixing = unwatched
) -> NDArray[np.float32] | None:
    """The sounds of one track as one array of the timeline's length; None if there is nothing to hear."""
    clips = audible_clips(project, track)
    if not clips:
        return None
    mixed_S = np.zeros(project.timeline.num_frames * SAMPLES_PER_FRAME, dtype=np.float32)
    for clip in clips:
        start = clip.start_frame * SAMPLES_PER_FRAME
        end_sample = min(clip.out_sample, clip.in_sample + len(mixed_S) - start)
        gain = np.float32(10.0 ** (clip.gain_db / 20.0))
        for block_S in sound_blocks(media(clip.media_sha), clip.in_sample, end_sample):
            mixed_S[start : start + len(block_S)] += block_S * gain
            start += len(block_S)
            mixing(len(block_S))
    return np.clip(mixed_S, -1.0, 1.0, out=mixed_S)


def samples_to_mix(project: Project) -> int:
    """How many samples `plan_render` mixes, at most: what the counts that it tells come to."""
    clips = [clip for track in SOUND_TRACKS for clip in audible_clips(project, track)]
    return sum(clip.out_sample - clip.in_sample for clip in clips)


def audible_clips(project: Project, track: SoundTrack) -> tuple[SoundClip, ...]:
    """The sounds of a track that are heard: not muted, and on a track that is not muted."""
    if track in project.timeline.muted:
        return ()
    return tuple(clip for clip in project.timeline.clips_on(track) if not clip.is_muted)


def audible_prompts(project: Project) -> tuple[PromptSpan, ...]:
    """The directions that the engine is given: not muted, not blank, within the timeline."""
    timeline = project.timeline
    if "prompts" in timeline.muted:
        return ()
    end = timeline.num_frames
    return tuple(
        PromptSpan(id=p.id, start_frame=p.start_frame, end_frame=min(p.end_frame, end), text=p.text.strip())
        for p in timeline.prompts
        if p.text.strip() and p.start_frame < end
    )


def chunk_hashes(project: Project) -> tuple[str, ...]:
    """A hash of everything that shapes each chunk.

    A performance continues from what came before it, so the hash of a chunk takes in the hash of the chunk before. The sound
    of the next chunk counts too: the engine hears a little ahead.
    """
    character = project.character
    cast = [[ref.kind, ref.subtype, ref.media_sha] for ref in character.references] if character else []
    chain = _digest([cast, project.pack, project.seed])
    hashes: list[str] = []
    num_frames = project.timeline.num_frames
    clips = [_near_chunks(audible_clips(project, track), num_frames) for track in SOUND_TRACKS]
    prompts = _near_chunks([part for prompt in audible_prompts(project) for part in _parts_of(prompt)], num_frames)
    for chunk in range(num_chunks(num_frames)):
        start = chunk * CHUNK_FRAMES
        end = min(start + CHUNK_FRAMES, num_frames)
        heard_end = min(end + CHUNK_FRAMES, num_frames)
        chain = _digest(
            [
                chain,
                end - start,
                [_sound_conditions(near[chunk], start, heard_end) for near in clips],
                [
                    [max(p.start_frame, start), min(p.end_frame, end), p.text]
                    for p in prompts[chunk]
                    if p.start_frame < end and p.end_frame > start
                ],
            ]
        )
        hashes.append(chain)
    return tuple(hashes)


def _parts_of(prompt: PromptSpan) -> list[PromptSpan]:
    """The direction as a pack that plans motion is told it: what it asks for in turn shares its frames, wherever chunks begin."""
    parts = in_turn(prompt.start_frame, prompt.end_frame, parts_in_turn(prompt.text))
    return [PromptSpan(id=prompt.id, start_frame=start, end_frame=end, text=text) for start, end, text in parts]


def _near_chunks(spans: Sequence[Span], num_frames: int) -> list[list[Span]]:
    """For each chunk the spans that touch it or the next one, and perhaps a few more: with all of them for each, hours would be slow."""
    near: list[list[Span]] = [[] for _ in range(num_chunks(num_frames))]
    for span in spans:
        first, last = span.start_frame // CHUNK_FRAMES - 1, span.end_frame // CHUNK_FRAMES
        for chunk in range(max(first, 0), min(last + 1, len(near))):
            near[chunk].append(span)
    return near


def _sound_conditions(clips: Sequence[SoundClip], start_frame: int, end_frame: int) -> list[list[object]]:
    conditions: list[list[object]] = []
    for clip in clips:
        first = max(start_frame, clip.start_frame)
        last = min(end_frame, clip.end_frame)
        if first < last:
            offset = clip.in_sample + (first - clip.start_frame) * SAMPLES_PER_FRAME
            length = min((last - first) * SAMPLES_PER_FRAME, clip.out_sample - offset)
            conditions.append([clip.media_sha, first, offset, length, clip.gain_db])
    return conditions


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, separators=(",", ":")).encode()).hexdigest()[:32]


def render_job(plan: RenderPlan, media: MediaReader) -> "PerformJob":
    """The plan as the engine's own job, with the reference pictures decoded."""
    from engine import PerformJob
    from engine import PromptSpan as EnginePrompt

    return PerformJob(
        character=engine_character(plan.character, media),
        speak_S=plan.speak_S,
        listen_S=plan.listen_S,
        prompts=tuple(
            EnginePrompt(start_frame=p.start_frame, end_frame=p.end_frame, text=p.text) for p in plan.prompts
        ),
        num_frames=plan.num_frames,
        seed=plan.seed,
    )


def engine_character(character: Character, media: MediaReader) -> "EngineCharacter":
    """A character of the project as the engine takes it; `CharacterError` where it has no global reference picture."""
    from engine.characters import Character as EngineCharacter
    from engine.characters import Reference as EngineReference
    from engine.characters import ReferenceKind

    if character.portrait is None:
        raise CharacterError(f"{character.name}: has no global reference picture, and so cannot perform")
    references = tuple(
        EngineReference(
            kind=ReferenceKind(reference.kind),
            subtype=reference.subtype,
            picture_HWC=decode_picture(media(reference.media_sha)),
            path=Path(character.name, f"{reference.label}.png"),  # for messages; the picture lies in the project
        )
        for reference in character.references
    )
    return EngineCharacter(name=character.name, description=character.description, references=references)
