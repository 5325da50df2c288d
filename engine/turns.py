"""Directions that ask for one thing after another ("looks left, then nods"), taken apart and told each in its turn.

A plan of motion looks back over a second and knows no clock: told two things at once it cannot know that the first is over, and does a
little of both. So whoever knows the frames tells it one at a time. Called where directions meet frames, by a job's conditions, by a live
session and by the studio, which says so. It knows words and no pack (`engine.carried_feelings`).
"""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.base.job import Directions  # which brings torch along, and a window needs words alone

PartsOf = Callable[[str], tuple[str, ...]]
"""A direction to the directions it is made of, in order; at least one."""

_CHINESE_BREAKS: Final = "\uff0c\uff1b\u3002\u3001\uff01\uff1f"  # comma, semicolon, stop, comma of lists, ! and ?
_BREAK: Final = rf"\s*[,;.:\u2014{_CHINESE_BREAKS}]?\s*"
_EDGE: Final = r"(?a:\b)"  # of a word in Latin letters, also right beside a Chinese character
_AND_THEN: Final = re.compile(
    rf"{_BREAK}{_EDGE}(?:(?:and|but)\s+)?(?:then|afterwards|after\s+that|followed\s+by|subsequently){_EDGE}[,:]?\s*"
    rf"|\s*[,;.]\s*(?:and\s+)?(?:next|finally|lastly){_EDGE}(?!\s+to{_EDGE})[,:]?\s*"
    rf"|\s*,?\s+before\s+(?=\w+ing{_EDGE})"
    # ranhou, jiezhe, suihou, erhou, zuihou, in simplified characters and in traditional ones
    rf"|{_BREAK}(?:[\u7136\u968f\u96a8\u800c\u6700][\u540e\u5f8c]|\u63a5[\u7740\u8457])[\uff0c,]?\s*"
    # zai(ci), zhihou, jiexialai, behind a break alone; not zaijian, goodbye, nor zaishuo, besides
    rf"|\s*[,;.{_CHINESE_BREAKS}]\s*(?:\u518d\u6b21?(?![\u89c1\u898b\u8bf4\u8aaa])|\u4e4b[\u540e\u5f8c]|\u63a5\u4e0b[\u6765\u4f86])[\uff0c,]?\s*",
    re.IGNORECASE,
)
_FIRST: Final = re.compile(
    rf"^(?:at\s+)?first(?:ly)?{_EDGE}[,:]?\s*|^(?:\u9996\u5148|\u5148(?!\u751f))[\uff0c,]?", re.IGNORECASE
)  # shouxian, xian


def parts_in_turn(text: str) -> tuple[str, ...]:
    """What a direction asks for in turn, in its own words; one that asks for nothing in turn as it is."""
    parts = [_FIRST.sub("", part.strip(f" ,;.{_CHINESE_BREAKS}")).strip() for part in _AND_THEN.split(text)]
    parts = [part for part in parts if part]
    return tuple(parts) if len(parts) > 1 else (text,)


def in_turn(start_frame: int, end_frame: int, texts: tuple[str, ...]) -> tuple[tuple[int, int, str], ...]:
    """Frames shared evenly by directions in turn, (start, end, direction); where there are fewer frames, by the first of them."""
    texts = texts[: end_frame - start_frame]
    edges = [start_frame + (end_frame - start_frame) * place // len(texts) for place in range(len(texts) + 1)]
    return tuple((start, end, text) for (start, end), text in zip(pairwise(edges), texts, strict=True))


def as_it_is(text: str) -> tuple[str, ...]:
    """The direction as one part, for packs that read the whole of it at every moment."""
    return (text,)


def told_in_turn(directions: "Directions", parts_of: PartsOf) -> "Directions":
    """A film's directions taken apart: the parts of each share its frames evenly."""
    parts = tuple(part for span in directions.spans for part in span.shared_by(parts_of(span.text)))
    return replace(directions, spans=parts)
