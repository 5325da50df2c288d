"""Directions in two languages: a film that follows the words of one alone scores there alone."""

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.chinese import is_chinese
from engine.errors import BadInputError
from training.actor.draw import draw_film
from training.actor.state import resting_state
from training.actor.voices import VoicePool
from training.bench.cases import FilmRequest
from training.bench.direction_cases import make_direction_case
from training.bench.languages import NUM_FRAMES, captions_of, figures_of, judge_languages
from training.bench.languages_cli import run_languages_job
from training.bench.regressor import load_regressor

ACTORS = (0, 1, 2)


@pytest.fixture(scope="module")
def voices() -> VoicePool:
    return VoicePool.discover().for_evaluation()


@dataclass
class EnglishOnly:
    """The actor itself, which acts where it is told in English and rests where it is not."""

    voices: VoicePool
    size_px: int = 192
    film_px: int = 192

    def film(self, request: FilmRequest) -> NDArray[np.uint8]:
        case = make_direction_case(request.seed, NUM_FRAMES, self.voices)
        words = "".join(prompt.text for prompt in request.prompts)
        is_told = bool(words) and not is_chinese(words)
        state_TK = case.performance.state_TK if is_told else resting_state(NUM_FRAMES)
        return draw_film(case.identity, state_TK, self.size_px)


def test_who_understands_one_language_scores_in_it_alone(voices: VoicePool) -> None:
    regressor, maker = load_regressor(), EnglishOnly(voices)
    results = [judge_languages(actor, maker, regressor, voices) for actor in ACTORS]
    figures = {figure.name: figure.estimate.value for figure in figures_of(results)}
    assert figures["directions_english"] == 1.0
    assert figures["directions_chinese"] == figures["directions_untold"] < 0.4
    assert figures["feeling_english"] > figures["feeling_chinese"]
    assert all(is_chinese("".join(each.words)) for each in results)


def test_a_case_is_told_the_same_each_time_and_the_same_in_both(voices: VoicePool) -> None:
    case = make_direction_case(0, NUM_FRAMES, voices)
    english, chinese = captions_of(case, "english"), captions_of(case, "chinese")
    assert chinese == captions_of(case, "chinese")
    assert [(each.start_frame, each.end_frame) for each in english] == [
        (each.start_frame, each.end_frame) for each in chinese
    ]
    assert not any(is_chinese(each.text) for each in english)


def test_too_few_actors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="two actors at least"):
        run_languages_job(Namespace(pack="lpm-tiny", report=tmp_path / "r.json", cases=1))
