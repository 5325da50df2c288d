"""Two base models on the same held-out scenes with the same noise: what preference optimisation did, axis by axis.

The axes that chose the winners are the targets; motion and the distance from the truth are there to show that nothing was paid for them.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.bench.statistics import Estimate, bootstrap, mean
from training.distillation.films import cut_film
from training.dpo.candidates import CandidateMaker
from training.recipes.places import Places
from training.recipes.tiny import NUM_HELD_OUT_CLIPS, clip_features, features_slice
from training.recipes.tiny_dpo import candidate_maker
from training.recipes.tiny_online import base_teacher

NUM_SEEDS = 2
Scored = list[dict[str, float]]


def compare_bases(
    places: Places, before: Path, after: Path, num_scenes: int, tell: Callable[[str], None]
) -> dict[str, object]:
    """Each axis before and after, and the difference paired by scene, with its interval."""
    held_out = features_slice(clip_features(places), slice(0, NUM_HELD_OUT_CLIPS))
    maker = candidate_maker(places, held_out)
    maker = replace(maker, config=replace(maker.config, num_seeds=NUM_SEEDS))
    scored = {
        name: _scores(replace(maker, score=base_teacher(replace(places, parts=folder))), num_scenes, tell)
        for name, folder in (("before", before), ("after", after))
    }
    axes = list(dict.fromkeys(axis for scores in scored["before"] for axis in scores))
    return {"scenes": num_scenes, "seeds": NUM_SEEDS, "axes": {axis: compared(axis, **scored) for axis in axes}}


def compared(axis: str, before: Scored, after: Scored) -> dict[str, object]:
    """One axis over the scenes that have it."""
    pairs = [
        (one[axis], other[axis]) for one, other in zip(before, after, strict=True) if axis in one and axis in other
    ]
    gain = bootstrap([later - earlier for earlier, later in pairs], mean)
    assert gain is not None, "an axis is only named where a scene has it"
    return {
        "before": round(float(np.mean([earlier for earlier, _ in pairs])), 4),
        "after": round(float(np.mean([later for _, later in pairs])), 4),
        "gain": _as_json(gain),
        "scenes": len(pairs),
    }


def _as_json(estimate: Estimate) -> dict[str, object]:
    return {"value": round(estimate.value, 4), "interval": [round(end, 4) for end in estimate.interval]}


def _scores(maker: CandidateMaker, num_scenes: int, tell: Callable[[str], None]) -> Scored:
    """Of each scene the mean over its seeds; higher is better on every axis but `motion`, which should stay."""
    scenes = []
    for number in range(num_scenes):
        sample = cut_film(maker.features, number, maker.config.num_latents)
        _, judged = maker.judged(sample, number)
        axes = judged[0].scores
        scene = {axis: float(np.mean([one.scores[axis] for one in judged])) for axis in axes}
        scenes.append({**scene, "motion": float(np.mean([one.motion for one in judged]))})
        tell(f"{number + 1} of {num_scenes} scenes judged")
    return scenes
