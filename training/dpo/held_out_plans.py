"""What preference training did to plans that it never saw: made anew from the same noise as the reference's, and judged beside them.

A plan wins where it dominates the reference's, so the share of wins less that of losses is what the training gained, with no axis
paid for by another. Called by the recipe of DPO and by its table.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from engine.model.transformer import Transformer
from training.dpo.candidates import CandidateMaker
from training.dpo.pareto import Candidate, dominates

LEAST_MOTION: Final = 0.8  # of what the reference moves; less is a model that learned that stillness pleases
Judged = list[list[Candidate]]


@dataclass(kw_only=True)
class HeldOutPlans:
    """Satisfies `training.tasks.preference.HeldOut`. `maker` has the reference and the held-out clips; `further` measures besides."""

    maker: CandidateMaker
    policy: Transformer
    further: Callable[[], dict[str, float]] = dict
    latest: dict[str, float] = field(default_factory=dict)

    def measure(self) -> dict[str, float]:
        """The mean of each axis, the share of wins less that of losses, and how much plans move against the reference's."""
        policy = replace(self.maker, motion=replace(self.maker.motion, transformer=self.policy))
        judged = judge_all(policy)
        self.latest = {
            "held_out_wins": net_wins(self.maker, self.of_reference, judged),
            "held_out_motion_ratio": _mean_motion(judged) / max(_mean_motion(self.of_reference), 1e-6),
            **{f"held_out_{axis}": float(np.mean(values)) for axis, values in axis_values(judged).items()},
        }
        return {**self.latest, **self.further()}

    def complaint(self) -> str | None:
        """Where plans have come to move less than those of the reference."""
        ratio = self.latest.get("held_out_motion_ratio", 1.0)
        if ratio >= LEAST_MOTION:
            return None
        return f"plans move {ratio:.2f} times as much as before (at least {LEAST_MOTION}): stillness was learned"

    @cached_property
    def of_reference(self) -> Judged:
        """The reference's own plans, judged once."""
        return judge_all(self.maker)


def judge_all(maker: CandidateMaker) -> Judged:
    """The candidates of all scenes of a maker."""
    numbers = list(range(maker.config.num_scenes))
    batches = (numbers[first : first + maker.config.at_once] for first in range(0, len(numbers), maker.config.at_once))
    return [judged for batch in batches for judged in maker.judged(batch)[2]]


def net_wins(maker: CandidateMaker, before: Judged, after: Judged) -> float:
    """Share of plans that dominate the one of the same noise before, less the share of those that it dominates."""
    pairs = [
        (one.scores, other.scores)
        for ones, others in zip(before, after, strict=True)
        for one, other in zip(ones, others, strict=True)
    ]
    pareto = maker.config.pareto
    wins = [dominates(pareto, after, before) - dominates(pareto, before, after) for before, after in pairs]
    return float(np.mean(wins))


def axis_values(judged: Judged) -> dict[str, list[float]]:
    """Of each axis the mean over the seeds of each scene that has it."""
    axes = list(dict.fromkeys(axis for scene in judged for axis in scene[0].scores))
    return {
        axis: [float(np.mean([one.scores[axis] for one in scene])) for scene in judged if axis in scene[0].scores]
        for axis in axes
    }


def _mean_motion(judged: Judged) -> float:
    return float(np.mean([one.motion for scene in judged for one in scene]))
