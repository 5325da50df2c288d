"""What preference optimisation did: plans of held-out scenes by the models before and after, axis by axis, and the films of their packs.

Both plan the same scenes from the same noise. The axes that chose the winners are the targets; how much plans move, and the films' own
figures, are there to show that nothing was paid for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.bench.pack_films import pack_crew
from training.bench.quick import QuickConfig, run_quick
from training.bench.regressor import DEFAULT_FOLDER
from training.bench.statistics import Estimate, bootstrap, mean
from training.dpo.held_out_plans import Judged, judge_all, net_wins
from training.packing import build_pack
from training.plans.conductor import put
from training.plans.tiny import COMPONENTS
from training.recipes.parts import BASE_FILE, MOTION_FILE
from training.recipes.places import Places
from training.recipes.tiny import clip_features
from training.recipes.tiny_dpo import held_out_maker

MOTION = "motion_per_frame"
Tell = Callable[[str], None]


def compare_plans(places: Places, before: Path, after: Path, tell: Tell) -> dict[str, object]:
    """Each axis of the plans of held-out scenes before and after, and the difference paired by scene, with its interval."""
    features = clip_features(places)
    makers = [held_out_maker(replace(places, parts=folder), features) for folder in (before, after)]
    judged = []
    for name, maker in zip(("before", "after"), makers, strict=True):
        tell(f"plans of {maker.config.num_scenes} scenes {name}")
        judged.append(judge_all(maker))
    scored = [_by_scene(each) for each in judged]
    axes = list(dict.fromkeys(axis for scene in scored[0] for axis in scene))
    config = makers[0].config
    return {
        "scenes": config.num_scenes,
        "seeds": config.num_seeds,
        "wins_less_losses": round(net_wins(makers[0], *judged), 4),
        "axes": {axis: compared(axis, *scored) for axis in axes},
    }


def compare_films(
    output: Path, parts: Path, folders: dict[str, Path], config: QuickConfig, num_workers: int, tell: Tell
) -> dict[str, object]:
    """The packs whose motion model is that of each folder, by the measures of `lpm evaluate quick`."""
    figures: dict[str, object] = {}
    for name, folder in folders.items():
        tell(f"films {name}")
        pack = output / name / "pack"
        for part in (*COMPONENTS, BASE_FILE):
            put(parts / part, output / name / "weights" / part, is_linked=True, replaces=True)
        put(folder / MOTION_FILE, output / name / "weights" / MOTION_FILE, is_linked=True, replaces=True)
        build_pack([output / name / "weights"], pack, name, "0.1.0")
        with pack_crew(str(pack), DEFAULT_FOLDER, config, num_workers, "film") as crew:
            figures[name] = {figure.name: figure.as_table() for figure in run_quick(crew, config, tell).figures}
    return figures


def compared(axis: str, before: list[dict[str, float]], after: list[dict[str, float]]) -> dict[str, object]:
    """One axis over the scenes that have it."""
    pairs = list(_pairs(axis, before, after))
    gain = bootstrap([later - earlier for earlier, later in pairs], mean)
    assert gain is not None, "an axis is only named where a scene has it"
    return {
        "before": round(float(np.mean([earlier for earlier, _ in pairs])), 4),
        "after": round(float(np.mean([later for _, later in pairs])), 4),
        "gain": _as_json(gain),
        "scenes": len(pairs),
    }


def _pairs(axis: str, before: list[dict[str, float]], after: list[dict[str, float]]) -> Iterator[tuple[float, float]]:
    for one, other in zip(before, after, strict=True):
        if axis in one and axis in other:
            yield one[axis], other[axis]


def _as_json(estimate: Estimate) -> dict[str, object]:
    return {"value": round(estimate.value, 4), "interval": [round(end, 4) for end in estimate.interval]}


def _by_scene(judged: Judged) -> list[dict[str, float]]:
    """Of each scene the mean over its seeds; higher is better on every axis but how much plans move, which should stay."""
    return [
        {
            **{axis: float(np.mean([one.scores[axis] for one in scene])) for axis in scene[0].scores},
            MOTION: float(np.mean([one.motion for one in scene])),
        }
        for scene in judged
    ]
