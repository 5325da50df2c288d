"""How a pack is told what a direction asks for in turn: part by part, with the feeling and the view that each part goes on with.

A feeling ("angry, looks left, then nods") holds until another is called for, so it is said again with each part that says none; and who has
turned round ("turns her back to us, then nods") stays so until told to face us. Called by whoever performs, offline or live.
"""

import re
from typing import Final

from engine.called_expressions import called_expression
from engine.called_views import WORDS, View, called_view
from engine.chinese import simplified
from engine.loaded_pack import LoadedPack
from engine.turns import PartsOf, as_it_is, parts_in_turn

_UNMOVED: Final = re.compile(
    r"(?a:\b)(?:neutral(?:ly)?|relax(?:e[sd])?|composed|expressionless|unmoved|straight[- ]face[d]?|matter-of-fact|blank|"
    r"no\s+(?:emotion|feeling)s?)(?a:\b)"
    # (not bu) pingjing, zhongxing, fangsong, zhending, danran, ziran
    r"|(?<!\u4e0d)(?:\u5e73\u9759|\u4e2d\u6027|\u653e\u677e|\u9547\u5b9a|\u6de1\u7136|\u81ea\u7136)"
    # (mei you or wu) biaoqing, qingxu, ganqing; bu dong shengse, bu lu shengse
    r"|(?:\u6ca1\u6709|\u65e0)(?:\u8868\u60c5|\u60c5\u7eea|\u611f\u60c5)|\u4e0d[\u52a8\u9732]\u58f0\u8272",
    re.IGNORECASE,
)
"""Words for showing no feeling, Chinese ones in simplified characters: to the encoder they are what says nothing of feelings."""


def parts_for(pack: LoadedPack) -> PartsOf:
    """How this pack is told what happens in turn: part by part where it plans motion."""
    return as_it_is if pack.motion is None else _PartsWithFeeling(pack)


class _PartsWithFeeling:
    """`parts_in_turn`, with the last feeling called for in every part that says nothing of feelings, and the last view likewise."""

    def __init__(self, pack: LoadedPack) -> None:
        self._encoder = pack.text_encoder

    def __call__(self, text: str) -> tuple[str, ...]:
        parts = parts_in_turn(text)
        if len(parts) == 1:
            return parts
        told: list[str] = []
        feeling: str | None = None
        view: View | None = None
        for part in parts:
            called = called_expression(self._encoder, part).name
            goes_on = called is None and feeling is not None and not _UNMOVED.search(simplified(part))
            called_for = called_view(part)
            kept = [str(feeling)] * goes_on + [WORDS[view] for view in (view,) if called_for is None and view in WORDS]
            told.append(", ".join([*kept, part]))
            feeling = feeling if goes_on else called
            view = view if called_for is None else called_for
        return tuple(told)
