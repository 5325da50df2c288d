"""What crosses the border of a live conversation: how it is set up, what is asked of it, what it tells. Frozen dataclasses only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from studio.live.sound_ports import MicrophoneChoice

if TYPE_CHECKING:
    from engine import Character
    from studio.live.recording import Recording


class MicrophoneUse(StrEnum):
    """Whose voice comes from the microphone."""

    LISTEN = "listen"  # a partner's, whom the character hears
    SPEAK = "speak"  # the character's own: it says what one says


@dataclass(frozen=True, kw_only=True)
class LiveSetup:
    """What a session begins with.

    has_headphones: whether the loudspeaker is at one's ears. If not, a microphone in the room is not listened to while the
    character speaks, and one's own voice is not played back: there is no echo cancelling here.
    """

    character: "Character"
    pack: str
    microphone: MicrophoneChoice | None = None
    use: MicrophoneUse = MicrophoneUse.LISTEN
    has_headphones: bool = False
    prompt: str = ""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Say:
    """Speak this sound, mono at 24 kHz, after what is being said."""

    sound_S: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Interrupt:
    """Stop speaking."""


@dataclass(frozen=True, kw_only=True)
class Direct:
    """A direction in words, from the next chunk on."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """Film from the next frame on; the recording is open already, for opening takes longer than a frame."""

    recording: "Recording"


@dataclass(frozen=True, kw_only=True)
class StopRecording:
    """Finish the film."""


LiveRequest = Say | Interrupt | Direct | Record | StopRecording


@dataclass(frozen=True, kw_only=True)
class LiveFacts:
    """What a session is, once its first picture is there. `is_causal`: false where the base model performs in windows."""

    pack: str
    is_causal: bool
    size_px: int
    chunk_frames: int
    first_frame_s: float
    has_loudspeaker: bool


@dataclass(frozen=True, kw_only=True)
class LiveMeters:
    """Figures of a moment. `stages_ms` are those of the newest chunk, in the order of the work."""

    shown_frames: int
    repeated_frames: int
    dropped_frames: int
    ahead_frames: int
    stages_ms: Mapping[str, float]
    chunk_ms_p50: float
    chunk_ms_p95: float
    reaction_ms_p50: float
    real_time_factor: float
    pace: str
    microphone_db: float | None
    recorded_s: float | None
