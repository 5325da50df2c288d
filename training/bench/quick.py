"""`lpm evaluate quick`: the benchmark's short form, from held-out actors to a report within a quarter of an hour.

Called by `cli` with a model pack, and by tests with films that are known to be good or bad. Actors are judged first, then the
counterfactuals (another partner, a muted one, directions withheld) as far as time reaches; the report says how many there were.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeVar

from training.bench.bars import BASE_BARS, Bars
from training.bench.cases import HELD_OUT_SEED, FilmRequest
from training.bench.figures import figures_of
from training.bench.judge import ActorResult
from training.bench.reading import Reading
from training.bench.report import Figure

Argument = TypeVar("Argument")
Result = TypeVar("Result")
Tell = Callable[[str], None]
Counterfactual = Literal["other_partner", "muted", "untold"]

ACTORS_SHARE = 0.8  # of the time; the rest is left to the counterfactuals
MOST_UNTOLD = 8  # directions are given to every actor, and withheld from the first few: a level of chance needs no more


@dataclass(frozen=True, kw_only=True)
class QuickConfig:
    """How much is judged. No actor is begun after `ACTORS_SHARE` of `max_s` and no clip after all of it."""

    num_actors: int = 32
    speak_frames: int = 72
    listen_frames: int = 96
    directed_frames: int = 96
    num_counterfactuals: int = 32
    max_s: float = 900.0

    def __post_init__(self) -> None:
        if self.num_actors < 2:
            raise ValueError("identity is judged among at least two actors")
        if not 0 <= self.num_counterfactuals <= self.num_actors:
            raise ValueError("there cannot be more counterfactuals than actors")


def full_config() -> QuickConfig:
    """The long form: more actors, longer clips, every counterfactual, no limit of time."""
    return QuickConfig(
        num_actors=96,
        speak_frames=192,
        listen_frames=240,
        directed_frames=144,
        num_counterfactuals=96,
        max_s=float("inf"),
    )


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who does the work: where it runs and what is called there."""

    executor: Executor
    num_at_once: int
    judge_actor: Callable[[int], ActorResult]
    read_request: Callable[[FilmRequest], Reading]


@dataclass(frozen=True, kw_only=True)
class QuickRun:
    """What came out: every actor's result, the figures, and how long each stage took (seconds of work over all workers)."""

    config: QuickConfig
    results: tuple[ActorResult, ...]
    figures: tuple[Figure, ...]
    wall_s: float
    stages_s: dict[str, float]

    def as_table(self, performer: str = "base") -> dict[str, object]:
        """The run's part of the JSON report; its figures stand under who performed."""
        last = HELD_OUT_SEED + self.config.num_actors - 1
        return {
            performer: {figure.name: figure.as_table() for figure in self.figures},
            "config": asdict(self.config),
            "actors_judged": len(self.results),
            "counterfactuals_made": sum(one.muted is not None for one in self.results),
            "identity_seeds": [HELD_OUT_SEED, last],
            "voices": sorted({voice for one in self.results for voice in one.voices}),
            "seconds": round(self.wall_s, 1),
            "stages_s": {stage: round(seconds, 1) for stage, seconds in self.stages_s.items()},
        }


def run_quick(crew: Crew, config: QuickConfig, tell: Tell, bars: Bars = BASE_BARS) -> QuickRun:
    """Judge, make counterfactuals, and sum up."""
    started_s = time.monotonic()

    def is_over(share: float) -> bool:
        return time.monotonic() - started_s > share * config.max_s

    results: list[ActorResult] = []
    actors = range(config.num_actors)
    for _, result in _as_done(crew, crew.judge_actor, actors, lambda: is_over(ACTORS_SHARE)):
        results.append(result)
        tell(f"{len(results)} of {config.num_actors} actors judged, {time.monotonic() - started_s:.0f} s")
    results.sort(key=lambda result: result.actor)
    stages_s = _summed([result.stages_s for result in results])
    begun_s = time.monotonic()
    results = _with_counterfactuals(crew, config, results, lambda: is_over(1.0), tell)
    stages_s["counterfactuals, wall"] = time.monotonic() - begun_s
    return QuickRun(
        config=config,
        results=tuple(results),
        figures=tuple(figures_of(results, bars)),
        wall_s=time.monotonic() - started_s,
        stages_s=stages_s,
    )


def _with_counterfactuals(
    crew: Crew, config: QuickConfig, results: list[ActorResult], is_over: Callable[[], bool], tell: Tell
) -> list[ActorResult]:
    """The first actors' listening clips again, under the next actor's partner and under silence; a few clips without directions."""
    requests: list[tuple[int, Counterfactual, FilmRequest]] = []
    for index, result in enumerate(results[: config.num_counterfactuals]):
        partner = results[(index + 1) % len(results)].listen_request
        own = result.listen_request
        requests.append((index, "other_partner", replace(own, listen_S=partner.listen_S)))
        requests.append((index, "muted", replace(own, listen_S=None)))
        if index < MOST_UNTOLD:
            requests.append((index, "untold", replace(result.directed.request, prompts=())))
    done = list(results)
    films = [request for _, _, request in requests]
    for count, (position, reading) in enumerate(_as_done(crew, crew.read_request, films, is_over), start=1):
        index, sort, _ = requests[position]
        done[index] = _with_reading(done[index], sort, reading)
        tell(f"{count} of {len(requests)} counterfactual films read")
    return done


def _with_reading(result: ActorResult, sort: Counterfactual, reading: Reading) -> ActorResult:
    match sort:
        case "other_partner":
            return replace(result, other_partner=reading)
        case "muted":
            return replace(result, muted=reading)
        case "untold":
            return replace(result, directed=replace(result.directed, untold=reading))


def _as_done(
    crew: Crew, function: Callable[[Argument], Result], arguments: Sequence[Argument], is_over: Callable[[], bool]
) -> Iterator[tuple[int, Result]]:
    """Position and result of each call as it finishes; nothing new is begun once time is over."""
    waiting: dict[Future[Result], int] = {}
    for position, argument in enumerate(arguments):
        if is_over():
            break
        waiting[crew.executor.submit(function, argument)] = position
        if len(waiting) >= crew.num_at_once:
            yield from _collect(waiting)
    while waiting:
        yield from _collect(waiting)


def _collect(waiting: dict[Future[Result], int]) -> Iterator[tuple[int, Result]]:
    finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in finished:
        yield waiting.pop(future), future.result()


def _summed(parts: list[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for stage, seconds in part.items():
            total[stage] = total.get(stage, 0.0) + seconds
    return total
