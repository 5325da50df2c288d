"""Winners by Pareto dominance (paper 3.2): better on at least one axis, worse on none; never a trade-off.

Pairs are matched in motion besides, because judges of any kind take stillness for quality and a model learns it from them.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Scores = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class ParetoConfig:
    """margins: by how much a score must differ to count, by axis, `default_margin` for others: what the measures' own noise is.

    tie_share: of a margin, by how much a score may be lower and still count as equal.
    most_motion_ratio: of the livelier to the calmer candidate of a pair.
    """

    margins: Mapping[str, float] = field(default_factory=dict)
    default_margin: float = 0.02
    tie_share: float = 0.5
    most_motion_ratio: float = 1.3

    def margin(self, axis: str) -> float:
        """The least difference that counts."""
        return self.margins.get(axis, self.default_margin)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Scores of one candidate, higher is better on every axis, and how much it moves (any unit, more than 0)."""

    scores: Scores
    motion: float


def dominates(config: ParetoConfig, one: Scores, other: Scores) -> bool:
    """Whether `one` is clearly better on some axis and, as far as the measures can tell, worse on none.

    `ValueError` unless both are scored on the same axes.
    """
    if one.keys() != other.keys():
        raise ValueError(f"candidates are scored on {sorted(one)} and {sorted(other)}; both need the same axes")
    is_better = any(one[axis] - other[axis] > config.margin(axis) for axis in one)
    return is_better and all(other[axis] - one[axis] <= config.tie_share * config.margin(axis) for axis in one)


def moves_alike(config: ParetoConfig, one: Candidate, other: Candidate) -> bool:
    """Whether two candidates move about as much."""
    ratio = math.log(max(one.motion, 1e-9) / max(other.motion, 1e-9))
    return abs(ratio) <= math.log(config.most_motion_ratio)


def winning_pairs(config: ParetoConfig, candidates: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """Indices (winner, loser) of every pair that may be learned from."""
    for winner, loser in itertools.permutations(range(len(candidates)), 2):
        if moves_alike(config, candidates[winner], candidates[loser]) and dominates(
            config, candidates[winner].scores, candidates[loser].scores
        ):
            yield winner, loser
