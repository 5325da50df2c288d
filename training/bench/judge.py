"""Judges one held-out actor: has its films made, reads them, and reads the truth beside them.

Called by `quick`, in the same process or in workers. It owns the order of work for one actor; what the figures are is up to
`figures`, how a film is made is up to the `FilmMaker`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.actor.as_character import character_of
from training.actor.draw import draw_film
from training.actor.identity import Identity
from training.actor.keypoints import eye_box, mouth_box
from training.actor.voices import VoicePool
from training.bench.cases import Case, CaseKind, FilmRequest, make_case, request_of
from training.bench.closures import Closure, closures_of
from training.bench.direction_cases import DirectionCase, ToldDirection, direction_request, make_direction_case
from training.bench.measures import boxed_squared_error, sharpness, squared_error
from training.bench.reading import Reading, read_film, resized, smaller, true_reading
from training.bench.regressor import LoadedRegressor
from training.bench.siblings import WHOLE_FAMILY, FamilySize, family_errors, moments_of, siblings_of

STRIP_FRAMES = 8
STRIP_PX = 128

RoundTrip = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


class FilmMaker(Protocol):
    """Anything that makes films of held-out actors: a model pack, or in tests something known to be good or bad."""

    @property
    def size_px(self) -> int:
        """Side of its pictures."""

    @property
    def film_px(self) -> int:
        """Side of the pictures that it is given of a character."""

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        """uint8 RGB [num_frames, size_px, size_px, 3]."""


@dataclass(frozen=True, kw_only=True)
class Films:
    """One clip as pictures, uint8 RGB [T, H, W, 3] each: what was made, the truth, and the truth through the codec."""

    film_THWC: NDArray[np.uint8]
    truth_THWC: NDArray[np.uint8]
    codec_THWC: NDArray[np.uint8] | None


@dataclass(frozen=True, kw_only=True)
class PictureScores:
    """What the codec alone does to the truth (mean squared errors of uint8), and how sharp pictures are."""

    codec_error: float | None
    codec_error_mouth: float | None
    codec_error_eyes: float | None
    film_sharpness: float
    truth_sharpness: float
    codec_sharpness: float | None


@dataclass(frozen=True, kw_only=True)
class Readings:
    """One clip as it is read: the film, the truth's frames and the truth through the codec; and its exact truth."""

    exact: Reading
    film: Reading
    truth: Reading
    codec: Reading | None


@dataclass(frozen=True, kw_only=True)
class ClipResult(Readings):
    """One clip that speaks or listens, with what its truth holds."""

    kind: CaseKind
    asked_expression: int
    nod_frames: tuple[int, ...]
    closures: tuple[Closure, ...]
    scores: PictureScores
    strip_2THWC: NDArray[np.uint8]  # a few frames for a person's eyes: truth, film


@dataclass(frozen=True, kw_only=True)
class DirectedResult(Readings):
    """One clip that is told two things in turn; `untold` is the same clip without words, where that was made."""

    told: tuple[ToldDirection, ToldDirection]
    request: FilmRequest
    untold: Reading | None = None


@dataclass(frozen=True, kw_only=True)
class FamilyErrors:
    """How far the actor itself, and then each of its siblings, is from the speaking clip: of the film and of the truth's frames.

    Not of the truth through the codec, which is no ceiling: fine marks come from the portrait past it.
    """

    film_F: NDArray[np.float32]
    truth_F: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ActorResult:
    """The clips of one actor, and its listening clip again under another sound where that was made."""

    actor: int
    speak: ClipResult
    listen: ClipResult
    directed: DirectedResult
    listen_request: FilmRequest
    reference: Reading  # of the global reference picture, one frame
    family: FamilyErrors
    voices: tuple[str, ...]
    other_partner: Reading | None = None
    muted: Reading | None = None
    stages_s: dict[str, float] = field(default_factory=dict)

    @property
    def reference_D(self) -> NDArray[np.float32]:
        """Identity of the global reference picture."""
        own_D: NDArray[np.float32] = self.reference.identity_TD[0]
        return own_D

    @property
    def clips(self) -> tuple[ClipResult, ClipResult]:
        """Speaking, listening."""
        return self.speak, self.listen


class Judge:
    """Everything needed to judge actors one after the other."""

    def __init__(
        self,
        regressor: LoadedRegressor,
        maker: FilmMaker,
        round_trip: RoundTrip | None,
        voices: VoicePool,
        frames: dict[CaseKind, int],
        directed_frames: int,
        family_size: FamilySize = WHOLE_FAMILY,
    ) -> None:
        self.regressor = regressor
        self.maker = maker
        self.round_trip = round_trip
        self.voices = voices
        self.frames = frames
        self.directed_frames = directed_frames
        self.family_size = family_size

    def judge_actor(self, actor: int) -> ActorResult:
        """Make and read the clips of an actor."""
        stages_s: dict[str, float] = {}
        started_s = time.perf_counter()
        speak = make_case(actor, "speak", self.frames["speak"], self.voices)
        listen = make_case(actor, "listen", self.frames["listen"], self.voices)
        directed = make_direction_case(actor, self.directed_frames, self.voices)
        character = character_of(speak.identity, self.maker.film_px)
        _add(stages_s, "cases", started_s)
        listen_request = request_of(listen, character)
        speak_films = self._films(speak, request_of(speak, character), stages_s)
        speak_result = self._judge_clip(speak, speak_films, stages_s)
        return ActorResult(
            actor=actor,
            speak=speak_result,
            listen=self._judge_clip(listen, self._films(listen, listen_request, stages_s), stages_s),
            directed=self._judge_directed(directed, direction_request(directed, character), stages_s),
            listen_request=listen_request,
            reference=read_film(self.regressor, character.global_picture_HWC[None]),
            family=self._family(speak.identity, speak_films, speak_result, stages_s),
            voices=(
                speak.performance.speak_voice,
                listen.performance.listen_voice,
                directed.performance.speak_voice,
            ),
            stages_s=stages_s,
        )

    def read_request(self, request: FilmRequest) -> Reading:
        """Make a film and read it; for the counterfactuals, which have no truth of their own."""
        return read_film(self.regressor, self.maker.film(request))

    def _judge_clip(self, case: Case, films: Films, stages_s: dict[str, float]) -> ClipResult:
        started_s = time.perf_counter()
        result = ClipResult(
            **vars(self._readings(case.performance.state_TK, films)),
            kind=case.kind,
            asked_expression=case.asked_expression,
            nod_frames=case.nod_frames,
            closures=closures_of(case.performance.state_TK),
            scores=picture_scores(case, films.film_THWC, films.truth_THWC, films.codec_THWC),
            strip_2THWC=np.stack([strip_of(films.truth_THWC), strip_of(films.film_THWC)]),
        )
        _add(stages_s, "reading", started_s)
        return result

    def _judge_directed(self, case: DirectionCase, request: FilmRequest, stages_s: dict[str, float]) -> DirectedResult:
        films = self._films(case, request, stages_s)
        started_s = time.perf_counter()
        readings = self._readings(case.performance.state_TK, films)
        _add(stages_s, "reading", started_s)
        return DirectedResult(**vars(readings), told=case.told, request=request)

    def _family(self, identity: Identity, films: Films, readings: Readings, stages_s: dict[str, float]) -> FamilyErrors:
        started_s, size = time.perf_counter(), self.family_size
        siblings = siblings_of(identity, size.num_siblings, self.maker.film_px)

        def errors(film_THWC: NDArray[np.uint8], reading: Reading) -> NDArray[np.float32]:
            moments = moments_of(len(film_THWC), size.num_moments)
            return family_errors(identity, siblings, film_THWC, reading, moments, self.maker.film_px)

        family = FamilyErrors(
            film_F=errors(films.film_THWC, readings.film),
            truth_F=errors(films.truth_THWC, readings.truth),
        )
        _add(stages_s, "siblings", started_s)
        return family

    def _films(self, case: Case | DirectionCase, request: FilmRequest, stages_s: dict[str, float]) -> Films:
        started_s, state_TK = time.perf_counter(), case.performance.state_TK
        film_THWC = self.maker.film(request)
        if len(film_THWC) != len(state_TK):
            raise AssertionError(f"{len(film_THWC)} frames were made where {len(state_TK)} were asked for")
        started_s = _add(stages_s, "generation", started_s)
        truth_THWC = smaller(draw_film(case.identity, state_TK, self.maker.film_px), self.maker.size_px)
        started_s = _add(stages_s, "drawing", started_s)
        codec_THWC = self.round_trip(truth_THWC) if self.round_trip is not None else None
        _add(stages_s, "codec", started_s)
        return Films(film_THWC=film_THWC, truth_THWC=truth_THWC, codec_THWC=codec_THWC)

    def _readings(self, state_TK: NDArray[np.float32], films: Films) -> Readings:
        return Readings(
            exact=true_reading(state_TK),
            film=read_film(self.regressor, films.film_THWC),
            truth=read_film(self.regressor, films.truth_THWC),
            codec=None if films.codec_THWC is None else read_film(self.regressor, films.codec_THWC),
        )


def _add(stages_s: dict[str, float], stage: str, started_s: float) -> float:
    now_s = time.perf_counter()
    stages_s[stage] = stages_s.get(stage, 0.0) + now_s - started_s
    return now_s


def picture_scores(
    case: Case, film_THWC: NDArray[np.uint8], truth_THWC: NDArray[np.uint8], coded_THWC: NDArray[np.uint8] | None
) -> PictureScores:
    """Errors of the codec overall and in the boxes of mouth and eyes, and the sharpness of all three films."""
    states_TK = case.performance.state_TK
    if coded_THWC is None:
        errors: tuple[float | None, float | None, float | None] = (None, None, None)
    else:
        errors = (
            squared_error(coded_THWC, truth_THWC),
            boxed_squared_error(coded_THWC, truth_THWC, _boxes(mouth_box, case.identity, states_TK)),
            boxed_squared_error(coded_THWC, truth_THWC, _boxes(eye_box, case.identity, states_TK)),
        )
    return PictureScores(
        codec_error=errors[0],
        codec_error_mouth=errors[1],
        codec_error_eyes=errors[2],
        film_sharpness=sharpness(film_THWC),
        truth_sharpness=sharpness(truth_THWC),
        codec_sharpness=None if coded_THWC is None else sharpness(coded_THWC),
    )


def _boxes(
    box_of: Callable[[Identity, NDArray[np.float32]], tuple[float, float, float, float]],
    identity: Identity,
    state_TK: NDArray[np.float32],
) -> NDArray[np.float32]:
    return np.array([box_of(identity, state_K) for state_K in state_TK], dtype=np.float32)


def strip_of(film_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A few frames spread over the film, small."""
    chosen = np.linspace(0, len(film_THWC) - 1, STRIP_FRAMES).round().astype(int)
    return np.stack([resized(film_THWC[index], STRIP_PX) for index in chosen])
