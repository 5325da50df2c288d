"""The document: a project as plain frozen data.

    Project
    ├── characters: Character ── references: Reference (a picture, by content hash)
    └── timeline: Timeline
        ├── sounds: SoundClip (a piece of a sound on the speak or the listen track)
        └── prompts: PromptSpan (what the character is asked to do, from frame to frame)

Commands make new documents from old ones, the store keeps them, views show them. Times are integer frames at 24 per second
and integer samples at 24 kHz. Nothing here knows files, Qt or the engine.
"""

import uuid
from dataclasses import dataclass, field
from typing import Final, Literal

from studio.project.timecode import CHUNK_FRAMES, MAX_FRAMES, frames_for_samples

SoundTrack = Literal["speak", "listen"]
TrackName = Literal["speak", "listen", "prompts"]
SOUND_TRACKS: Final[tuple[SoundTrack, ...]] = ("speak", "listen")
TRACKS: Final[tuple[TrackName, ...]] = ("speak", "listen", "prompts")
REFERENCE_KINDS: Final = ("global", "view", "expression")
DEFAULT_FRAMES: Final = 8 * CHUNK_FRAMES
MAX_PROMPT_CHARACTERS: Final = 600
MAX_NAME_CHARACTERS: Final = 120
MAX_SEED: Final = 2**31 - 1
MAX_GAIN_DB: Final = 24.0


def new_id() -> str:
    """A fresh identifier for a clip, a prompt or a character."""
    return uuid.uuid4().hex[:16]


def _require(is_right: bool, message: str) -> None:
    if not is_right:
        raise ValueError(message)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One reference picture of a character; `subtype` is a view or an expression, empty for the global one."""

    kind: str
    subtype: str
    media_sha: str

    def __post_init__(self) -> None:
        """Refuse kinds that the engine has no segment for."""
        _require(self.kind in REFERENCE_KINDS, f"unknown kind of reference: {self.kind!r}")

    @property
    def label(self) -> str:
        """What a person reads under the picture."""
        return self.subtype.replace("_", " ") if self.subtype else "global"


@dataclass(frozen=True, kw_only=True)
class Character:
    """Who performs: a name and reference pictures, exactly one of them global."""

    id: str = field(default_factory=new_id)
    name: str
    description: str = ""
    origin: str = "synthetic"
    references: tuple[Reference, ...] = ()

    @property
    def portrait(self) -> Reference | None:
        """The global reference, which also stands for the character in lists."""
        return next((reference for reference in self.references if reference.kind == "global"), None)


@dataclass(frozen=True, kw_only=True)
class SoundClip:
    """A piece of a sound on a track: samples `in_sample..out_sample` of the media, heard from `start_frame` on."""

    id: str = field(default_factory=new_id)
    track: SoundTrack
    name: str
    media_sha: str
    start_frame: int
    in_sample: int = 0
    out_sample: int
    gain_db: float = 0.0
    is_muted: bool = False

    def __post_init__(self) -> None:
        """Refuse positions that no timeline has."""
        _require(self.track in SOUND_TRACKS, f"unknown sound track: {self.track!r}")
        _require(0 <= self.start_frame <= MAX_FRAMES, f"a sound cannot start at frame {self.start_frame}")
        _require(
            0 <= self.in_sample < self.out_sample, f"a sound cannot run from {self.in_sample} to {self.out_sample}"
        )
        _require(abs(self.gain_db) <= 96.0, f"a gain of {self.gain_db} dB is out of range")

    @property
    def num_samples(self) -> int:
        """Length in samples."""
        return self.out_sample - self.in_sample

    @property
    def num_frames(self) -> int:
        """Length in frames, the last one perhaps in part."""
        return frames_for_samples(self.num_samples)

    @property
    def end_frame(self) -> int:
        """The first frame after the sound."""
        return self.start_frame + self.num_frames


@dataclass(frozen=True, kw_only=True)
class PromptSpan:
    """A direction in words, from `start_frame` up to (not including) `end_frame`."""

    id: str = field(default_factory=new_id)
    start_frame: int
    end_frame: int
    text: str = ""

    def __post_init__(self) -> None:
        """Refuse empty and negative spans."""
        _require(0 <= self.start_frame < self.end_frame, f"a direction cannot run {self.start_frame}..{self.end_frame}")
        _require(len(self.text) <= MAX_PROMPT_CHARACTERS, "a direction is too long")

    @property
    def num_frames(self) -> int:
        """Length in frames."""
        return self.end_frame - self.start_frame


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """What happens when. Prompts are sorted and never overlap; `muted` tracks are left out of the performance."""

    num_frames: int = DEFAULT_FRAMES
    sounds: tuple[SoundClip, ...] = ()
    prompts: tuple[PromptSpan, ...] = ()
    muted: frozenset[TrackName] = frozenset()
    in_frame: int | None = None
    out_frame: int | None = None

    def __post_init__(self) -> None:
        """Hold what every view and the render plan rely on."""
        _require(1 <= self.num_frames <= MAX_FRAMES, f"a timeline cannot be {self.num_frames} frames long")
        for before, after in zip(self.prompts, self.prompts[1:], strict=False):
            _require(before.end_frame <= after.start_frame, "two directions overlap")
        if self.in_frame is not None and self.out_frame is not None:
            _require(self.in_frame < self.out_frame, "the in point lies behind the out point")

    @property
    def content_end_frame(self) -> int:
        """The first frame after the last sound and the last prompt."""
        ends = [clip.end_frame for clip in self.sounds] + [prompt.end_frame for prompt in self.prompts]
        return max(ends, default=0)

    def clips_on(self, track: SoundTrack) -> tuple[SoundClip, ...]:
        """The sounds of one track in their order in time."""
        return tuple(sorted((clip for clip in self.sounds if clip.track == track), key=lambda clip: clip.start_frame))

    def prompt_at(self, frame: int) -> PromptSpan | None:
        """The direction that holds at `frame`."""
        return next((span for span in self.prompts if span.start_frame <= frame < span.end_frame), None)


@dataclass(frozen=True, kw_only=True)
class Project:
    """Everything a person made: title, cast, timeline and how it is rendered."""

    title: str = "Untitled"
    pack: str = "lpm-tiny"
    seed: int = 0
    character_id: str = ""
    characters: tuple[Character, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)

    @property
    def character(self) -> Character | None:
        """The character who performs, if one is chosen."""
        return next((character for character in self.characters if character.id == self.character_id), None)

    def sound(self, clip_id: str) -> SoundClip | None:
        """The sound with this identifier."""
        return next((clip for clip in self.timeline.sounds if clip.id == clip_id), None)

    def prompt(self, prompt_id: str) -> PromptSpan | None:
        """The direction with this identifier."""
        return next((prompt for prompt in self.timeline.prompts if prompt.id == prompt_id), None)
