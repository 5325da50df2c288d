"""From which side a direction asks to see the character: its back, its profile, or, where nothing is said of it, its face.

Said in words that mean the whole body ("turns her back to us", "in profile"); "turns left" is the head's matter, and the
motion model's. Left and right are the picture's, as in all directions. Called by `engine.directed_references` and by the studio. It knows
words and no pictures.
"""

import re
from collections.abc import Collection
from typing import Final, Literal

from engine.chinese import simplified

View = Literal["front", "left", "right", "rear", "profile"]
"""Views as references are named, by where the character turns; `profile` is either side, whichever there is."""
SIDES: Final[tuple[View, View]] = ("left", "right")

_VIEWER: Final = r"(?:us|me|you|(?:the\s+)?(?:camera|viewer|viewers|audience|screen))"
_OWN: Final = r"(?:his|her|their|its|the|your|my)"
_REAR: Final = re.compile(
    rf"\bturn(?:s|ed|ing)?\s+(?:(?:all|right|the|way|quite|completely|fully|slowly|quickly|then)\s+)*a?round\b"
    rf"|\bturn(?:s|ed|ing)?\s+{_OWN}\s+back\b|\b{_OWN}\s+back\s+(?:is\s+)?(?:turned\s+)?(?:to|on|towards?)\s+{_VIEWER}\b"
    rf"|\bturn(?:s|ed|ing)?\s+(?:completely\s+|fully\s+)?away\s+from\s+{_VIEWER}\b|\bfac(?:es?|ing)\s+away\b"
    rf"|\bshow(?:s|ing)?\s+(?:us\s+)?{_OWN}\s+back\b|\b(?:seen|shown|viewed|filmed)\s+from\s+behind\b|\b(?:rear|back)\s+view\b"
    # bei dui, bei guo shen, zhuan (guo) shen, zhuan bei, bei ying, cong bei hou, cong hou mian
    r"|\u80cc\u5bf9|\u80cc\u5411|\u80cc\u8fc7\u8eab|\u8f6c\u8fc7?\u8eab|\u8f6c\u80cc|\u80cc\u5f71|\u4ece\u80cc\u540e|\u4ece\u540e\u9762",
    re.IGNORECASE,
)
_PROFILE: Final = re.compile(
    r"\bin(?:to)?\s+(?:(?:left|right|full)\s+)?profile\b|\b(?:show|turn)(?:s|ing)?\s+(?:us\s+)?(?:his|her|their|its)\s+(?:(?:left|right)\s+)?profile\b"
    r"|\b(?:left|right)?\s*side\s+view\b|\b(?:seen|shown|viewed|filmed)\s+from\s+the\s+(?:left\s+|right\s+)?side\b|\bturn(?:s|ed|ing)?\s+(?:side-?ways|side-on)\b"
    # ce mian, ce shen
    r"|\u4fa7\u9762|\u4fa7\u8eab",
    re.IGNORECASE,
)
_FACING: Final = re.compile(
    rf"\b(?:to\s+)?fac(?:e|es|ing)\s+{_VIEWER}\b|\bback\s+around\b|\baround\s+again\b"
    # mian dui, zhuan (guo shen) hui lai, zhuan xiang (the camera, us)
    r"|\u9762\u5bf9|\u8f6c(?:\u8fc7?\u8eab)?\u56de\u6765|\u8f6c\u5411(?:\u955c\u5934|\u89c2\u4f17|\u6211\u4eec)",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"(?:\bnot|n't|\bnever|\bwithout)\s+(?:\w+\s+){0,2}(?:turn|fac|show)|[\u4e0d\u522b\u6ca1]\u6709?[\u8f6c\u80cc]",
    re.IGNORECASE,
)  # bu, bie, mei (you), before zhuan and bei
_LEFT: Final = re.compile(r"\bleft\b|\u5de6", re.IGNORECASE)
_RIGHT: Final = re.compile(r"\bright\b|\u53f3", re.IGNORECASE)


def called_view(text: str) -> View:
    """The view that a direction calls for. A nose that points to the picture's left is that of a character turned to its own right."""
    plain = simplified(text)
    if _FACING.search(plain) or _DENIED.search(plain):
        return "front"
    if _REAR.search(plain):
        return "rear"
    if not _PROFILE.search(plain):
        return "front"
    is_left, is_right = bool(_LEFT.search(plain)), bool(_RIGHT.search(plain))
    if is_left == is_right:
        return "profile"
    return "right" if is_left else "left"


def view_among(view: View, views: Collection[str]) -> View:
    """The view that is shown to whoever asks for one, of a character of which there are these pictures; its face where there is none."""
    asked = SIDES if view == "profile" else (view,)
    return next((each for each in asked if each in views), "front")
