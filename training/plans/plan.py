"""What a plan is made of: stages as data. Run by `training.plans.conductor`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from training.recipes.places import Places
from training.recipes.run import Run
from training.time_budget import TimeBudget

Recipe = Callable[[Places], Run]
Make = Callable[[Places, TimeBudget], int]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The held-out measure that decides about a stage, by its name among those that the recipe's task takes.

    better: which way is better. least: what has to be reached besides, where being better than the start says little.
    """

    name: str
    better: Literal["higher", "lower"]
    least: float | None = None

    def is_beaten(self, before: float | None, after: float) -> bool:
        """Whether `after` is better than `before`; any figure is better than none (a correlation of what never changes)."""
        is_better = before is None or (after > before if self.better == "higher" else after < before)
        return is_better and (self.least is None or after > self.least)

    def __str__(self) -> str:
        least = "" if self.least is None else f", above {self.least:g}"
        return f"{self.name} ({self.better} is better{least})"


@dataclass(frozen=True, kw_only=True)
class MadeStage:
    """A stage that makes what later ones learn from: `make` makes as much as its time allows and returns how much there is.

    tells: how later stages get to know how much there is, if they must.
    """

    name: str
    share: float
    make: Make
    unit: str
    tells: Callable[[Places, int], Places] | None = None


@dataclass(frozen=True, kw_only=True)
class TrainedStage:
    """A stage that trains.

    share: of the time of the plan, in any unit; stages divide what is left by the shares that are left.
    starts_from: the file of parts whose presence means that the stage goes on from there; None: from where its recipe begins.
    gives: files that become parts where the stage is taken on. beside_clips: the folder beside the clips where they go instead.
    """

    name: str
    recipe: Recipe
    share: float
    measure: Measure
    starts_from: str | None
    gives: tuple[str, ...]
    beside_clips: str | None = None

    def folder_of_parts(self, places: Places) -> Path:
        """Where what the stage gives goes."""
        return places.parts if self.beside_clips is None else places.clips / self.beside_clips


Stage = MadeStage | TrainedStage


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Stages in order. `given`: files of parts that the plan begins with; `taken_along`: others, where they are there.

    packs: whether what comes out is a whole pack.
    prepare: what is done to the folder of parts before the first stage (older releases made others).
    """

    name: str
    stages: tuple[Stage, ...]
    given: tuple[str, ...]
    taken_along: tuple[str, ...] = ()
    packs: bool = True
    prepare: Callable[[Path], None] | None = None

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names) or min(stage.share for stage in self.stages) <= 0:
            raise ValueError("stages have names of their own and take some time")

    def allotted_s(self, index: int, left_s: float) -> float:
        """Seconds of a stage when `left_s` are left to it and to all after it; a second at least."""
        shares = [stage.share for stage in self.stages[index:]]
        return max(1.0, left_s * shares[0] / sum(shares))

    def only(self, names: tuple[str, ...]) -> tuple[Stage, ...]:
        """These of its stages; `KeyError` for one that it has not."""
        known = {stage.name: stage for stage in self.stages}
        return tuple(known[name] for name in names)

    def without(self, names: tuple[str, ...]) -> "Plan":
        """The plan less some of its stages."""
        return replace(self, stages=tuple(stage for stage in self.stages if stage.name not in names))
