"""A long performance measured while it is made: identity over time, joins, memory and price (paper 3.3).

Called by `long_form_cli`. Nothing of the film is kept but one row of numbers for each stretch of five seconds, so a film of ten
minutes is measured in the same memory as one of ten seconds.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine import FilmPiece, PerformJob, PromptSpan
from engine.base.seams import SeamFigures, SeamMeter
from engine.characters import Character
from engine.media.samples import SpooledSound
from engine.memory import memory_mb, peak_memory_mb
from engine.shapes import FRAME_RATE_HZ
from training.actor.performance import perform_clip
from training.actor.voices import VoicePool
from training.bench.cases import HELD_OUT_SEED
from training.bench.measures import sharpness
from training.bench.reading import read_film
from training.bench.regressor import LoadedRegressor
from training.bench.statistics import Estimate, bootstrap, mean

READ_EVERY_FRAMES: Final = 6
STRETCH_FRAMES: Final = 5 * FRAME_RATE_HZ
CLIP_FRAMES: Final = 40 * FRAME_RATE_HZ  # of conversation that is made at once, so that it takes little memory
ENDS: Final = 0.1  # share of a film at each end whose means are told

Tell = Callable[[str], None]


def conversation_job(character: Character, num_frames: int, seed: int, voices: VoicePool) -> PerformJob:
    """A character in conversation for so long: both voices, and the actor's own directions; sounds lie on disk."""
    speak_S, listen_S, prompts = SpooledSound(), SpooledSound(), []
    for clip, start in enumerate(range(0, num_frames, CLIP_FRAMES)):
        length = min(CLIP_FRAMES, num_frames - start)
        performance = perform_clip(HELD_OUT_SEED + 1000 * seed + clip, length, "converse", voices)
        speak_S.append(performance.speak_S)
        listen_S.append(performance.listen_S)
        prompts += [
            PromptSpan(start_frame=start + span.start_frame, end_frame=start + span.end_frame, text=span.text)
            for span in performance.captions
        ]
    return PerformJob(
        character=character,
        num_frames=num_frames,
        speak_S=speak_S,
        listen_S=listen_S,
        prompts=tuple(prompts),
        seed=seed,
    )


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Five seconds of film: the minute of its middle, and means over the frames that were read."""

    minute: float
    identity_distance: float
    sharpness: float


@dataclass(frozen=True, kw_only=True)
class LongFormFigures:
    """What a long film is and what it cost. `others_distance` is how far other characters are from this one, as a yardstick."""

    num_frames: int
    stretches: tuple[Stretch, ...]
    others_distance: float
    seams: SeamFigures
    memory_first_mb: float
    memory_last_mb: float
    memory_peak_mb: float
    stages_s: dict[str, float]
    measuring_s: float

    @property
    def seconds(self) -> float:
        """Length of the film."""
        return self.num_frames / FRAME_RATE_HZ

    def slope_per_minute(self, name: str) -> Estimate | None:
        """How fast a mean over stretches rises, least squares, with its interval over stretches; None for less than three."""
        points = [(stretch.minute, float(getattr(stretch, name))) for stretch in self.stretches]
        return bootstrap(points, slope) if len(points) >= 3 else None

    def ends(self, name: str) -> tuple[float, float]:
        """Means over the first and the last tenth of the film."""
        values = [float(getattr(stretch, name)) for stretch in self.stretches]
        count = max(1, round(ENDS * len(values)))
        return float(np.mean(values[:count])), float(np.mean(values[-count:]))

    def as_table(self) -> dict[str, Any]:
        """The figures' part of the JSON report."""
        work_s = sum(self.stages_s.values())
        return {
            "seconds": round(self.seconds, 3),
            "frames": self.num_frames,
            "identity_distance": self._drift_table("identity_distance") | {"of_others": round(self.others_distance, 4)},
            "sharpness": self._drift_table("sharpness"),
            "seams": self.seams.as_table(),
            "memory_mb": {
                "first": round(self.memory_first_mb, 1),
                "last": round(self.memory_last_mb, 1),
                "peak": round(self.memory_peak_mb, 1),
            },
            "price": {
                "work_s_per_s": round(work_s / self.seconds, 4),
                "stages_s_per_s": {name: round(value / self.seconds, 4) for name, value in self.stages_s.items()},
                "measuring_s": round(self.measuring_s, 1),
            },
        }

    def _drift_table(self, name: str) -> dict[str, Any]:
        drift, (first, last) = self.slope_per_minute(name), self.ends(name)
        return {
            "slope_per_minute": None if drift is None else round(drift.value, 5),
            "interval": None if drift is None else [round(end, 5) for end in drift.interval],
            "first": round(first, 4),
            "last": round(last, 4),
            "stretches": [round(float(getattr(stretch, name)), 4) for stretch in self.stretches],
        }


@dataclass(kw_only=True)
class _Sums:
    """What is added up while the film goes by."""

    identity_distances: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    sharpnesses: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    stages_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    memory_mb: list[float] = field(default_factory=list)
    measuring_s: float = 0.0


def measure_long_form(
    pieces: Iterator[FilmPiece],
    character: Character,
    others: tuple[Character, ...],
    regressor: LoadedRegressor,
    tell: Tell,
) -> LongFormFigures:
    """Takes a film to its end and measures it on the way; `others` give the yardstick for identity."""
    sums, seams = _Sums(), SeamMeter()
    own_D = identity_of(regressor, character)
    told, frames_done = 0, 0
    for piece in pieces:
        began_s = time.perf_counter()
        seams.add(piece.frames_THWC, piece.join_frames)
        _read(sums, regressor, piece, own_D)
        for name, value in piece.stages_s.items():
            sums.stages_s[name] += value
        frames_done = piece.start_frame + len(piece.frames_THWC)
        sums.memory_mb = [*sums.memory_mb[:1], memory_mb()] if frames_done > STRETCH_FRAMES else []
        sums.measuring_s += time.perf_counter() - began_s
        if frames_done // (30 * FRAME_RATE_HZ) > told:
            told = frames_done // (30 * FRAME_RATE_HZ)
            tell(f"{frames_done / FRAME_RATE_HZ:.0f} of {piece.num_frames / FRAME_RATE_HZ:.0f} s, {memory_mb():.0f} MB")
    memories = sums.memory_mb or [memory_mb()]
    return LongFormFigures(
        num_frames=frames_done,
        stretches=_stretches(sums, frames_done),
        others_distance=mean(
            [1.0 - float(own_D @ identity_of(regressor, other)) for other in others] or [float("nan")]
        ),
        seams=seams.figures(),
        memory_first_mb=memories[0],
        memory_last_mb=memories[-1],
        memory_peak_mb=peak_memory_mb(),
        stages_s=dict(sums.stages_s),
        measuring_s=sums.measuring_s,
    )


def identity_of(regressor: LoadedRegressor, character: Character) -> NDArray[np.float32]:
    """A character's identity as read from its global picture, a unit vector [D]."""
    identity_D: NDArray[np.float32] = read_film(regressor, character.global_picture_HWC[None]).identity_TD[0]
    return identity_D


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope through (x, y); 0 where all x are the same."""
    x, y = np.asarray(points, dtype=np.float64).T
    spread = float(np.square(x - x.mean()).sum())
    return float(((x - x.mean()) * (y - y.mean())).sum() / spread) if spread > 0 else 0.0


def _read(sums: _Sums, regressor: LoadedRegressor, piece: FilmPiece, own_D: NDArray[np.float32]) -> None:
    places = [place for place in range(len(piece.frames_THWC)) if (piece.start_frame + place) % READ_EVERY_FRAMES == 0]
    if not places:
        return
    frames_THWC = piece.frames_THWC[places]
    distances_T = 1.0 - read_film(regressor, frames_THWC).identity_TD @ own_D
    for place, distance, frame_HWC in zip(places, distances_T, frames_THWC, strict=True):
        stretch = (piece.start_frame + place) // STRETCH_FRAMES
        sums.identity_distances[stretch].append(float(distance))
        sums.sharpnesses[stretch].append(sharpness(frame_HWC[None]))


def _stretches(sums: _Sums, num_frames: int) -> tuple[Stretch, ...]:
    found = []
    for stretch, distances in sorted(sums.identity_distances.items()):
        start, end = stretch * STRETCH_FRAMES, min((stretch + 1) * STRETCH_FRAMES, num_frames)
        found.append(
            Stretch(
                minute=(start + end) / 2 / FRAME_RATE_HZ / 60,
                identity_distance=float(np.mean(distances)),
                sharpness=float(np.mean(sums.sharpnesses[stretch])),
            )
        )
    return tuple(found)
