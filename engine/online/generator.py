"""What makes latents chunk by chunk: the session and its pipeline see this and nothing else of a model.

Two implementations: `CausalRollout`, the paper's backbone and refiner, for packs that have them, and `BaseWindows`, the base
model's windows over one latent of history, for packs that do not.
"""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from engine.online.conditions import ChunkConditions


class ChunkGenerator(Protocol):
    """Plan and draft, and the refiner's stage, which may run in another thread; each goes back by itself to the latent it is asked for."""

    @property
    def history_latents(self) -> int:
        """How many latents before a chunk its rows of sound begin: as far as its history, or a plan of motion, looks back."""

    @property
    def has_plan(self) -> bool:
        """Whether `plan` does anything."""

    @property
    def has_refiner(self) -> bool:
        """Whether `refine` does anything."""

    @property
    def efforts(self) -> tuple[str, ...]:
        """What it can do, from the whole work to the least, in words; `ChunkConditions.effort` counts along these."""

    @property
    def cache_bytes(self) -> int:
        """Memory of its history, however long the session is."""

    def plan(self, first_latent: int, conditions: ChunkConditions) -> ChunkConditions:
        """What the models are told of a chunk at `first_latent`: the conditions with how the character moves in it."""

    def draft(self, first_latent: int, told: ChunkConditions) -> Tensor:
        """The first stage of drawing: a chunk [1, F, C, H, W] at `first_latent`, by what `plan` came to."""

    def refine(self, first_latent: int, draft_BFCHW: Tensor, told: ChunkConditions) -> Tensor:
        """The second stage: the final latents [1, F, C, H, W]."""

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a session's continuation depends on."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on what `tensors` gave; `BadInputError` unless it fits."""
