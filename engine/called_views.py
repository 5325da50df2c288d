"""From which side a direction asks to see the character: its back, its profile, its face, or nothing of the kind.

Said in words that mean the whole body ("turns her back to us", "in profile"); "turns left" is the head's matter, and the
motion model's. Left and right are the picture's, as in all directions. Called by `engine.directed_references`, where directions are taken
apart, and by the studio. It knows words and no pictures.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final, Literal

from engine.chinese import simplified

View = Literal["front", "left", "right", "rear", "profile"]
"""Views as references are named, by where the character turns; `profile` is either side, whichever there is."""
SIDES: Final[tuple[View, View]] = ("left", "right")
WORDS: Final[dict[View, str]] = {
    "rear": "seen from behind",
    "left": "in profile, facing right",
    "right": "in profile, facing left",
    "profile": "in profile",
}
"""What each view is called for by, where it is to be said again."""

_EDGE: Final = r"(?a:\b)"  # of a word in Latin letters, also right beside a Chinese character
_VIEWER: Final = rf"(?:us|me|you|(?:the\s+)?(?:camera|lens|viewers?|audience|screen)){_EDGE}"
_OWN: Final = r"(?:his|her|their|its|the|your|my)"
_TURN: Final = rf"{_EDGE}turn(?:s|ed|ing)?\s+"
_SEEN: Final = rf"{_EDGE}(?:seen|shown|viewed|filmed|framed)\s+from\s+"
_BACK: Final = (
    rf"{_TURN}{_OWN}\s+back{_EDGE}|{_EDGE}show(?:s|ing)?\s+(?:us\s+|me\s+)?{_OWN}\s+back{_EDGE}"
    rf"|(?:^|[,;]\s*|{_EDGE}(?:with|stands?|standing|{_OWN})\s+)back\s+(?:is\s+)?(?:turned\s+)?(?:to|on|towards?|facing)\s+{_VIEWER}"
    rf"|{_TURN}(?:completely\s+|fully\s+)?away\s+from\s+{_VIEWER}|{_EDGE}fac(?:es?|ing)\s+away{_EDGE}"
    rf"|{_SEEN}(?:behind|the\s+(?:back|rear)){_EDGE}|(?:^|[,;]\s*)from\s+behind\s*(?:$|[,;.])|{_EDGE}(?:rear|back)\s+view{_EDGE}"
    # bei dui, bei xiang, bei chao, bei zhe jingtou (women, guanzhong), bei guo shen, zhuan (guo) bei, bei bu dui (chao), bei ying,
    # cong bei hou (hou mian) kan (pai)
    r"|\u80cc[\u5bf9\u5411\u671d]|\u80cc\u7740(?:\u955c\u5934|\u6211\u4eec|\u89c2\u4f17)|\u80cc\u8fc7\u8eab|\u8f6c\u8fc7?\u80cc"
    r"|\u80cc\u90e8[\u5bf9\u671d]|\u80cc\u5f71|\u4ece(?:\u80cc\u540e|\u540e\u9762)[\u770b\u62cd]"
)
_AROUND: Final = (
    rf"{_TURN}(?:(?:all|right|the|way|quite|completely|fully|slowly|quickly|then)\s+)*a?round{_EDGE}"
    # zhuan (guo) shen, zhuan guo qu, xiang hou zhuan
    r"|\u8f6c\u8fc7?\u8eab|\u8f6c\u8fc7\u53bb|\u5411\u540e\u8f6c"
)
_PROFILE: Final = (
    rf"{_EDGE}in(?:to)?\s+(?:{_OWN}\s+)?(?:(?:left|right|full|side|three-quarter)\s+)*profile{_EDGE}"
    rf"|{_EDGE}(?:show|turn)(?:s|ing)?\s+(?:us\s+|me\s+)?{_OWN}\s+(?:(?:left|right)\s+)?profile{_EDGE}"
    rf"|{_EDGE}(?:side|profile)\s+view{_EDGE}|{_EDGE}side\s+profile{_EDGE}|{_SEEN}the\s+(?:(?:left|right)\s+)?side{_EDGE}"
    rf"|{_TURN}(?:side-?ways|side-on|to\s+the\s+side){_EDGE}|{_EDGE}(?:stands?|standing)\s+(?:side-?ways|side-on){_EDGE}"
    # ce mian, ce (guo) shen, ce lian, ce dui
    r"|\u4fa7\u9762|\u4fa7\u8fc7?\u8eab|\u4fa7\u8138|\u4fa7\u5bf9"
)
_FACING: Final = (
    rf"(?<!back\s)(?<!back\sis\s){_EDGE}fac(?:e|es|ing)\s+{_VIEWER}|{_EDGE}back\s+around{_EDGE}|{_EDGE}around\s+again{_EDGE}"
    rf"|{_TURN}back\s+(?:to|towards?)\s+{_VIEWER}|{_TURN}a?round\s+(?:and|to){_EDGE}(?:(?!back)[^,;.])*{_EDGE}{_VIEWER}"
    # mian dui, zhuan (guo) (shen) (guo, hui) lai, zhuan xiang jingtou (guanzhong, women), zhuan shen ... jingtou (guanzhong, women)
    r"|\u9762\u5bf9|\u8f6c\u8fc7?\u8eab?[\u8fc7\u56de]?\u6765|\u8f6c(?:\u5411|\u8fc7?\u8eab[^\uff0c\u3002\uff1b\u3001,;.]*)(?:\u955c\u5934|\u89c2\u4f17|\u6211\u4eec)"
)
_DENIED: Final = (
    rf"(?:(?:{_EDGE}not|n't|{_EDGE}never|{_EDGE}without|{_EDGE}no\s+longer|{_EDGE}stops?)\s+(?:be(?:ing)?\s+|to\s+)?"
    # bu (yao), bie (but not gao bie), mei (you), bu neng, bu zai, bu xiang; zai
    rf"|(?:\u4e0d[\u8981\u80fd\u518d\u60f3]?|(?<!\u544a)\u522b|\u6ca1\u6709?)\u518d?)(?:{_BACK}|{_AROUND}|{_PROFILE})"
)
_SIDE: Final = (
    rf"{_EDGE}(?:fac|look|turn)(?:e?s|e?d|ing|e)?\s+(?:to\s+)?(?:the\s+|our\s+)?(left|right){_EDGE}"
    rf"|{_EDGE}(left|right)\s+(?:side{_EDGE}|profile{_EDGE})"
    # chao (xiang, wang) zuo (you); zuo (you) ce
    r"|[\u671d\u5411\u5f80]\u7740?([\u5de6\u53f3])|([\u5de6\u53f3])\u4fa7"
)


def called_view(text: str) -> View | None:
    """The view that a direction calls for, None where it says nothing of it.

    A nose that points to the picture's left is that of a character turned to its own right.
    """
    plain = simplified(text)
    asked = _found(_DENIED).sub(" ", plain)
    if _found(_BACK).search(asked):
        return "rear"
    if _found(_FACING).search(asked):
        return "front"
    if _found(_AROUND).search(asked):
        return "rear"
    if not _found(_PROFILE).search(asked):
        return "front" if asked != plain else None
    side = _found(_SIDE).search(asked)
    if side is None:
        return "profile"
    return "right" if side[side.lastindex or 0].lower() in ("left", "\u5de6") else "left"


def is_told_to_turn(text: str) -> bool:
    """Whether a direction asks for the turn itself ("turns around"), and not for what is seen once it is over ("in profile")."""
    return _found(rf"{_EDGE}(?:turn|show)|\u8f6c").search(simplified(text)) is not None  # zhuan


def view_among(view: View | None, views: Collection[str]) -> View:
    """The view that is shown to whoever asks for one, of a character of which there are these pictures; its face where there is none."""
    asked = SIDES if view == "profile" else (view,)
    return next((each for each in asked if each is not None and each in views), "front")


def missing_views(directions: Iterable[str], views: Collection[str]) -> dict[View, str]:
    """The views that directions call for and of which there is no picture, each with the first direction that does."""
    missing: dict[View, str] = {}
    for direction in directions:
        view = called_view(direction)
        if view not in (None, "front") and view_among(view, views) == "front":
            missing.setdefault(view, direction)
    return missing


def _found(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)  # which keeps what it has compiled
