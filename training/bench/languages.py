"""Whether a pack does in Chinese what it does in English: held-out actors told two things in turn, in either language and not at all.

Called by `languages_cli`. Cases, times, truth and what counts as carried out are those of `direction_cases` and `following`; the words
are the plainest English and a Chinese wording by lot for the same. Knows nothing of how films are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from training.actor.as_character import character_of
from training.actor.captions import CaptionSpan
from training.actor.chinese_captions import bilingual_caption
from training.actor.draw import draw_film
from training.actor.state import EXPRESSIONS
from training.actor.voices import VoicePool
from training.bench.cases import HELD_OUT_SEED, FilmRequest
from training.bench.direction_cases import DirectionCase, direction_request, make_direction_case
from training.bench.following import share_followed
from training.bench.judge import FilmMaker
from training.bench.measures import SETTLING_FRAMES, shown_expression
from training.bench.reading import Reading, read_film, resized, smaller
from training.bench.regressor import LoadedRegressor
from training.bench.report import Figure
from training.bench.statistics import bootstrap, mean

NUM_FRAMES: Final = 96


@dataclass(frozen=True, kw_only=True)
class LanguageResult:
    """One actor: shares of two directions that are carried out, and whether the feeling told first is shown, by language; None where no
    feeling is told. `words` are the captions."""

    words: tuple[str, ...]
    followed: dict[str, float]
    feeling_shown: dict[str, float] | None


def judge_languages(actor: int, maker: FilmMaker, regressor: LoadedRegressor, voices: VoicePool) -> LanguageResult:
    """The actor's directed clip, told in each language."""
    case = make_direction_case(actor, NUM_FRAMES, voices)
    character = character_of(case.identity, maker.film_px)
    request = direction_request(case, character)
    truth = read_film(
        regressor, smaller(draw_film(case.identity, case.performance.state_TK, maker.film_px), maker.size_px)
    )
    rest = read_film(regressor, resized(character.global_picture_HWC, maker.size_px)[None])
    told = {"english": captions_of(case, "english"), "chinese": captions_of(case, "chinese"), "untold": ()}
    films = {name: _read(request, prompts, maker, regressor) for name, prompts in told.items()}
    first = case.spans[0].moments[0]
    has_feeling = first.is_expression_told and first.expression != EXPRESSIONS[0]
    return LanguageResult(
        words=tuple(prompt.text for name in ("english", "chinese") for prompt in told[name]),
        followed={name: share_followed(case.told, film, truth, rest) for name, film in films.items()},
        feeling_shown={
            name: float(_felt_first(film, first.end_frame) == EXPRESSIONS.index(first.expression))
            for name, film in films.items()
        }
        if has_feeling
        else None,
    )


def captions_of(case: DirectionCase, language: str) -> tuple[CaptionSpan, ...]:
    """A case's spans in words of one language; the same case is told the same."""
    rng = np.random.default_rng([HELD_OUT_SEED, case.actor, 11])
    both = [(span, bilingual_caption(rng, span, "speak")) for span in case.spans]
    return tuple(
        CaptionSpan(start_frame=span.start_frame, end_frame=span.end_frame, text=getattr(caption, language))
        for span, caption in both
    )


def _read(
    request: FilmRequest, prompts: tuple[CaptionSpan, ...], maker: FilmMaker, regressor: LoadedRegressor
) -> Reading:
    return read_film(regressor, maker.film(replace(request, prompts=prompts)))


def _felt_first(film: Reading, end_frame: int) -> int:
    """The feeling seen in the first moment, once it had time to appear."""
    moment = replace(film, expression_TE=film.expression_TE[:end_frame])
    return shown_expression(moment, min(SETTLING_FRAMES, end_frame - 1))


def figures_of(results: Sequence[LanguageResult]) -> list[Figure]:
    """The figures over all actors, for each language and for nothing told."""
    felt = [each.feeling_shown for each in results if each.feeling_shown is not None]
    figures = []
    for name in ("english", "chinese", "untold"):
        title = "nothing told" if name == "untold" else f"told in {name.capitalize()}"
        rows = (
            (
                f"directions_{name}",
                f"directions carried out in order, {title}",
                [each.followed[name] for each in results],
            ),
            (f"feeling_{name}", f"feeling of the first moment shown, {title}", [each[name] for each in felt]),
        )
        figures += [Figure(name=key, title=text, estimate=bootstrap(values, mean)) for key, text, values in rows]
    return figures
