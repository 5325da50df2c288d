"""The figures of detail: lips that close in time, small marks of a face that are kept, directions carried out in order.

Called by `figures`; each has interval, floor and ceiling as the others there.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from training.bench.closures import ClosureCounts, closure_counts
from training.bench.following import share_followed
from training.bench.judge import ActorResult
from training.bench.measures import is_moving
from training.bench.report import Figure
from training.bench.statistics import bootstrap, mean
from training.bench.views import Results, View, plain_figure, pooled_figure, reading_of


def detail_figures(results: Results) -> list[Figure]:
    """In the order of the report."""
    return [*_closure_figures(results), *_sibling_figures(results), *_direction_figures(results)]


def _closure_figures(results: Results) -> list[Figure]:
    return [
        pooled_figure("closures_seen", "lips seen to close at p, b, m", results, _closures, _share_seen),
        pooled_figure(
            "closures_by_chance", "the same with the film shifted in time", results, _closures, _share_by_chance
        ),
    ]


def _closures(one: ActorResult, view: View) -> ClosureCounts:
    return closure_counts(one.speak.closures, reading_of(one.speak, view), one.speak.truth)


def _share_seen(counts: Sequence[ClosureCounts]) -> float:
    """Over all actors' closures together; 0 where nothing closes."""
    return _share(counts, lambda count: count.num_seen)


def _share_by_chance(counts: Sequence[ClosureCounts]) -> float:
    return _share(counts, lambda count: count.num_by_chance)


def _share(counts: Sequence[ClosureCounts], part: Callable[[ClosureCounts], float]) -> float:
    total = sum(count.num_true for count in counts)
    return sum(part(count) for count in counts) / total if total else 0.0


def _sibling_figures(results: Results) -> list[Figure]:
    rows = (
        ("sibling_top1", "own face nearest among siblings", _is_nearest),
        ("siblings_farther", "siblings farther off than the own face", _share_farther),
    )
    return [
        Figure(
            name=name,
            title=title,
            estimate=bootstrap([item(one, "film") for one in results], mean),
            floor=mean([item(one, "truth") for one in results]),
        )
        for name, title, item in rows
    ]


def _is_nearest(one: ActorResult, view: View) -> float:
    """A clip that hardly moves is a miss here too."""
    return float(is_moving(reading_of(one.speak, view), one.speak.truth) and _family_errors(one, view).argmin() == 0)


def _share_farther(one: ActorResult, view: View) -> float:
    own, *siblings = _family_errors(one, view).tolist()
    return mean([sibling > own for sibling in siblings])


def _family_errors(one: ActorResult, view: View) -> NDArray[np.float32]:
    return one.family.truth_F if view == "truth" else one.family.film_F


def _direction_figures(results: Results) -> list[Figure]:
    untold = [
        share_followed(one.directed.told, one.directed.untold, one.directed.truth, one.reference)
        for one in results
        if one.directed.untold is not None
    ]
    return [
        plain_figure("directions_hit", "directions carried out, in order", results, _follows),
        Figure(
            name="directions_when_not_told",
            title="the same where nothing was told",
            estimate=bootstrap(untold, mean),
        ),
    ]


def _follows(one: ActorResult, view: View) -> float:
    directed = one.directed
    return share_followed(directed.told, reading_of(directed, view), directed.truth, one.reference)
