"""Portraits by another hand: heads that are as described, and figures that tell who keeps them from who does not."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import BadInputError
from training.actor.voices import VoicePool
from training.bench.cases import FilmRequest
from training.bench.flat_heads import draw_flat_head, random_head
from training.bench.other_hands import ALIKE_LEVELS, FEELINGS, areas_kept, figures_of, judge_head, share_of
from training.bench.other_hands_cli import run_other_hands_job
from training.bench.regressor import load_regressor

SIZE_PX = 96


def test_heads_are_functions_of_their_number_and_of_many_kinds() -> None:
    heads = [random_head(seed) for seed in range(40)]
    assert heads == [random_head(seed) for seed in range(40)]
    assert {head.hair_style for head in heads} == {"cap", "bob", "bun", "none"}
    assert {head.is_bearded for head in heads} == {head.has_glasses for head in heads} == {True, False}
    assert len({draw_flat_head(head, SIZE_PX).tobytes() for head in heads}) == 40


@pytest.mark.parametrize("seed", range(6))
def test_a_head_has_its_colours_where_they_belong(seed: int) -> None:
    head = random_head(seed)
    picture_HWC = draw_flat_head(head, SIZE_PX)
    assert picture_HWC.shape == (SIZE_PX, SIZE_PX, 3) and picture_HWC.dtype == np.uint8
    assert tuple(picture_HWC[2, 2]) == head.wall
    assert tuple(picture_HWC[-3, SIZE_PX // 2 + 20]) == head.clothes
    assert share_of(picture_HWC[30:65, 34:62], head.skin) > 0.3
    assert np.abs(draw_flat_head(head, 2 * SIZE_PX)[::2, ::2].astype(int) - picture_HWC).mean() < 3, "at any size"


def test_areas_are_kept_by_a_still_and_lost_by_a_smear() -> None:
    head = random_head(0)
    still_HWC = draw_flat_head(head, SIZE_PX)
    film_THWC = np.repeat(still_HWC[None], 3, axis=0)
    assert areas_kept(head.areas, still_HWC, film_THWC) == pytest.approx((1.0, 1.0, 1.0, 1.0))
    grey_THWC = film_THWC.copy()
    grey_THWC[:, 48:] = 128
    assert min(areas_kept(head.areas, still_HWC, grey_THWC)) < 0.1
    walls_THWC = film_THWC.copy()
    walls_THWC[:, :48] = head.wall
    assert areas_kept(head.areas, still_HWC, walls_THWC)[0] < 0.9, "more of it is no better than less"


def test_pixels_are_alike_within_some_levels() -> None:
    picture_HWC = np.zeros((2, 2, 3), np.uint8)
    picture_HWC[0, 0, 0] = int(ALIKE_LEVELS) + 1
    assert share_of(picture_HWC, (0, 0, 0)) == 0.75


@dataclass
class Stills:
    """Shows the portrait all the time, or another's."""

    shown: int | None = None
    size_px: int = 192
    film_px: int = 192

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        picture_HWC = request.character.global_picture_HWC
        if self.shown is not None:
            picture_HWC = draw_flat_head(random_head(self.shown), self.size_px)
        return np.repeat(picture_HWC[None], request.num_frames, axis=0)


def test_a_still_keeps_a_face_and_follows_nothing_and_a_stranger_keeps_none() -> None:
    regressor, voices = load_regressor(), VoicePool.discover().for_evaluation()

    def figures(maker: Stills) -> dict[str, float]:
        found = figures_of([judge_head(seed, maker, regressor, voices) for seed in (0, 3)])
        return {figure.name: figure.estimate.value for figure in found if figure.estimate is not None}

    still, stranger = figures(Stills()), figures(Stills(shown=0))
    assert still["own_nearest"] == 1.0 and stranger["own_nearest"] == 0.5
    assert still["areas_kept"] > 0.999 > 0.8 > stranger["areas_kept"]
    assert abs(still["mouth_r"]) < 1e-3
    assert still["expression_accuracy"] == 0.0


def test_films_are_asked_for_with_the_voice_and_with_each_feeling() -> None:
    requests: list[FilmRequest] = []

    class Asked(Stills):
        def film(self, request: FilmRequest) -> NDArray[np.uint8]:
            requests.append(request)
            return super().film(request)

    result = judge_head(3, Asked(), load_regressor(), VoicePool.discover().for_evaluation())
    speaking, feeling = requests
    assert speaking.speak_S is not None and np.abs(speaking.speak_S).max() > 0.01 and speaking.prompts == ()
    assert feeling.speak_S is None and [span.text for span in feeling.prompts] == [f"is very {FEELINGS[3]}"]
    assert result.strip_HWC.shape[1] == 4 * result.strip_HWC.shape[0]


def test_a_single_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="--heads 1"):
        run_other_hands_job(Namespace(pack="lpm-tiny", report=tmp_path / "report.json", heads=1))
