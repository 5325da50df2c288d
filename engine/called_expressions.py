"""Which expression a direction calls for, by what the pack's own text encoder makes of it and of the expressions' names.

Called where a character's references are chosen and where directions are taken apart. It knows words and no pictures.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch.nn import functional

from engine.characters import EXPRESSIONS
from engine.encoders.protocol import TextRows

NEUTRAL: Final = EXPRESSIONS[0]
LEAST_NEARNESS: Final = 0.8
"""Cosine from which a direction calls for an expression: so near is a clause of each caption that asks for one, and none of others."""


_BETWEEN_CLAUSES: Final = re.compile(
    r"[,;.:\uff0c\uff1b\u3002\u3001\uff01\uff1f]|(?a:\b)(?:and|but|then|while)(?a:\b)"
    r"|[\u5e76\u4e26]\u4e14|\u540c[\u65f6\u6642]|\u4e00[\u8fb9\u908a]",
    re.IGNORECASE,
)  # Chinese: commas and stops, bingqie, tongshi, yibian


@dataclass(frozen=True, kw_only=True)
class CalledExpression:
    """`nearness` is how near a whole direction comes to the name of each expression; `name` is the one called for, None for the neutral."""

    nearness: dict[str, float]
    name: str | None


@torch.no_grad()
def called_expression(text_encoder: TextRows, text: str) -> CalledExpression:
    """What a direction calls for, as the cosine of mean rows: read whole, and where that says nothing, clause by clause.

    In "is afraid, looks left, turns left" one clause of three speaks of a feeling. Of several that do, the nearest counts, then the first.
    """
    clauses = [text, *(clause for clause in map(str.strip, _BETWEEN_CLAUSES.split(text)) if clause)]
    rows_NSD = text_encoder.encode([*clauses, *EXPRESSIONS]).float().cpu()
    meaning_ND = rows_NSD.mean(dim=1)
    clauses_CD, names_ED = meaning_ND[: len(clauses)], meaning_ND[len(clauses) :]
    nearness_CE = functional.cosine_similarity(clauses_CD[:, None], names_ED, dim=-1)
    called = [_called(near_E.tolist()) for near_E in nearness_CE]
    nearest = called[0] if called[0].name else max(called[1:], key=lambda each: each.near, default=called[0])
    return CalledExpression(
        nearness=dict(zip(EXPRESSIONS, nearness_CE[0].tolist(), strict=True)),
        name=nearest.name,
    )


class _Called(NamedTuple):
    """What one clause calls for, and how near it is; 0 where it calls for nothing."""

    name: str | None
    near: float


def _called(near_E: list[float]) -> _Called:
    near = max(near_E)
    name = EXPRESSIONS[near_E.index(near)]
    return _Called(name, near) if near >= LEAST_NEARNESS and name != NEUTRAL else _Called(None, 0.0)
