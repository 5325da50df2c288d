"""The shares that a step's samples are cut into, independent of how many processes there are to work on them.

A run begins with as many slots as it has processes times accumulated batches, and keeps them: slot s always takes the same
samples with the same noise, so that a run resumed on another number of processes goes on as it was. Called by the trainer.
"""

from dataclasses import dataclass

from engine.errors import BadInputError
from training.parallel import World


@dataclass(frozen=True, kw_only=True)
class Slots:
    """All slots of a step and those that this process works on, one after another."""

    total: int
    mine: tuple[int, ...]

    @classmethod
    def shared(cls, total: int, data: World) -> "Slots":
        """`total` slots among the processes that see different samples; `BadInputError` where they do not divide."""
        if total % data.size:
            raise BadInputError(
                f"this run works on {total} batches a step, which {data.size} processes cannot share; resume it with a "
                f"number of processes that divides {total}"
            )
        return cls(total=total, mine=tuple(range(data.rank, total, data.size)))

    def as_world(self, slot: int) -> World:
        """The slot as a task's `batches` knows it: one of `total` equal takers of samples."""
        return World(rank=slot, size=self.total)

    def seed(self, run_seed: int, step: int) -> int:
        """Where the noise of a step begins; a slot adds its number."""
        return (run_seed * 1_000_003 + step) * 64
