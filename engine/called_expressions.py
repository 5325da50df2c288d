"""Which expression a direction calls for, by what the pack's own text encoder makes of it and of the expressions' names.

Called where a character's references are chosen and where directions are taken apart. It knows words and no pictures.
"""

from typing import Final

import torch
from torch.nn import functional

from engine.characters import EXPRESSIONS
from engine.encoders.protocol import TextRows

LEAST_NEARNESS: Final = 0.8
"""Cosine from which a direction calls for an expression: so near are 95 % of the captions that ask for one, and none of another's."""


@torch.no_grad()
def expression_nearness(text_encoder: TextRows, text: str) -> dict[str, float]:
    """How near in meaning a direction is to the name of each expression there is, as the cosine of their mean rows."""
    rows_BSD = text_encoder.encode([text, *EXPRESSIONS]).float().cpu()
    direction_D, *meanings_D = rows_BSD.mean(dim=1)
    return {
        name: float(functional.cosine_similarity(direction_D, meaning_D, dim=0))
        for name, meaning_D in zip(EXPRESSIONS, meanings_D, strict=True)
    }


def called_expression(nearness: dict[str, float]) -> str | None:
    """The expression that is called for; None where that is the neutral one, or none is near enough."""
    nearest = max(nearness, key=nearness.__getitem__)
    return nearest if nearness[nearest] >= LEAST_NEARNESS and nearest != "neutral" else None
