"""The ablation must tell references that help from references that don't, and a character's own traits from another's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.characters import ReferenceKind
from engine.errors import BadPackError
from training.actor.draw import draw_film
from training.actor.identity import Identity
from training.actor.references import draw_expression, draw_view
from training.actor.state import channel
from training.actor.voices import VoicePool
from training.bench.back_prints import DIRECTION, back_twins
from training.bench.cases import FilmRequest
from training.bench.hidden_traits import HIDDEN_TRAITS, face_with, levels_of_face, opposite
from training.bench.reading import smaller
from training.bench.reference_ablation import (
    FACE_SEEDS,
    SHOWN_EXPRESSIONS,
    AblationConfig,
    AblationJudge,
    FaceResult,
    cheek_lead,
    happy_speech,
    shown_by,
    twins_of,
)
from training.bench.reference_ablation_figures import figures_of
from training.bench.reference_ablation_sheet import write_ablation_sheet
from training.bench.regressor import load_regressor
from training.bench.report import Figure
from training.bench.trait_reader import TraitReaderConfig, load_trait_reader
from training.bench.trait_reader_training import CROP_MARGIN_PX, TraitReaderRecipe, draw_smiles, shifted_crops

NUM_FACES, NUM_FRAMES = 2, 15
READABLE = load_trait_reader().readable


@dataclass(frozen=True, kw_only=True)
class DrawnFilms:
    """Films by the actor itself, which knows from the references which of the twins to draw, and perhaps draws the other."""

    voices: VoicePool
    drawn: Callable[[tuple[Identity, Identity], bool, bool], Identity]  # twins, are references given, is it the second
    size_px: int = 192
    film_px: int = 384

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        if request.prompts[0].text == DIRECTION:
            return self._turned(request)
        twins = twins_of(request.seed)
        smiles = [ref.picture_HWC for ref in request.character.references if ref.subtype == "happy"]
        second = draw_expression(twins[1], "happy", self.film_px)
        is_second = bool(smiles) and np.array_equal(smiles[0], second)
        identity = self.drawn(twins, bool(smiles), is_second)
        states_TK = happy_speech(request.seed, request.num_frames, self.voices).state_TK
        return smaller(draw_film(identity, states_TK, self.film_px), self.size_px)

    def _turned(self, request: FilmRequest) -> NDArray[np.uint8]:
        """Their backs, moved a little; and whoever is not known from behind goes on facing the viewer."""
        twins = tuple(twin.identity for twin in back_twins(FACE_SEEDS + request.seed))
        backs = [ref.picture_HWC for ref in request.character.references if ref.subtype == "rear"]
        is_second = bool(backs) and np.array_equal(backs[0], draw_view(twins[1], "rear", self.film_px))
        identity = self.drawn((twins[0], twins[1]), bool(backs), is_second)
        drawn_HWC = draw_view(identity, "rear" if backs else "front", self.film_px)
        film_THWC = np.repeat(np.roll(drawn_HWC, (4, -6), axis=(0, 1))[None], request.num_frames, axis=0)
        return smaller(film_THWC, self.size_px)


def right_traits(twins: tuple[Identity, Identity], has_references: bool, is_second: bool) -> Identity:
    return twins[is_second] if has_references else twins[0]


def wrong_traits(twins: tuple[Identity, Identity], has_references: bool, is_second: bool) -> Identity:
    return twins[not is_second] if has_references else twins[0]


def generic_traits(twins: tuple[Identity, Identity], has_references: bool, is_second: bool) -> Identity:
    return twins[0]


Judged = Callable[[Callable[[tuple[Identity, Identity], bool, bool], Identity]], list[FaceResult]]


@pytest.fixture(scope="module")
def judged(voices: VoicePool) -> Judged:
    def run(drawn: Callable[[tuple[Identity, Identity], bool, bool], Identity]) -> list[FaceResult]:
        judge = AblationJudge(
            regressor=load_regressor(),
            reader=load_trait_reader(),
            maker=DrawnFilms(voices=voices, drawn=drawn),
            round_trip=lambda film_THWC: film_THWC,
            voices=voices,
            num_frames=NUM_FRAMES,
            num_moments=1,
        )
        return [judge.judge_face(face) for face in range(NUM_FACES)]

    return run


@pytest.fixture(scope="module")
def right(judged: Judged) -> list[FaceResult]:
    return judged(right_traits)


def figure(faces: list[FaceResult], name: str) -> Figure:
    return next(one for one in figures_of(faces, READABLE) if one.name == name)


def value(faces: list[FaceResult], name: str) -> float:
    estimate = figure(faces, name).estimate
    assert estimate is not None
    return estimate.value


def test_films_with_the_right_traits_pass(right: list[FaceResult]) -> None:
    assert [one.name for one in figures_of(right, READABLE) if one.is_reached is False] == []
    assert value(right, "traits") == figure(right, "traits").floor
    assert value(right, "traits") >= 0.85
    assert value(right, "own_picture") == 1.0
    assert value(right, "mouth_distance") == 0.0


def test_without_references_nothing_tells_the_twins_apart(right: list[FaceResult]) -> None:
    for name in HIDDEN_TRAITS:
        assert value(right, f"{name}_without") == 0.5
        assert value(right, f"{name}_auc_without") == pytest.approx(0.5)
        assert value(right, f"{name}_twin_without") == 0.5
    assert value(right, "own_picture_without") == 0.5
    assert value(right, "dimples_drawn_without") == 0.5
    assert value(right, "back_print_without") == 0.5
    assert value(right, "back_print") == 1.0
    assert value(right, "mouth_distance_gain") < 0.0
    assert value(right, "traits_gain") >= 0.35


def test_films_with_the_twins_traits_fail_every_bar(judged: Judged) -> None:
    faces = judged(wrong_traits)
    assert not any(one.is_reached for one in figures_of(faces, READABLE))
    assert value(faces, "traits") <= 0.15
    assert value(faces, "own_picture") == 0.0


def test_a_model_that_does_not_look_at_its_references_gains_nothing(judged: Judged) -> None:
    faces = judged(generic_traits)
    assert not any(one.is_reached for one in figures_of(faces, READABLE))
    assert value(faces, "traits") == 0.5
    assert value(faces, "traits_gain") == 0.0
    assert value(faces, "mouth_distance_gain") == 0.0


def test_intervals_are_over_faces(right: list[FaceResult]) -> None:
    for one in figures_of(right, READABLE):
        assert one.estimate is not None
        assert one.estimate.num_cases == NUM_FACES
        assert one.estimate.interval[0] - 1e-9 <= one.estimate.value <= one.estimate.interval[1] + 1e-9


def test_eight_faces_hold_every_combination_of_traits_once() -> None:
    levels = [levels_of_face(face) for face in range(8)]
    levels += [opposite(each) for each in levels]
    assert len(set(levels)) == 16


def test_twins_differ_in_hidden_traits_alone() -> None:
    first, second = (face_with(7, levels) for levels in ((False,) * 4, (True,) * 4))
    changed = {name for name in vars(first) if getattr(first, name) != getattr(second, name)}
    assert changed == set(HIDDEN_TRAITS)


def test_the_case_is_a_happy_speaker_told_so(voices: VoicePool) -> None:
    performance = happy_speech(3, 30, voices)
    assert performance.state_TK[15:, channel("expression_happy")].min() > 0.9
    assert performance.is_speaking_T.any()
    assert len(performance.captions) == 1


def test_a_character_is_shown_by_what_is_asked_for() -> None:
    identity = twins_of(0)[0]
    alone, beside = shown_by(identity, (), 48), shown_by(identity, SHOWN_EXPRESSIONS, 48)
    assert [ref.kind for ref in alone.references] == [ReferenceKind.GLOBAL]
    assert [ref.subtype for ref in beside.references] == ["", *SHOWN_EXPRESSIONS]


def test_the_sheet_shows_every_face(right: list[FaceResult], tmp_path: Path) -> None:
    write_ablation_sheet(tmp_path / "sheet.png", right)
    sheet_HWC = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet_HWC is not None
    assert sheet_HWC.shape[0] > 2 * NUM_FACES * 140


def test_training_crops_are_cut_around_the_mouth_and_not_beyond_their_margin() -> None:
    config = TraitReaderConfig()
    smiles = draw_smiles(2, config, seed=3)
    far = TraitReaderRecipe(crop_jitter_px=100.0)
    crops_BCHW = shifted_crops(smiles.crops_NHWC, far, np.random.default_rng(0))
    assert crops_BCHW.shape == (2, 3, *config.crop_px)
    assert smiles.crops_NHWC.shape[1:3] == tuple(side + 2 * CROP_MARGIN_PX for side in config.crop_px)


def test_a_changed_reader_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPackError, match="train-trait-reader"):
        load_trait_reader(tmp_path)


def test_a_run_has_at_least_two_faces_and_outlasts_the_beginning_of_a_smile() -> None:
    with pytest.raises(ValueError, match="two faces"):
        AblationConfig(num_faces=1)
    with pytest.raises(ValueError, match="longer"):
        AblationConfig(num_frames=12)


def test_cheeks_are_told_by_what_lies_beside_the_mouth_and_stays() -> None:
    rng = np.random.default_rng(0)
    smooth = np.full((8, 3, 56, 112), 0.2, dtype=np.float32)
    dimpled, grinning = smooth.copy(), smooth.copy()
    dimpled[:, :, 24:32, 12:15] -= 0.3
    dimpled[:, :, 24:32, 97:100] -= 0.3
    grinning[:, :, 24:32, 40:72] = -0.8
    noise = rng.normal(0, 0.1, smooth.shape).astype(np.float32)
    assert cheek_lead(dimpled + noise, dimpled, smooth) > 0.5 * cheek_lead(dimpled, dimpled, smooth) > 0
    assert cheek_lead(smooth + noise, dimpled, smooth) < 0
    assert cheek_lead(grinning, dimpled, smooth) == pytest.approx(cheek_lead(smooth, dimpled, smooth))
