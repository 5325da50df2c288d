"""`lpm evaluate references`: what expression references are worth (paper section 6.4), on characters whose smiles hide something.

A face has two twins that differ in teeth and dimples alone, each the other way round; at rest nobody can tell them apart. Each is made to
speak happily twice, under the same sound, words and seed: shown by its global picture only, and with its expression references beside
it. Without them one film serves both twins, so that whatever is read from it is right for exactly one of the two: chance is
one half by construction. Called by `reference_ablation_cli` with a model pack, and by tests with films known to be right or wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engine.characters import Character, Reference, ReferenceKind
from training.actor.directions import DirectedSpan, Direction
from training.actor.draw import draw_film, draw_frame
from training.actor.identity import Identity
from training.actor.performance import Performance, perform_clip
from training.actor.references import draw_expression, draw_view
from training.actor.state import resting_state
from training.actor.voices import VoicePool
from training.bench.back_prints import NUM_JUDGED, back_twins, print_lead, seen_from, turning
from training.bench.cases import HELD_OUT_SEED, FilmRequest
from training.bench.dimples import dimple_evidence
from training.bench.hidden_traits import Levels, face_with, levels_of_face, opposite
from training.bench.judge import FilmMaker, RoundTrip
from training.bench.measures import SETTLING_FRAMES
from training.bench.reading import read_film, smaller
from training.bench.regressor import LoadedRegressor
from training.bench.trait_reader import LoadedTraitReader, mouth_crops, read_traits

FACE_SEEDS: Final = HELD_OUT_SEED + 500_000
SHOWN_EXPRESSIONS: Final = (
    "happy",
    "surprised",
)  # both bare teeth, one of them dimples; a pack may take two beside the global one
HAPPINESS: Final = 0.97
STRIP_FRAMES: Final = 2
MOUTH_SHARE: Final = 0.56  # of a crop's width: a smile's mouth; what is beside it are cheeks

View = Literal["without", "with", "truth", "codec"]
Film = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class AblationConfig:
    """How much is judged: twice as many characters as faces; eight faces hold every combination of traits once."""

    num_faces: int = 16
    num_frames: int = 48

    def __post_init__(self) -> None:
        if self.num_faces < 2:
            raise ValueError("an interval needs at least two faces")
        if self.num_frames <= SETTLING_FRAMES:
            raise ValueError(f"a film is read from frame {SETTLING_FRAMES} on; it must be longer")


@dataclass(frozen=True, kw_only=True)
class TwinResult:
    """One character. By view: the evidence for each trait [4], the distance of the lower face to its own truth's and to its
    twin's (root mean square in levels of 0..255), by how much its cheeks are nearer to its own truth's (`cheek_lead`), and by how much it
    looks more like a drawing with dimples than like one without (`dimples`)."""

    levels: Levels
    evidence_K: dict[View, NDArray[np.float32]]
    to_own: dict[View, float]
    to_twin: dict[View, float]
    cheek_lead: dict[View, float]
    dimples: dict[View, float]
    strip_SHWC: dict[str, Film]  # a few pictures for a person's eyes, by what they show


@dataclass(frozen=True, kw_only=True)
class FaceResult:
    """Both twins of one face; and of another two, who differ in what is printed on their backs, by how much films in which they turn round
    are nearer to their own back than to the other's (`back_prints`)."""

    face: int
    twins: tuple[TwinResult, TwinResult]
    backs: tuple[dict[View, float], dict[View, float]]
    back_strip_SHWC: dict[View, Film]  # the first one's last frames


@dataclass(frozen=True, kw_only=True)
class AblationJudge:
    """Everything needed to judge faces one after the other."""

    regressor: LoadedRegressor
    reader: LoadedTraitReader
    maker: FilmMaker
    round_trip: RoundTrip
    voices: VoicePool
    num_frames: int
    num_moments: int = 3  # of a film, in which its dimples are looked at

    def judge_face(self, face: int) -> FaceResult:
        """Make three films of a face's twins, and read them beside the truth; the same number gives the same result."""
        performance = happy_speech(face, self.num_frames, self.voices)
        identities = twins_of(face)
        characters = [shown_by(identity, SHOWN_EXPRESSIONS, self.maker.film_px) for identity in identities]
        if not np.array_equal(characters[0].global_picture_HWC, characters[1].global_picture_HWC):
            raise AssertionError(f"the global picture of face {face} shows what should be hidden")
        without_THWC = self._film(performance, face, shown_by(identities[0], (), self.maker.film_px))
        truths = [
            smaller(draw_film(identity, performance.state_TK, self.maker.film_px), self.maker.size_px)
            for identity in identities
        ]
        films: list[dict[View, Film]] = [
            {
                "without": without_THWC,
                "with": self._film(performance, face, character),
                "truth": truth_THWC,
                "codec": self.round_trip(truth_THWC),
            }
            for character, truth_THWC in zip(characters, truths, strict=True)
        ]
        crops = [{view: self._crops(film_THWC) for view, film_THWC in each.items()} for each in films]
        dimples = self._dimples(identities, films)
        first, second = (
            TwinResult(
                levels=levels,
                evidence_K={view: read_traits(self.reader.network, crops_TCHW) for view, crops_TCHW in own.items()},
                to_own={view: distance(crops_TCHW, own["truth"]) for view, crops_TCHW in own.items()},
                to_twin={view: distance(crops_TCHW, other["truth"]) for view, crops_TCHW in own.items()},
                cheek_lead={
                    view: cheek_lead(crops_TCHW, own["truth"], other["truth"]) for view, crops_TCHW in own.items()
                },
                dimples=evidence,
                strip_SHWC=strip_of(character, each),
            )
            for levels, own, other, character, each, evidence in zip(
                levels_of_twins(face), crops, reversed(crops), characters, films, dimples, strict=True
            )
        )
        backs, back_films = self._backs(face)
        last = {view: film_THWC[-1:] for view, film_THWC in back_films.items()}
        return FaceResult(face=face, twins=(first, second), backs=backs, back_strip_SHWC=last)

    def _backs(self, face: int) -> tuple[tuple[dict[View, float], dict[View, float]], dict[View, Film]]:
        """The leads of both twins' prints, and the first one's films; without a picture from behind one film serves both."""
        first, second = back_twins(FACE_SEEDS + face)
        film_px, size_px = self.maker.film_px, self.maker.size_px
        without_THWC = self.maker.film(turning(seen_from(first.identity, film_px, has_back=False), face))
        films: list[dict[View, Film]] = []
        for twin in (first, second):
            truth_THWC = smaller(
                np.repeat(draw_view(twin.identity, "rear", film_px)[None], NUM_JUDGED, axis=0), size_px
            )
            with_THWC = self.maker.film(turning(seen_from(twin.identity, film_px, has_back=True), face))
            films.append(
                {
                    "without": without_THWC,
                    "with": with_THWC,
                    "truth": truth_THWC,
                    "codec": self.round_trip(truth_THWC),
                }
            )
        leads_of_first, leads_of_second = (
            {view: print_lead(twin, film_THWC, film_px) for view, film_THWC in own.items()}
            for twin, own in zip((first, second), films, strict=True)
        )
        return (leads_of_first, leads_of_second), films[0]

    def _dimples(self, twins: tuple[Identity, Identity], films: list[dict[View, Film]]) -> list[dict[View, float]]:
        """The evidence of each twin's films; the one that serves both is judged once, as the first's."""
        depth = max(twin.dimples for twin in twins)

        def evidence(twin: Identity, film_THWC: Film) -> float:
            settled_THWC = film_THWC[SETTLING_FRAMES:]
            reading = read_film(self.regressor, settled_THWC)
            return dimple_evidence(twin, depth, settled_THWC, reading, self.maker.film_px, self.num_moments)

        first, second = (
            {view: evidence(twin, own[view]) for view in own if view != "without"}
            for twin, own in zip(twins, films, strict=True)
        )
        shared: dict[View, float] = {"without": evidence(twins[0], films[0]["without"])}
        return [first | shared, second | shared]

    def _film(self, performance: Performance, face: int, character: Character) -> Film:
        request = FilmRequest(
            character=character,
            speak_S=performance.speak_S,
            listen_S=None,
            prompts=performance.captions,
            num_frames=self.num_frames,
            seed=face,
        )
        film_THWC = self.maker.film(request)
        if len(film_THWC) != self.num_frames:
            raise AssertionError(f"{len(film_THWC)} frames were made where {self.num_frames} were asked for")
        return film_THWC

    def _crops(self, film_THWC: Film) -> NDArray[np.float32]:
        """The lower face of every frame once the smile had time to appear."""
        return mouth_crops(self.regressor, film_THWC[SETTLING_FRAMES:], self.reader.network.config)


def levels_of_twins(face: int) -> tuple[Levels, Levels]:
    """The hidden traits of both twins."""
    levels = levels_of_face(face)
    return levels, opposite(levels)


def twins_of(face: int) -> tuple[Identity, Identity]:
    """Both twins of a held-out face."""
    first, second = (face_with(FACE_SEEDS + face, levels) for levels in levels_of_twins(face))
    return first, second


def happy_speech(face: int, num_frames: int, voices: VoicePool) -> Performance:
    """A character that speaks happily all through, told so in the actor's own words; `voices` are held-out ones."""
    moment = Direction(start_frame=0, end_frame=num_frames, expression="happy", intensity=HAPPINESS)
    span = DirectedSpan(start_frame=0, end_frame=num_frames, moments=(moment,))
    return perform_clip(FACE_SEEDS + face, num_frames, "speak", voices, told=(span,))


def shown_by(identity: Identity, expressions: Sequence[str], size_px: int) -> Character:
    """A character of which there is a global picture and one of each of these expressions."""
    drawn = {"": draw_frame(identity, resting_state(1)[0], size_px)}
    drawn |= {name: draw_expression(identity, name, size_px) for name in expressions}
    return Character(
        name=f"actor {identity.seed}",
        description="a held-out actor of the benchmark",
        references=tuple(
            Reference(
                kind=ReferenceKind.EXPRESSION if name else ReferenceKind.GLOBAL,
                subtype=name,
                picture_HWC=picture_HWC,
                path=Path(f"{name or 'global'}.png"),
            )
            for name, picture_HWC in drawn.items()
        ),
    )


def distance(crops_TCHW: NDArray[np.float32], truth_TCHW: NDArray[np.float32]) -> float:
    """Root mean square between two films' lower faces, each cut where its own mouth is, in levels of 0..255."""
    return float(127.5 * np.sqrt(np.square(crops_TCHW - truth_TCHW).mean()))


def cheek_lead(crops_TCHW: NDArray[np.float32], own_TCHW: NDArray[np.float32], twin_TCHW: NDArray[np.float32]) -> float:
    """By how much cheeks are nearer to their own truth's than to the twin's, where these two differ: above 0 is right.

    Cheeks of twins differ in dimples alone. Films are averaged over time first: a dimple stays where it is, and whatever moves
    past it does not.
    """
    film_CHW, own_CHW, twin_CHW = (each_TCHW.mean(axis=0) for each_TCHW in (crops_TCHW, own_TCHW, twin_TCHW))
    width = film_CHW.shape[2]
    is_cheek_W = np.abs(np.arange(width) + 0.5 - width / 2) > MOUTH_SHARE * width / 2
    telling_CHW = np.square(own_CHW - twin_CHW) * is_cheek_W
    nearer_CHW = np.square(film_CHW - twin_CHW) - np.square(film_CHW - own_CHW)
    return float((telling_CHW * nearer_CHW).sum() / (telling_CHW.sum() + 1e-12))


def strip_of(character: Character, films: dict[View, Film]) -> dict[str, Film]:
    """The references and a few frames of each film."""
    smile_HWC = next(each.picture_HWC for each in character.references if each.subtype == SHOWN_EXPRESSIONS[0])
    strip = {"global": character.global_picture_HWC[None], "reference": smile_HWC[None]}
    for view, film_THWC in films.items():
        last = len(film_THWC) - 1
        chosen = np.linspace(SETTLING_FRAMES + (last - SETTLING_FRAMES) / 2, last, STRIP_FRAMES).astype(int)
        strip[view] = film_THWC[chosen]
    return strip
