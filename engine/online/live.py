"""What crosses the border of a live session: its configuration, frames and reports. NumPy and frozen dataclasses only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError
from engine.online.lookahead import LookaheadConfig
from engine.online.states import LiveState
from engine.shapes import FRAME_RATE_HZ

SPLITS: Final = ("pipeline", "one worker", "caller")

STATE_PROMPTS: Final[Mapping[LiveState, tuple[str, ...]]] = MappingProxyType(
    {
        LiveState.IDLE: (
            "waits, looks at the viewer",
            "sits quietly, glances to the left",
            "waits, keeps eye contact",
            "says nothing, glances to the right",
            "sits quietly, tilts the head to the left",
            "waits, looks at the viewer",
            "stays silent, looks down",
            "sits quietly, raises the eyebrows",
        ),
        LiveState.LISTENING: ("listens attentively, looks at the viewer",),
    }
)
"""What a character without a direction does; of several, each holds for `idle_prompt_s` and they come in an order of chance."""

MICROPHONE_LAG_S: Final = 0.1
"""`LiveConfig.listen_lag_s` for who listens by a microphone. What waits is heard that much later until it is skipped, quiet at once."""

_MOST_PROMPT_LETTERS: Final = 2000


def checked_direction(text: str) -> str:
    """A direction on one line; `BadInputError` for one that is too long."""
    if len(text) > _MOST_PROMPT_LETTERS:
        raise BadInputError(f"a direction of {len(text)} letters is too long; use at most {_MOST_PROMPT_LETTERS}")
    return " ".join(text.split())


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """How a session runs.

    chunk_latents: None is the pack's own; shorter chunks answer sooner and cost more for each second.
    listen_lag_s: heard sound that waits longer than this is skipped, so that the character never reacts to what is long
        past; None keeps everything, as for sound from files that is pushed at once.
    most_waiting_s: sound that may wait at most; more is refused.
    split: `pipeline` works on the stages of neighbouring chunks at once, a thread each; `one worker` does all in one thread
        with all cores; `caller` has no threads, and the work is done in `pull` and `work`.
    can_degrade: whether a chunk may cost less than the whole work where the machine cannot keep up.
    effort: what every chunk costs from the start, counted along the generator's efforts: 0 is the whole work, 1 the lighter setting
        for machines without bf16 matrix units.
    """

    seed: int = 0
    prompt: str = ""
    chunk_latents: int | None = None
    listen_lag_s: float | None = None
    most_waiting_s: float = 120.0
    split: str = "pipeline"
    lookahead: LookaheadConfig = field(default_factory=LookaheadConfig)
    can_degrade: bool = True
    effort: int = 0
    state_prompts: Mapping[LiveState, tuple[str, ...]] = field(default_factory=lambda: STATE_PROMPTS)
    idle_prompt_s: float = 3.0

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"the work is split as {', '.join(SPLITS)}, not {self.split!r}")
        if self.seed < 0 or self.effort < 0 or self.most_waiting_s <= 0 or self.idle_prompt_s <= 0:
            raise ValueError("seed, effort, most_waiting_s and idle_prompt_s count from 0 up")
        if self.listen_lag_s is not None and self.listen_lag_s < 0:
            raise ValueError(f"listen_lag_s is {self.listen_lag_s}; it must be 0 or more, or None")


@dataclass(frozen=True, kw_only=True)
class LiveFrame:
    """One frame of the session's clock: frame `index` is shown at index / 24 s, with exactly its sound (1000 samples a frame).

    is_repeat: the picture was not ready and the one before is shown again; the sound is never late.
    """

    index: int
    picture_HWC: NDArray[np.uint8]
    speak_S: NDArray[np.float32]
    listen_S: NDArray[np.float32]
    state: LiveState
    chunk: int
    is_repeat: bool


@dataclass(frozen=True, kw_only=True)
class ChunkCosts:
    """Seconds that a chunk cost: of each stage by the clock, of each stage computing, of the worker that it kept longest."""

    stages_s: Mapping[str, float]
    cpu_stages_s: Mapping[str, float]
    busiest_s: float


@dataclass(frozen=True, kw_only=True)
class ChunkReport:
    """How a chunk came about: its frames, what it was told, and seconds by stage, by the clock and computing.

    `latency_s` is from its beginning to its last picture.
    """

    chunk: int
    first_frame: int
    num_frames: int
    state: LiveState
    prompt: str
    effort: str
    latency_s: float
    stages_s: Mapping[str, float]
    cpu_stages_s: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class SessionReport:
    """Figures of a session so far; percentiles are over its last few thousand chunks and packets.

    real_time_factor: seconds that the busiest worker needs for a second of film; below 1 the session can keep up.
    work_s_per_s: seconds of all workers together. Both are by the wall clock; `cpu_stages_s` is what the workers' own threads
    computed, without waiting for a core that others use.
    """

    shown_frames: int
    repeated_frames: int
    dropped_frames: int
    withdrawn_frames: int
    num_chunks: int
    real_time_factor: float
    work_s_per_s: float
    stages_s: Mapping[str, float]
    cpu_stages_s: Mapping[str, float]
    chunk_ms_p50: float
    chunk_ms_p95: float
    first_frame_s: float
    reaction_p50_s: float
    reaction_p95_s: float
    skipped_listen_s: float
    lookahead_frames: int
    most_ahead_frames: int
    cache_bytes: int
    generator: str
    pace: str
    paces: tuple[str, ...]


def suggested_text(config: LiveConfig, state: LiveState, frame: int) -> str:
    """What a state suggests to a character without a direction; empty where it suggests nothing."""
    choices = config.state_prompts.get(state, ())
    if not choices:
        return ""
    turn = frame // max(round(config.idle_prompt_s * FRAME_RATE_HZ), 1)
    return choices[int(np.random.SeedSequence((config.seed, turn)).generate_state(1)[0]) % len(choices)]
