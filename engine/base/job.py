"""What a performance is asked for and what comes back: the frozen border of offline performing. No tensors cross it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.characters import Character
from engine.errors import BadInputError
from engine.flow.guidance import GuidanceScales
from engine.media.samples import Samples, Silenced, blocks
from engine.shapes import FRAME_RATE_HZ, PROMPT_FRAMES, SOUND_RATE_HZ
from engine.turns import in_turn

SAMPLES_PER_FRAME = SOUND_RATE_HZ // FRAME_RATE_HZ

Track = Literal["speak", "listen"]


@dataclass(frozen=True, kw_only=True)
class PromptSpan:
    """A direction in words for frames [start_frame, end_frame)."""

    start_frame: int
    end_frame: int
    text: str

    def __post_init__(self) -> None:
        if not 0 <= self.start_frame < self.end_frame:
            raise BadInputError(
                f"a prompt's span must begin at 0 or later and end after it begins, not {self.start_frame}..{self.end_frame}"
            )

    def shared_by(self, texts: tuple[str, ...]) -> "tuple[PromptSpan, ...]":
        """The span's frames shared evenly by directions in turn (`engine.turns.in_turn`)."""
        return tuple(
            PromptSpan(start_frame=start, end_frame=end, text=text)
            for start, end, text in in_turn(self.start_frame, self.end_frame, texts)
        )


def prompts_in_turn(
    texts: tuple[str, ...], num_frames: int, frames_each: int = PROMPT_FRAMES
) -> tuple[PromptSpan, ...]:
    """Directions one after another, `frames_each` long; the last holds to the film's end, a blank one is none.

    `BadInputError` where the film ends before the last one begins.
    """
    if frames_each < 1 or (len(texts) - 1) * frames_each >= num_frames:
        raise BadInputError(
            f"{len(texts)} directions of {frames_each} frames each do not fit into a film of {num_frames}; "
            "leave some out, or let each be shorter"
        )
    ends = [*(frames_each * place for place in range(1, len(texts))), num_frames]
    return tuple(
        PromptSpan(start_frame=place * frames_each, end_frame=end, text=text.strip())
        for place, (text, end) in enumerate(zip(texts, ends, strict=True))
        if text.strip()
    )


@dataclass(frozen=True, kw_only=True)
class MuteSpan:
    """Frames [start_frame, end_frame) in which one track is as if it were not there."""

    track: Track
    start_frame: int
    end_frame: int

    def __post_init__(self) -> None:
        if self.track not in ("speak", "listen") or not 0 <= self.start_frame < self.end_frame:
            raise BadInputError(
                f"a mute takes speak or listen and frames that end after they begin, "
                f"not {self.track} {self.start_frame}..{self.end_frame}"
            )


@dataclass(frozen=True, kw_only=True)
class PerformJob:
    """One film to make. Sounds are mono float32 at 24 kHz and may be shorter or longer than the film; None is silence.

    A sound is an array, or anything that is read by slices (`engine.media.samples`): a long film then takes no more memory
    than a short one.
    """

    character: Character
    num_frames: int
    speak_S: Samples | None = None
    listen_S: Samples | None = None
    mutes: tuple[MuteSpan, ...] = ()
    prompts: tuple[PromptSpan, ...] = ()
    first_frame_HWC: NDArray[np.uint8] | None = None
    seed: int = 0
    num_steps: int | None = None
    guidance: GuidanceScales | None = None

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise BadInputError(
                f"a film needs at least one frame, not {self.num_frames}; give a longer sound or --seconds"
            )
        for name, sound_S in (("speaking", self.speak_S), ("listening", self.listen_S)):
            if sound_S is not None and not _is_mono(sound_S):
                raise BadInputError(f"the {name} track must be one channel of finite numbers")
        if self.num_steps is not None and self.num_steps < 1:
            raise BadInputError(f"the number of steps must be at least 1, not {self.num_steps}")

    def track(self, name: Track) -> Samples | None:
        """A track as it is heard: silent where it is muted; None where there is none."""
        sound_S = self.speak_S if name == "speak" else self.listen_S
        spans = [
            (mute.start_frame * SAMPLES_PER_FRAME, mute.end_frame * SAMPLES_PER_FRAME)
            for mute in self.mutes
            if mute.track == name
        ]
        return sound_S if sound_S is None or not spans else Silenced(sound_S, spans)

    @property
    def directions(self) -> "Directions":
        """What is told when, in the words that were given."""
        return Directions(spans=self.prompts, num_frames=self.num_frames)


@dataclass(frozen=True, kw_only=True)
class Directions:
    """The directions of a film of `num_frames`."""

    spans: tuple[PromptSpan, ...]
    num_frames: int

    def at(self, frame: int) -> str:
        """The direction that holds at a frame; the later one where spans overlap; empty where there is none."""
        texts = [span.text for span in self.spans if span.start_frame <= frame < span.end_frame]
        return texts[-1] if texts else ""

    def over(self, start_frame: int, end_frame: int) -> str:
        """The direction that holds in most of the frames [start, end); the earlier one of two that share them evenly.

        Frames beyond the film count as its first or last one.
        """
        frames = np.clip(np.arange(start_frame, end_frame), 0, self.num_frames - 1)
        texts = Counter(self.at(int(frame)) for frame in frames)
        return texts.most_common(1)[0][0]


def _is_mono(sound_S: Samples) -> bool:
    return sound_S.ndim == 1 and all(bool(np.isfinite(block_S).all()) for block_S in blocks(sound_S))


@dataclass(frozen=True, kw_only=True)
class FilmPiece:
    """The next frames of a film, uint8 RGB [T, H, W, 3], and where the work stands.

    `join_frames` are the frames that begin behind a join of two windows: the jump to be judged is the one from the frame before.
    `is_reused` says that its window had been made before, under the very same inputs.
    """

    start_frame: int
    frames_THWC: NDArray[np.uint8]
    num_frames: int
    stages_s: dict[str, float] = field(default_factory=dict)
    join_frames: tuple[int, ...] = ()
    is_reused: bool = False

    @property
    def progress(self) -> tuple[int, int]:
        """Frames done, frames in all."""
        return self.start_frame + len(self.frames_THWC), self.num_frames
