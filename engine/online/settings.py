"""How a pack's causal models are rolled out; read from the manifest's `[settings.online]`, the same in training and live."""

import itertools
from dataclasses import dataclass
from typing import Final

from engine.errors import BadInputError
from engine.flow.preconditioning import PRECONDITIONING_NAMES
from engine.flow.schedule import TIMESTEP_SCALE, warped_timesteps

POSITION_RULES: Final = ("window", "absolute")
_DEFAULT_TIMESTEPS: Final = warped_timesteps((1000.0, 2000.0 / 3, 1000.0 / 3), 5.0)


@dataclass(frozen=True, kw_only=True)
class HistoryWindow:
    """Which latents of the past a chunk attends to: the first `sink_latents` of the session and the last `window_latents`.

    slack_latents: how many latents at most can be taken back again (`KvCache.truncate`); they are kept but not attended to.
    positions: `window` counts RoPE time from the window's start, so that positions never end (paper 4.4); `absolute` counts
        from the session's start, as Self-Forcing does, and is here to compare with.
    """

    sink_latents: int
    window_latents: int
    slack_latents: int = 0
    positions: str = "window"

    def __post_init__(self) -> None:
        if self.sink_latents < 0 or self.window_latents < 0 or self.slack_latents < 0:
            raise ValueError(f"{self} counts latents and cannot be negative")
        if self.positions not in POSITION_RULES:
            raise ValueError(f"positions are {' or '.join(POSITION_RULES)}, not {self.positions!r}")

    def visible(self, num_latents: int) -> tuple[range, range]:
        """Of the first `num_latents` of a session, those that the next chunk attends to: of the sink, of the window."""
        sink = range(min(self.sink_latents, num_latents))
        return sink, range(max(self.sink_latents, num_latents - self.window_latents), num_latents)


@dataclass(frozen=True, kw_only=True)
class OnlineSettings:
    """Steps, chunks, history and sound of an online pack.

    backbone_timesteps: T_0, T_1 of the backbone's steps, already warped by the schedule's shift; refiner_timestep: T_2 (4.3).
    chunk_latents: the chunk that the pack is meant for; chunk_choices: all that it was trained with. Six latents are 24
        frames, which is the paper's chunk; three and two answer sooner.
    sink_chunks, window_chunks: the history attended to, in chunks of `chunk_latents` (paper 5.2: 3 and 2). The paper counts
        "a 5-chunk context" with the current one, which these two numbers and the current chunk exceed by one; its text is
        followed, and shorter chunks see the same seconds of history.
    audio_history_frames, audio_future_frames: what an encoder hears before a chunk and after its end (4.1: 2 s and nothing).
        Where the pack plans motion, what a plan looks back upon lies within them: what lies before them is silence to it.
    preconditioning, residual_std, history_share: as in `engine.flow.preconditioning`, around the last latent before a chunk.
    """

    backbone_timesteps: tuple[float, ...] = _DEFAULT_TIMESTEPS[:2]
    refiner_timestep: float = _DEFAULT_TIMESTEPS[2]
    chunk_latents: int = 6
    chunk_choices: tuple[int, ...] = (6, 3, 2)
    sink_chunks: int = 3
    window_chunks: int = 2
    positions: str = "window"
    audio_history_frames: int = 48
    audio_future_frames: int = 0
    preconditioning: str = "identity"
    residual_std: tuple[float, ...] = (1.0,)
    history_share: float = 0.0
    max_references: int = 13

    def __post_init__(self) -> None:
        timesteps = (*self.backbone_timesteps, self.refiner_timestep)
        falling = all(earlier > later for earlier, later in itertools.pairwise(timesteps))
        if not self.backbone_timesteps or not falling or not 0 < timesteps[-1] <= timesteps[0] <= TIMESTEP_SCALE:
            raise ValueError(
                f"timesteps fall from {TIMESTEP_SCALE:g} towards 0 through backbone and refiner, not {timesteps}"
            )
        if self.chunk_latents not in self.chunk_choices or min(self.chunk_choices) < 1:
            raise ValueError(f"chunk_latents {self.chunk_latents} must be one of chunk_choices {self.chunk_choices}")
        if self.audio_history_frames < 0 or self.audio_future_frames < 0:
            raise ValueError("sound before and after a chunk is counted in frames from 0 up")
        if self.preconditioning not in PRECONDITIONING_NAMES:
            raise ValueError(f"there is no preconditioning {self.preconditioning!r}")
        self.history()

    def history(self, slack_latents: int = 0) -> HistoryWindow:
        """The history of either model, with room to take `slack_latents` back."""
        return HistoryWindow(
            sink_latents=self.sink_chunks * self.chunk_latents,
            window_latents=self.window_chunks * self.chunk_latents,
            slack_latents=slack_latents,
            positions=self.positions,
        )

    @property
    def context_latents(self) -> int:
        """Latents that a forward sees at most: sink, window and the longest chunk."""
        return (self.sink_chunks + self.window_chunks) * self.chunk_latents + max(self.chunk_choices)

    def check_reach(self, origin: int) -> None:
        """`ValueError` where history and chunk, counted from the window's start, would reach the references at RoPE time `origin`."""
        if self.context_latents > origin:
            raise ValueError(
                f"{self.sink_chunks} + {self.window_chunks} chunks of {self.chunk_latents} latents of history and a chunk of "
                f"{max(self.chunk_choices)} reach to RoPE time {self.context_latents}, over the references, which stand at {origin}; "
                f"shorten the history, or train a model with reference_positions.origin of {self.context_latents} or more"
            )

    def check_chunk(self, chunk_latents: int) -> int:
        """The chunk asked for; `BadInputError` unless the pack was trained with it."""
        if chunk_latents not in self.chunk_choices:
            choices = ", ".join(str(choice) for choice in self.chunk_choices)
            raise BadInputError(
                f"chunks of {chunk_latents} latents are not what this pack was made for; choose {choices}"
            )
        return chunk_latents
