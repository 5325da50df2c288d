"""Directions that ask for one thing after another ("looks left, then nods"), taken apart and told each in its turn.

A plan of motion looks back over a second and knows no clock: told two things at once it cannot know that the first is over, and does a
little of both. So whoever knows the frames tells it one at a time. A feeling ("angry, looks left, then nods") holds until another is
called for, and is said again with each part. Called where directions meet frames, by a job's conditions and by a live session. It must
not know pictures or sound.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from engine.base.job import Directions
from engine.called_expressions import called_expression, expression_nearness
from engine.loaded_pack import LoadedPack

PartsOf = Callable[[str], tuple[str, ...]]
"""A direction to the directions it is made of, in order; at least one."""

_BREAK: Final = r"\s*[,;.:\u2014\uff0c\uff1b\u3002]?\s*"
_AND_THEN: Final = re.compile(
    rf"{_BREAK}\b(?:(?:and|but)\s+)?(?:then|afterwards|after\s+that|followed\s+by|subsequently)\b[,:]?\s*"
    r"|\s*[,;.]\s*(?:and\s+)?(?:next|finally|lastly)\b(?!\s+to\b)[,:]?\s*"
    r"|\s*,?\s+before\s+(?=\w+ing\b)"
    rf"|{_BREAK}(?:\u7136\u540e|\u63a5\u7740|\u968f\u540e|\u800c\u540e|\u6700\u540e)[\uff0c,]?\s*",  # ranhou, jiezhe, suihou, erhou, zuihou
    re.IGNORECASE,
)
_FIRST: Final = re.compile(
    r"^(?:at\s+)?first(?:ly)?\b[,:]?\s*|^(?:\u9996\u5148|\u5148)[\uff0c,]?", re.IGNORECASE
)  # shouxian, xian

_UNMOVED: Final = re.compile(
    r"\b(?:neutral(?:ly)?|relax(?:e[sd])?|composed|expressionless|unmoved|straight[- ]face[d]?|matter-of-fact|blank|"
    r"no\s+(?:emotion|feeling)s?)\b",
    re.IGNORECASE,
)
"""Words for showing no feeling: to the encoder they are what says nothing of feelings."""


def parts_in_turn(text: str) -> tuple[str, ...]:
    """What a direction asks for in turn, in its own words; one that asks for nothing in turn as it is."""
    parts = [_FIRST.sub("", part.strip(" ,;.\uff0c\uff1b\u3002")).strip() for part in _AND_THEN.split(text)]
    parts = [part for part in parts if part]
    return tuple(parts) if len(parts) > 1 else (text,)


def as_it_is(text: str) -> tuple[str, ...]:
    """The direction as one part, for packs that read the whole of it at every moment."""
    return (text,)


def parts_for(pack: LoadedPack) -> PartsOf:
    """How this pack is told what happens in turn: part by part where it plans motion."""
    return as_it_is if pack.motion is None else _PartsWithFeeling(pack)


def told_in_turn(directions: Directions, parts_of: PartsOf) -> Directions:
    """A film's directions taken apart: the parts of each share its frames evenly."""
    parts = tuple(part for span in directions.spans for part in span.shared_by(parts_of(span.text)))
    return replace(directions, spans=parts)


class _PartsWithFeeling:
    """`parts_in_turn`, with the last feeling called for in every part that says nothing of feelings."""

    def __init__(self, pack: LoadedPack) -> None:
        self._encoder = pack.text_encoder

    def __call__(self, text: str) -> tuple[str, ...]:
        parts = parts_in_turn(text)
        if len(parts) == 1:
            return parts
        told: list[str] = []
        feeling: str | None = None
        for part in parts:
            called = called_expression(expression_nearness(self._encoder, part))
            goes_on = called is None and feeling is not None and not _UNMOVED.search(part)
            told.append(f"{feeling}, {part}" if goes_on else part)
            feeling = feeling if goes_on else called
        return tuple(told)
