"""Chinese captions say what the English beside them says: sides, feelings and what is done, in many wordings and within the bytes."""

import re

import numpy as np
import pytest

from engine.carried_feelings import _UNMOVED
from engine.chinese import is_chinese, simplified
from training.actor.captions import MOST_BYTES, plain_caption
from training.actor.chinese_captions import _ADJECTIVES, _CLAUSES, BilingualCaption, bilingual_caption
from training.actor.directions import ClipKind, DirectedSpan, Direction, sample_spans
from training.actor.state import EXPRESSIONS

KINDS: tuple[ClipKind, ...] = ("speak", "listen", "converse", "idle")
SAID_FOR = {
    "looks at the viewer": "看视視觸触",
    "looks up": "上抬仰",
    "looks down": "下垂低地",
    "raises the chin": "抬仰扬揚昂",
    "shrugs": "肩",
}


def captions(count: int = 600) -> list[BilingualCaption]:
    found = []
    for number in range(count):
        rng = np.random.default_rng(number)
        kind = KINDS[number % len(KINDS)]
        spans = sample_spans(rng, 96, kind)
        found.append(bilingual_caption(rng, spans[0], kind))
    return found


def test_captions_vary_and_stay_within_their_bytes() -> None:
    found = captions()
    assert len({each.chinese for each in found}) > 0.95 * len(found)
    for each in found:
        assert is_chinese(each.chinese) and not is_chinese(each.english) and each.english
        assert len(each.chinese.encode()) <= MOST_BYTES and len(each.english.encode()) <= MOST_BYTES
    assert captions(20) == found[:20]


def test_sides_and_actions_are_the_same_in_both() -> None:
    for each in captions():
        for side, word in (("left", "左"), ("right", "右")):
            assert (side in re.findall(r"\w+", each.english)) is (word in each.chinese), each
        for english, characters in SAID_FOR.items():
            if english in each.english:
                assert set(characters) & set(each.chinese), each


def test_all_characters_are_simplified() -> None:
    for each in captions():
        assert simplified(each.chinese) == each.chinese


def test_who_is_to_show_no_feeling_does_not_go_on_with_the_last() -> None:
    """The engine's words for that are all of these."""
    for word in (*_ADJECTIVES["neutral"], *_CLAUSES["neutral"]):
        assert _UNMOVED.search(word), word
        assert not any(
            _UNMOVED.search(other) for name in EXPRESSIONS[1:] for other in (*_ADJECTIVES[name], *_CLAUSES[name])
        )


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_feeling_is_said_in_many_ways(expression: str) -> None:
    moment = Direction(start_frame=0, end_frame=96, expression=expression, intensity=0.7)
    span = DirectedSpan(start_frame=0, end_frame=96, moments=(moment,))
    rng = np.random.default_rng(0)
    said = {bilingual_caption(rng, span, "speak").chinese for _ in range(200)}
    assert len(said) > 60
    assert plain_caption(span, "speak", tells_kind=False) == expression
    assert plain_caption(span, "speak", tells_kind=True) == f"{expression}, speaks"


def test_plain_english_grades_feelings_and_keeps_the_order_of_moments() -> None:
    first = Direction(start_frame=0, end_frame=40, expression="sad", intensity=0.4, gaze="left", head="tilt_right")
    second = Direction(start_frame=40, end_frame=96, expression="happy", intensity=1.0, energy="lively")
    span = DirectedSpan(start_frame=0, end_frame=96, moments=(first, second))
    assert plain_caption(span, "listen", tells_kind=True) == (
        "slightly sad, looks left, tilts the head to the right, listens, then very happy, moves a lot"
    )
