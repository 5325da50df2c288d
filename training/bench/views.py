"""The three films that every figure is taken of, and the figure that is a plain mean over actors.

Called by `figures` and `told_figures`. The judged film gives the value, the truth's own frames the floor (what the regressor's noise
alone costs), and the truth through the pack's codec the ceiling (the best that a perfect model of these latents could reach).
"""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from training.bench.judge import ActorResult, Readings
from training.bench.reading import Reading
from training.bench.report import Figure
from training.bench.statistics import bootstrap, mean

View = Literal["film", "truth", "codec"]
Results = Sequence[ActorResult]
PerActor = Callable[[ActorResult, View], float]
Item = TypeVar("Item")


def reading_of(clip: Readings, view: View) -> Reading:
    """The clip as one of the three films shows it; asked only for views that exist."""
    reading = {"film": clip.film, "truth": clip.truth, "codec": clip.codec}[view]
    assert reading is not None, f"there is no {view} of this clip"
    return reading


def has_codec(results: Results) -> bool:
    """Whether every clip of every actor went through the codec, so that figures have a ceiling."""
    return all(clip.codec is not None for one in results for clip in (*one.clips, one.directed))


def plain_figure(name: str, title: str, results: Results, item: PerActor) -> Figure:
    """A figure that is a plain mean over actors and that all three views have."""
    return pooled_figure(name, title, results, item, mean)


def pooled_figure(
    name: str,
    title: str,
    results: Results,
    item: Callable[[ActorResult, View], Item],
    pool: Callable[[Sequence[Item]], float],
) -> Figure:
    """A figure that sums up one item an actor in its own way and that all three views have."""
    return Figure(
        name=name,
        title=title,
        estimate=bootstrap([item(one, "film") for one in results], pool),
        floor=pool([item(one, "truth") for one in results]),
        ceiling=pool([item(one, "codec") for one in results]) if has_codec(results) else None,
    )
