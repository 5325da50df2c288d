"""What a performance is asked for and what comes back: the frozen border of offline performing. No tensors cross it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.characters import Character
from engine.errors import BadInputError
from engine.flow.guidance import GuidanceScales
from engine.shapes import FRAME_RATE_HZ, SOUND_RATE_HZ

SAMPLES_PER_FRAME = SOUND_RATE_HZ // FRAME_RATE_HZ


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


@dataclass(frozen=True, kw_only=True)
class PerformJob:
    """One film to make. Sounds are mono float32 at 24 kHz and may be shorter or longer than the film; None is silence."""

    character: Character
    num_frames: int
    speak_S: NDArray[np.float32] | None = None
    listen_S: NDArray[np.float32] | None = None
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
            if sound_S is not None and (sound_S.ndim != 1 or not np.isfinite(sound_S).all()):
                raise BadInputError(f"the {name} track must be one channel of finite numbers")
        if self.num_steps is not None and self.num_steps < 1:
            raise BadInputError(f"the number of steps must be at least 1, not {self.num_steps}")

    def prompt_at(self, frame: int) -> str:
        """The direction that holds at a frame; the later one where spans overlap; empty where there is none."""
        texts = [span.text for span in self.prompts if span.start_frame <= frame < span.end_frame]
        return texts[-1] if texts else ""


@dataclass(frozen=True, kw_only=True)
class FilmPiece:
    """The next frames of a film, uint8 RGB [T, H, W, 3], and where the work stands."""

    start_frame: int
    frames_THWC: NDArray[np.uint8]
    num_frames: int
    stages_s: dict[str, float] = field(default_factory=dict)

    @property
    def progress(self) -> tuple[int, int]:
        """Frames done, frames in all."""
        return self.start_frame + len(self.frames_THWC), self.num_frames
