"""All figures of the quick set from the actors' results, each with interval, floor and ceiling, and the bars of those that have one.

Called by `quick`. A figure is one item per actor and a way to sum items up; the items are taken for the three views of `views`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.bench.bars import Bars
from training.bench.detail_figures import detail_figures
from training.bench.judge import ActorResult, ClipResult
from training.bench.measures import (
    false_lip_share,
    is_moving,
    motion_ratio,
    mouth_amplitude,
    mouth_correlation,
    nearest_reference,
    nod_counts,
    nod_frames,
    psnr_db,
    shown_expression,
    speaking_range,
)
from training.bench.reading import Reading
from training.bench.report import Figure
from training.bench.statistics import EventCounts, bootstrap, mean, pooled_f1
from training.bench.views import PerActor, Results, View, has_codec, plain_figure, reading_of

MOST_NOD_RATIO: Final = 10.0  # what a pack gets whose nods never meet another partner's times


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """What single results are measured against: the speech's range, and every actor's reference face."""

    range_of_speech: float
    references_RD: NDArray[np.float32]
    actors: tuple[int, ...]


def yardsticks_of(results: Results) -> Yardsticks:
    """Taken once over all actors, and not again within a resample."""
    return Yardsticks(
        range_of_speech=speaking_range([result.speak.exact for result in results]),
        references_RD=np.stack([result.reference_D for result in results]),
        actors=tuple(result.actor for result in results),
    )


def figures_of(results: Results, bars: Bars) -> list[Figure]:
    """Every figure of the quick set with its bar, in the order of the report; `ValueError` without a result."""
    if not results:
        raise ValueError("no actor was judged, so there is nothing to report")
    sticks = yardsticks_of(results)
    plain: tuple[tuple[str, str, PerActor], ...] = (
        ("mouth_r", "mouth opening follows the sound, r", _mouth_follows),
        ("mouth_amplitude", "mouth amplitude against the truth", _amplitude),
        ("false_lip_rate", "lips move while listening or idle", partial(_false_lips, sticks)),
        ("identity_top1", "own reference nearest, in clips that move", partial(_identity, sticks)),
        ("identity_top1_any_motion", "own reference nearest, moving or not", partial(_identity_in_any, sticks)),
        ("motion_ratio", "motion against the truth", _moves),
        ("expression_accuracy", "expression asked for in text is shown", _expression),
    )
    figures = [
        *(plain_figure(name, title, results, item) for name, title, item in plain),
        *_nod_figures(results),
        *detail_figures(results),
        *_picture_figures(results),
    ]
    return [replace(figure, bar=bars.get(figure.name)) for figure in figures]


def _mouth_follows(one: ActorResult, view: View) -> float:
    return mouth_correlation(reading_of(one.speak, view), one.speak.exact)


def _amplitude(one: ActorResult, view: View) -> float:
    return mouth_amplitude(reading_of(one.speak, view), one.speak.exact)


def _false_lips(sticks: Yardsticks, one: ActorResult, view: View) -> float:
    silent = [reading_of(one.listen, view)]
    if view == "film" and one.muted is not None:
        silent.append(one.muted)
    return mean([false_lip_share(reading, one.listen.truth, sticks.range_of_speech) for reading in silent])


def _is_recognised(sticks: Yardsticks, one: ActorResult, clip: ClipResult, view: View) -> bool:
    return sticks.actors[nearest_reference(reading_of(clip, view), sticks.references_RD)] == one.actor


def _identity(sticks: Yardsticks, one: ActorResult, view: View) -> float:
    """A clip that hardly moves is a miss: a frozen picture keeps its face at no cost."""
    moving = [is_moving(reading_of(clip, view), clip.truth) for clip in one.clips]
    return mean(
        [moves and _is_recognised(sticks, one, clip, view) for clip, moves in zip(one.clips, moving, strict=True)]
    )


def _identity_in_any(sticks: Yardsticks, one: ActorResult, view: View) -> float:
    return mean([_is_recognised(sticks, one, clip, view) for clip in one.clips])


def _moves(one: ActorResult, view: View) -> float:
    return mean([motion_ratio(reading_of(clip, view), clip.truth) for clip in one.clips])


def _expression(one: ActorResult, view: View) -> float:
    return mean([shown_expression(reading_of(clip, view)) == clip.asked_expression for clip in one.clips])


def _nods(one: ActorResult, reading: Reading) -> EventCounts:
    return nod_counts(reading, one.listen.nod_frames)


def _nod_figures(results: Results) -> list[Figure]:
    own = [_nods(one, one.listen.film) for one in results]
    swapped = [
        (_nods(one, one.listen.film), _nods(one, one.other_partner)) for one in results if one.other_partner is not None
    ]
    muted = [
        (len(nod_frames(one.listen.film)), len(nod_frames(one.muted)), _nods(one, one.muted))
        for one in results
        if one.muted is not None
    ]
    ceiling = None
    if has_codec(results):
        ceiling = pooled_f1([_nods(one, reading_of(one.listen, "codec")) for one in results])
    return [
        Figure(
            name="nod_f1",
            title="nods at the rule's times, F1",
            estimate=bootstrap(own, pooled_f1),
            floor=pooled_f1([_nods(one, one.listen.truth) for one in results]),
            ceiling=ceiling,
        ),
        Figure(
            name="nod_f1_other_partner",
            title="the same under another partner's sound, F1",
            estimate=bootstrap([other for _, other in swapped], pooled_f1),
            floor=_truth_under_another(results),
        ),
        Figure(
            name="nod_ratio",
            title="nods: own partner against another, ratio",
            estimate=bootstrap(swapped, _nod_ratio),
        ),
        Figure(
            name="nod_f1_muted",
            title="the same with the partner muted, F1",
            estimate=bootstrap([counts for _, _, counts in muted], pooled_f1),
        ),
        Figure(
            name="nods_left_when_muted",
            title="nods left when the partner is muted, share",
            estimate=bootstrap([(heard, unheard) for heard, unheard, _ in muted], _share_left),
        ),
    ]


def _nod_ratio(pairs: Sequence[tuple[EventCounts, EventCounts]]) -> float:
    own, other = pooled_f1([pair[0] for pair in pairs]), pooled_f1([pair[1] for pair in pairs])
    if other == 0.0:
        return MOST_NOD_RATIO if own > 0.0 else 0.0
    return min(own / other, MOST_NOD_RATIO)


def _share_left(pairs: Sequence[tuple[int, int]]) -> float:
    """Nods without the partner's sound against nods with it; 1 for a listener who never nods, since nothing went away."""
    heard, unheard = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    return unheard / heard if heard else 1.0


def _truth_under_another(results: Results) -> float | None:
    """The truth's nods scored at another actor's times: what nodding well, but to somebody else, gets."""
    if len(results) < 2:
        return None
    following = [*results[1:], results[0]]
    return pooled_f1([_nods(one, other.listen.truth) for one, other in zip(results, following, strict=True)])


def _picture_figures(results: Results) -> list[Figure]:
    wanted = (
        ("psnr_db", "codec: PSNR of held-out films, dB", "codec_error"),
        ("psnr_mouth_db", "codec: PSNR on the mouth, dB", "codec_error_mouth"),
        ("psnr_eyes_db", "codec: PSNR on the eyes, dB", "codec_error_eyes"),
    )
    figures = []
    for name, title, part in wanted:
        ratios = [_codec_psnr_db(one, part) for one in results] if has_codec(results) else []
        figures.append(Figure(name=name, title=title, estimate=bootstrap(ratios, mean)))
    return [*figures, plain_figure("sharpness_ratio", "finest edges against the truth", results, _sharpness)]


def _codec_psnr_db(one: ActorResult, part: str) -> float:
    return psnr_db(mean([getattr(clip.scores, part) for clip in one.clips]))


def _sharpness(one: ActorResult, view: View) -> float:
    part = {"film": "film_sharpness", "truth": "truth_sharpness", "codec": "codec_sharpness"}[view]
    return mean([getattr(clip.scores, part) / clip.scores.truth_sharpness for clip in one.clips])
