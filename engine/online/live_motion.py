"""A live session's plan of motion: the rows of a chunk are planned with it, and taken back with it.

Called by the generators, which draw what is planned: at once, or later and in another thread. It must not know sessions.
"""

from collections.abc import Mapping
from typing import Final

from torch import Tensor

from engine.errors import BadInputError
from engine.flow.guidance import GuidanceScales
from engine.model_config import AudioWindow
from engine.motion.plan import MotionTold
from engine.motion.planner import MotionPlanner
from engine.online.conditions import ChunkConditions
from engine.online.live_anchors import LiveAnchors
from engine.online.noise import MOTION_STEP, NoiseSource
from engine.posing.retoucher import PlannedPose
from engine.references import ReferenceLatents

ANCHORS: Final = "anchors."


class LiveMotion:
    """A session's plan of motion, chunk by chunk."""

    def __init__(
        self,
        planner: MotionPlanner,
        windows: tuple[AudioWindow, AudioWindow],
        noise: NoiseSource,
        no_text_BSD: Tensor | None = None,
        anchors: LiveAnchors | None = None,
    ) -> None:
        """`windows` are those of speaking and listening that rows of sound come for; `noise` is of rows [M, 1, 1].

        `no_text_BSD` is what guidance tells the branch without text; None stands for zeros. `anchors` is None where the pack poses nothing.
        """
        self.planner, self.windows, self.noise, self.no_text_BSD = planner, windows, noise, no_text_BSD
        self._anchors = anchors

    @property
    def history_rows(self) -> int:
        """How far a plan looks back."""
        return self.planner.motion.settings.history_rows

    @property
    def num_bytes(self) -> int:
        """Memory of the rows that are kept, at most, and of their anchors in pose."""
        return self.planner.num_bytes + (self._anchors.num_bytes if self._anchors else 0)

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
            is_mute_BT=conditions.is_mute_BT,
            feeling=conditions.feeling,
            turn=conditions.turn,
        )
        noise_BFM = self.noise.draw(first_latent, conditions.num_latents, MOTION_STEP)[..., 0, 0]
        self.planner.plan(told, noise_BFM, GuidanceScales() if conditions.effort else None)
        return self.planner.rows(first_latent)

    def posed(self, references: ReferenceLatents, first_latent: int, num_history: int) -> ReferenceLatents:
        """The references with their anchor in the planned poses from a latent on, behind those of the history before it.

        They stay as they are where the pack poses nothing.
        """
        if self._anchors is None:
            return references
        rows_BFM, turns_BFT = self.planner.rows(first_latent), self.planner.turns(first_latent)
        return self._anchors.posed(references, first_latent, rows_BFM, num_history, turns_BFT)

    def pose(self, references: ReferenceLatents, first_latent: int, rows_BFM: Tensor) -> PlannedPose | None:
        """How a chunk of these rows is meant to look, where the anchor has a picture."""
        if references.anchor_picture is None:
            return None
        turns_BFT = self.planner.turns(first_latent)
        return PlannedPose(picture=references.anchor_picture, rows_BFM=rows_BFM, turns_BFT=turns_BFT)

    def truncate(self, length: int) -> None:
        """Take back what was planned after the first `length` latents; nothing where the plan is not that long."""
        self.planner.truncate(length)
        if self._anchors is not None:
            self._anchors.truncate(length)

    def tensors(self) -> dict[str, Tensor]:
        """The plan and its anchors in pose, to be kept in a file."""
        anchors = {} if self._anchors is None else self._anchors.tensors()
        return {**self.planner.tensors(), **{f"{ANCHORS}{name}": tensor for name, tensor in anchors.items()}}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on a plan from a file; `BadInputError` unless it fits."""
        self.planner.load(tensors)
        if self._anchors is None:
            return
        self._anchors.load({name.removeprefix(ANCHORS): x for name, x in tensors.items() if name.startswith(ANCHORS)})
        if self._anchors.length != self.planner.length:
            raise BadInputError("the session's anchors do not fit its plan of motion; open a new session")
