"""A live session's plan of motion: the rows of a chunk are planned with it, and taken back with it.

Called by the generators, which draw what is planned: at once, or later and in another thread. It must not know sessions.
"""

import threading
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.flow.guidance import GuidanceScales
from engine.model_config import AudioWindow
from engine.motion.plan import MotionTold
from engine.motion.planner import MotionPlanner
from engine.online.conditions import ChunkConditions
from engine.online.noise import MOTION_STEP, NoiseSource


class LiveMotion:
    """A session's plan of motion, chunk by chunk."""

    def __init__(
        self,
        planner: MotionPlanner,
        windows: tuple[AudioWindow, AudioWindow],
        noise: NoiseSource,
        no_text_BSD: Tensor | None = None,
    ) -> None:
        """`windows` are those of speaking and listening that rows of sound come for; `noise` is of rows [M, 1, 1].

        `no_text_BSD` is what guidance tells the branch without text; None stands for zeros.
        """
        self.planner, self.windows, self.noise, self.no_text_BSD = planner, windows, noise, no_text_BSD

    @property
    def history_rows(self) -> int:
        """How far a plan looks back."""
        return self.planner.motion.settings.history_rows

    @property
    def num_bytes(self) -> int:
        """Memory of the rows that are kept, at most."""
        return self.planner.tail.num_bytes

    def plan(self, first_latent: int, conditions: ChunkConditions, history_latents: int) -> Tensor:
        """The rows [1, F, M] of a chunk at `first_latent`, going back to it first; its rows of sound begin `history_latents` before it.

        `ValueError` where the plan does not reach it.
        """
        self.planner.truncate(first_latent)
        if self.planner.length != first_latent:
            raise ValueError(f"a plan of {self.planner.length} rows cannot go on at latent {first_latent}")
        # Where rows of sound begin, from the first row of the plan's history.
        behind = self.planner.num_history - history_latents
        speak, listen = self.windows
        told = MotionTold(
            text_BSD=conditions.text_BSD,
            speak_BAD=conditions.speak_BAD,
            listen_BAD=conditions.listen_BAD,
            speak_start_row=behind * speak.rows_per_latent - speak.rows_before,
            listen_start_row=behind * listen.rows_per_latent - listen.rows_before,
            no_text_BSD=self.no_text_BSD,
        )
        noise_BFM = self.noise.draw(first_latent, conditions.num_latents, MOTION_STEP)[..., 0, 0]
        self.planner.plan(told, noise_BFM, GuidanceScales() if conditions.effort else None)
        return self.planner.rows(first_latent)

    def tensors(self) -> dict[str, Tensor]:
        """The plan, to be kept in a file."""
        return self.planner.tensors()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on a plan from a file; `BadInputError` unless it fits."""
        self.planner.load(tensors)


class PlannedRows:
    """Rows of chunks that are planned, for whoever draws by them later, perhaps in another thread.

    What was planned of a latent last counts. A chunk that was withdrawn keeps rows of some kind, since it may be under way yet;
    nobody looks at what it comes to.
    """

    def __init__(self, slack_latents: int) -> None:
        """`slack_latents` behind the rows that were fetched last stay known."""
        self._slack_latents = slack_latents
        self._rows_BM: dict[int, Tensor] = {}
        self._lock = threading.Lock()

    def put(self, first_latent: int, rows_BFM: Tensor) -> None:
        """The rows of a chunk at `first_latent`, in place of others."""
        with self._lock:
            self._rows_BM |= dict(enumerate(rows_BFM.unbind(dim=1), start=first_latent))

    def fetch(self, first_latent: int, num_latents: int) -> Tensor:
        """The rows [B, F, M] of a chunk; `ValueError` where none were put there."""
        with self._lock:
            oldest = first_latent - self._slack_latents
            self._rows_BM = {latent: row_BM for latent, row_BM in self._rows_BM.items() if latent >= oldest}
            try:
                rows = [self._rows_BM[latent] for latent in range(first_latent, first_latent + num_latents)]
            except KeyError as missing:
                raise ValueError(f"no motion is planned for latent {missing}; draft its chunk first") from None
        return torch.stack(rows, dim=1)
