"""Films that are known to be good or bad, for judging the judge."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from training.actor.directions import DirectedSpan, Direction
from training.actor.draw import draw_film
from training.actor.identity import sample_identity
from training.actor.performance import perform_clip
from training.actor.voices import VoicePool
from training.bench.cases import HELD_OUT_SEED, Case, CaseKind, FilmRequest, make_case
from training.bench.direction_cases import DirectionCase, make_direction_case
from training.bench.quick import QuickConfig
from training.bench.reading import smaller
from training.bench.siblings import FamilySize

TINY = QuickConfig(num_actors=4, speak_frames=40, listen_frames=72, directed_frames=64, num_counterfactuals=4)
FAMILY = FamilySize(num_siblings=11, num_moments=1)
FRAMES: dict[CaseKind, int] = {"speak": TINY.speak_frames, "listen": TINY.listen_frames}


@dataclass(kw_only=True)
class TruthFilms:
    """Plays the truth of the cases, as a perfect model would; the sound decides which performance it is."""

    voices: VoicePool
    size_px: int = 192
    film_px: int = 384
    films: dict[tuple[int, bytes], NDArray[np.uint8]] = field(default_factory=dict)
    cases: dict[tuple[int, CaseKind], Case] = field(default_factory=dict)
    directed_cases: dict[int, DirectionCase] = field(default_factory=dict)

    def case(self, actor: int, kind: CaseKind) -> Case:
        if (actor, kind) not in self.cases:
            self.cases[actor, kind] = make_case(actor, kind, FRAMES[kind], self.voices)
        return self.cases[actor, kind]

    def directed(self, actor: int) -> DirectionCase:
        if actor not in self.directed_cases:
            self.directed_cases[actor] = make_direction_case(actor, TINY.directed_frames, self.voices)
        return self.directed_cases[actor]

    def states(self, request: FilmRequest) -> NDArray[np.float32]:
        """The performance under the sound that was given, whosever it is; idle under none, and where directions are withheld."""
        if request.num_frames == TINY.directed_frames:
            return self.directed_states(request)
        for actor in range(TINY.num_actors):
            for kind in ("speak", "listen"):
                performance = self.case(actor, kind).performance
                heard_S, asked_S = (
                    (performance.speak_S, request.speak_S)
                    if kind == "speak"
                    else (performance.listen_S, request.listen_S)
                )
                if asked_S is not None and np.array_equal(heard_S, asked_S):
                    return performance.state_TK
        return perform_clip(HELD_OUT_SEED + request.seed, request.num_frames, "idle", self.voices).state_TK

    def directed_states(self, request: FilmRequest) -> NDArray[np.float32]:
        asked_S = request.speak_S
        for performance in (self.directed(actor).performance for actor in range(TINY.num_actors)):
            if request.prompts and asked_S is not None and np.array_equal(performance.speak_S, asked_S):
                return performance.state_TK
        moment = Direction(start_frame=0, end_frame=request.num_frames)
        nothing = DirectedSpan(start_frame=0, end_frame=request.num_frames, moments=(moment,))
        return perform_clip(request.seed, request.num_frames, "idle", self.voices, told=(nothing,)).state_TK

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        assert request.character.global_picture_HWC.shape[0] == self.film_px, "as large as it says that it takes them"
        states_TK = self.states(request)
        key = (request.seed, states_TK.tobytes())
        if key not in self.films:
            self.films[key] = smaller(
                draw_film(sample_identity(HELD_OUT_SEED + request.seed), states_TK, self.film_px), self.size_px
            )
        return self.films[key]


@dataclass(frozen=True, kw_only=True)
class ChangedFilms:
    """The truth's films, spoilt in one way."""

    truth: TruthFilms
    request: Callable[[FilmRequest], FilmRequest] = lambda request: request
    picture: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda film_THWC: film_THWC

    @property
    def size_px(self) -> int:
        return self.truth.size_px

    @property
    def film_px(self) -> int:
        return self.truth.film_px

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        return self.picture(self.truth.film(self.request(request)))


def other_sound(request: FilmRequest, films: TruthFilms) -> FilmRequest:
    """The same character under another case's sound."""
    following = (request.seed + 1) % TINY.num_actors
    if request.num_frames == TINY.directed_frames:
        return replace(request, speak_S=films.directed(following).performance.speak_S)
    if request.speak_S is not None:
        return replace(request, speak_S=films.case(following, "speak").performance.speak_S)
    return replace(request, listen_S=films.case(following, "listen").performance.listen_S)
