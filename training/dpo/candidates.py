"""Candidates of many seeds for the same scene, judged: the preference data of the actor (paper 3.2).

Built once for a motion model, some scenes at once, so that a kill costs those. Called by the recipe of DPO.
"""

import itertools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import torch
from einops import rearrange
from torch import Tensor

from engine.motion.plan import MotionModel
from training.data.motion_rows import FRAMES_PER_ROW, states_of
from training.data.windows import ClipFeatures
from training.dpo.pairs import PAIRS_NAME, PLANS, PreferencePair, read_pairs, write_pairs, write_scene
from training.dpo.pareto import Candidate, ParetoConfig, winning_pairs
from training.dpo.plan_scenes import SceneShape, cut_scene, plan_scenes
from training.dpo.scores import score_plan

logger = logging.getLogger(__name__)

POLL_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class CandidateConfig:
    """How many scenes, of what shape, with how many seeds each and chosen how. `at_once`: scenes that are planned as one batch."""

    num_scenes: int = 1024
    num_seeds: int = 6
    shape: SceneShape = field(default_factory=SceneShape)
    pareto: ParetoConfig
    at_once: int = 16

    def __post_init__(self) -> None:
        if self.num_seeds < 2:
            raise ValueError("a preference needs two candidates")


@dataclass(frozen=True, kw_only=True)
class CandidateMaker:
    """Who plans, in which clips."""

    motion: MotionModel
    features: ClipFeatures
    config: CandidateConfig

    def build(self, folder: Path) -> list[PreferencePair]:
        """Every scene's pairs; makes this process's share of the missing, waits for the others' and writes the one file of all."""
        self.make_scenes(folder)
        parts = [scene_pairs_path(folder, number) for number in range(self.config.num_scenes)]
        while not all(part.exists() for part in parts):
            time.sleep(POLL_S)
        pairs = [pair for part in parts for pair in read_pairs(part)]
        if os.environ.get("RANK", "0") == "0":
            write_pairs(folder / PAIRS_NAME, pairs)
        return pairs

    def make_scenes(self, folder: Path, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Makes and judges this process's share of the missing scenes, a batch at least and as long as it `goes_on`.

        Returns how many scenes follow on each other from the first.
        """
        (folder / "scenes").mkdir(parents=True, exist_ok=True)
        rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        num_scenes, at_once = self.config.num_scenes, self.config.at_once
        for first in range(rank * at_once, num_scenes, size * at_once):
            if first >= size * at_once and not goes_on():
                break
            numbers = range(first, min(first + at_once, num_scenes))
            missing = [number for number in numbers if not scene_pairs_path(folder, number).exists()]
            if missing:
                self._make(folder, missing)
                logger.info("preferences: scene %d of %d", numbers[-1] + 1, num_scenes)
        return next(number for number in itertools.count() if not scene_pairs_path(folder, number).exists())

    def judged(self, numbers: list[int]) -> tuple[list[dict[str, Tensor]], Tensor, list[list[Candidate]]]:
        """Of each scene: what is told, its plans [scenes, N, F, M], and what the measures say of each.

        A plan's noise follows from the numbers of its scene and of its seed alone.
        """
        shape, seeds = self.config.shape, range(self.config.num_seeds)
        samples = [cut_scene(self.features, shape, number) for number in numbers]
        batch = {
            name: torch.stack([sample[name] for sample in samples]).repeat_interleave(len(seeds), dim=0)
            for name in samples[0]
        }
        size = (shape.num_rows, self.motion.row_width)
        noise_BFM = torch.stack(
            [
                torch.randn(size, generator=torch.Generator().manual_seed(1_000 * number + seed))
                for number in numbers
                for seed in seeds
            ]
        )
        plans_BFM = plan_scenes(self.motion, shape, batch, noise_BFM)
        history_BFM = batch["motion_FM"][:, : shape.history]
        planned_BTK = states_of(torch.cat([history_BFM, plans_BFM], dim=1)).numpy()
        true_BTK = states_of(batch["motion_FM"]).numpy()
        candidates = [
            score_plan(planned_TK, true_TK, FRAMES_PER_ROW * shape.history)
            for planned_TK, true_TK in zip(planned_BTK, true_BTK, strict=True)
        ]
        judged = [candidates[first : first + len(seeds)] for first in range(0, len(candidates), len(seeds))]
        return samples, rearrange(plans_BFM, "(s n) f m -> s n f m", n=len(seeds)), judged

    def _make(self, folder: Path, numbers: list[int]) -> None:
        for number, sample, plans_NFM, judged in zip(numbers, *self.judged(numbers), strict=True):
            name = f"scene-{number:06d}"
            write_scene(folder, name, {**sample, PLANS: plans_NFM})
            pairs = [
                PreferencePair(
                    scene=name,
                    winner=winner,
                    loser=loser,
                    judge="measures",
                    scores={"winner": dict(judged[winner].scores), "loser": dict(judged[loser].scores)},
                )
                for winner, loser in winning_pairs(self.config.pareto, judged)
            ]
            write_pairs(scene_pairs_path(folder, number), pairs)


def scene_pairs_path(folder: Path, number: int) -> Path:
    """The pairs of one scene, written when its candidates are."""
    return folder / "scenes" / f"scene-{number:06d}.jsonl"


def asked(config: CandidateConfig) -> str:
    """Everything that decides what a scene's candidates are, as text."""
    free = ("num_scenes", "at_once")
    return repr(sorted((name, value) for name, value in asdict(config).items() if name not in free))
