"""The figures of the expression ablation from the faces' results, each with interval, floor and ceiling.

Called by `reference_ablation_cli`. Intervals are over faces, since twins share a film and are not independent.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np

from training.bench.hidden_traits import HIDDEN_TRAITS
from training.bench.reference_ablation import FaceResult, View
from training.bench.report import Bar, Figure
from training.bench.statistics import area_under_curve, bootstrap, mean

Faces = Sequence[FaceResult]
Measure = Callable[[View, Faces], float]

CHANCE: Final = 0.5
LEAST_ACCURACY: Final = 0.75
TITLES: Final = {
    "tooth_gap": "gap between the teeth",
    "tooth_length": "long teeth",
    "tooth_scallop": "scalloped teeth",
    "dimples": "dimples",
}


def figures_of(faces: Faces, readable: Sequence[str]) -> list[Figure]:
    """Every figure in the order of the report; `ValueError` without a result.

    A trait that the reader cannot tell is reported, but has no bar and no part in the mean over traits.
    """
    if not faces or not readable:
        raise ValueError("no face was judged or no trait can be read, so there is nothing to report")
    all_readable = partial(_mean_accuracy, [HIDDEN_TRAITS.index(name) for name in readable])
    figures = _pair("traits", "hidden traits read rightly", all_readable, faces, LEAST_ACCURACY)
    for index, name in enumerate(HIDDEN_TRAITS):
        least = LEAST_ACCURACY if name in readable else None
        figures += _pair(name, f"{TITLES[name]}: read rightly", partial(_accuracy, index), faces, least)
        figures += _pair(f"{name}_auc", f"{TITLES[name]}: area under the curve", partial(_auc, index), faces)
        figures += _pair(f"{name}_twin", f"{TITLES[name]}: right twin shows more", partial(_right_twin, index), faces)
    figures += _pair("own_picture", "lower face nearer to its own than to its twin's", _nearer_to_own, faces)
    figures += _pair(
        "dimples_drawn",
        "dimples: film nearer to its face drawn with, or without",
        _right_dimples,
        faces,
        LEAST_ACCURACY,
    )
    figures += _pair("cheeks", "dimples: cheeks nearer to their own truth's than to the twin's", _right_cheeks, faces)
    figures += _pair(
        "back_print", "print on the back, told to turn round: its own", _right_prints, faces, LEAST_ACCURACY
    )
    figures += _pair("mouth_distance", "lower face's distance to its truth, 0..255", _mouth_distance, faces)
    gains: tuple[tuple[str, str, Measure], ...] = (
        ("traits_gain", "hidden traits: what references add", all_readable),
        ("mouth_distance_gain", "distance to the truth: what references add", _mouth_distance),
    )
    return figures + [
        Figure(name=name, title=title, estimate=bootstrap(faces, partial(_gain, measure)))
        for name, title, measure in gains
    ]


def _pair(name: str, title: str, measure: Measure, faces: Faces, least: float | None = None) -> list[Figure]:
    """The same figure with expression references and without; the bar is for the first."""
    floor, ceiling = measure("truth", faces), measure("codec", faces)
    return [
        Figure(
            name=name if view == "with" else f"{name}_without",
            title=title if view == "with" else "  the same from the global picture alone",
            estimate=bootstrap(faces, partial(measure, view)),
            floor=floor,
            ceiling=ceiling,
            bar=Bar(least=least) if view == "with" and least is not None else None,
        )
        for view in VIEWS
    ]


VIEWS: Final[tuple[View, ...]] = ("with", "without")


def _accuracy(trait: int, view: View, faces: Faces) -> float:
    return mean([(twin.evidence_K[view][trait] > 0.0) == twin.levels[trait] for face in faces for twin in face.twins])


def _mean_accuracy(traits: Sequence[int], view: View, faces: Faces) -> float:
    return mean([_accuracy(trait, view, faces) for trait in traits])


def _auc(trait: int, view: View, faces: Faces) -> float:
    twins = [twin for face in faces for twin in face.twins]
    return area_under_curve(
        np.array([twin.evidence_K[view][trait] for twin in twins]), np.array([twin.levels[trait] for twin in twins])
    )


def _right_twin(trait: int, view: View, faces: Faces) -> float:
    """Share of faces in which the twin that has the trait shows more of it; half a point where both show the same."""
    leads = []
    for face in faces:
        having, lacking = sorted(face.twins, key=lambda twin: not twin.levels[trait])
        leads.append(float(having.evidence_K[view][trait] - lacking.evidence_K[view][trait]))
    return mean([0.5 * (np.sign(lead) + 1.0) for lead in leads])


def _nearer_to_own(view: View, faces: Faces) -> float:
    """Half a point where a film is equally far from both."""
    leads = [twin.to_twin[view] - twin.to_own[view] for face in faces for twin in face.twins]
    return mean([0.5 * (np.sign(lead) + 1.0) for lead in leads])


def _right_cheeks(view: View, faces: Faces) -> float:
    """Half a point where the cheeks are equally far from both."""
    return mean([0.5 * (np.sign(twin.cheek_lead[view]) + 1.0) for face in faces for twin in face.twins])


def _right_dimples(view: View, faces: Faces) -> float:
    index = HIDDEN_TRAITS.index("dimples")
    return mean([(twin.dimples[view] > 0.0) == twin.levels[index] for face in faces for twin in face.twins])


def _right_prints(view: View, faces: Faces) -> float:
    """Half a point where a film shows neither twin's."""
    return mean([0.5 * (np.sign(leads[view]) + 1.0) for face in faces for leads in face.backs])


def _mouth_distance(view: View, faces: Faces) -> float:
    return mean([twin.to_own[view] for face in faces for twin in face.twins])


def _gain(measure: Measure, faces: Faces) -> float:
    return measure("with", faces) - measure("without", faces)
