"""Directions in words: many ways of saying the same thing, from bare tags to whole sentences, at most 120 bytes a span.

`performance` asks for one caption a span. The wording varies so that a model learns the meaning and not the template.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from training.actor.directions import ClipKind, DirectedSpan, Direction

MOST_BYTES: Final = 120
SLIGHT: Final = 0.5
STRONG: Final = 0.88  # intensities below and above which a feeling is graded in words

Choice = TypeVar("Choice")
Clause = tuple[str, str]  # a verb in its bare form and the rest

_ADJECTIVES: Final[dict[str, tuple[str, ...]]] = {
    "neutral": ("neutral", "relaxed", "matter-of-fact", "expressionless", "composed", "straight-faced"),
    "happy": ("happy", "cheerful", "joyful", "delighted", "glad", "pleased", "amused"),
    "sad": ("sad", "unhappy", "sorrowful", "downcast", "miserable", "heartbroken", "gloomy"),
    "angry": ("angry", "furious", "mad", "annoyed", "irritated", "cross", "enraged"),
    "surprised": ("surprised", "astonished", "amazed", "startled", "stunned"),
    "afraid": ("afraid", "scared", "frightened", "fearful", "terrified", "anxious"),
    "disgusted": ("disgusted", "revolted", "repulsed", "grossed out", "sickened"),
    "contemptuous": ("contemptuous", "scornful", "disdainful", "smug", "sneering", "dismissive"),
}
_ADVERBS: Final[dict[str, tuple[str, ...]]] = {
    "neutral": ("neutrally", "calmly", "plainly"),
    "happy": ("happily", "cheerfully", "joyfully"),
    "sad": ("sadly", "unhappily", "mournfully"),
    "angry": ("angrily", "furiously", "in anger"),
    "surprised": ("in surprise", "in astonishment", "with amazement"),
    "afraid": ("fearfully", "in fear", "anxiously"),
    "disgusted": ("in disgust", "with disgust", "with revulsion"),
    "contemptuous": ("contemptuously", "scornfully", "with disdain"),
}
_NOUNS: Final[dict[str, tuple[str, ...]]] = {
    "neutral": ("a neutral face", "no emotion", "a blank expression"),
    "happy": ("a happy face", "joy", "happiness", "a big smile"),
    "sad": ("a sad face", "sadness", "grief", "sorrow"),
    "angry": ("an angry face", "anger", "rage"),
    "surprised": ("a surprised face", "surprise", "astonishment"),
    "afraid": ("a frightened face", "fear", "fright"),
    "disgusted": ("a disgusted face", "disgust", "revulsion"),
    "contemptuous": ("a contemptuous face", "contempt", "scorn", "disdain"),
}
_EXPRESSION_CLAUSES: Final[dict[str, tuple[Clause, ...]]] = {
    "neutral": (("keep", "a straight face"), ("stay", "neutral")),
    "happy": (("smile", ""), ("beam", ""), ("grin", "happily"), ("smile", "broadly")),
    "sad": (("look", "close to tears"), ("pull", "a sad face")),
    "angry": (("glare", ""), ("scowl", "angrily"), ("fume", "")),
    "surprised": (("gape", ""), ("look", "taken aback")),
    "afraid": (("look", "frightened"), ("cower", "in fear")),
    "disgusted": (("wrinkle", "the nose in disgust"), ("grimace", "in disgust")),
    "contemptuous": (("sneer", ""), ("smirk", "with contempt")),
}
_ACTION_CLAUSES: Final[dict[str, tuple[Clause, ...]]] = {
    "gaze viewer": (
        ("look", "at the viewer"),
        ("look", "into the camera"),
        ("keep", "eye contact"),
        ("look", "straight at us"),
    ),
    "gaze left": (("look", "left"), ("look", "to the left"), ("glance", "to the left"), ("gaze", "off to the left")),
    "gaze right": (
        ("look", "right"),
        ("look", "to the right"),
        ("glance", "to the right"),
        ("gaze", "off to the right"),
    ),
    "gaze up": (("look", "up"), ("look", "upwards"), ("glance", "up"), ("gaze", "up")),
    "gaze down": (("look", "down"), ("look", "downwards"), ("glance", "down"), ("lower", "the eyes")),
    "head left": (("turn", "left"), ("turn", "to the left"), ("turn", "the head left"), ("face", "left")),
    "head right": (("turn", "right"), ("turn", "to the right"), ("turn", "the head right"), ("face", "right")),
    "head tilt_left": (("tilt", "the head to the left"), ("tilt", "left"), ("lean", "the head to the left")),
    "head tilt_right": (("tilt", "the head to the right"), ("tilt", "right"), ("lean", "the head to the right")),
    "head up": (("raise", "the chin"), ("lift", "the head"), ("hold", "the chin up"), ("tip", "the head back")),
    "head down": (("lower", "the chin"), ("lower", "the head"), ("hold", "the chin down"), ("bow", "the head")),
    "brows raised": (("raise", "the eyebrows"), ("lift", "the brows"), ("raise", "both brows")),
    "brows lowered": (("lower", "the eyebrows"), ("knit", "the brows"), ("draw", "the brows down")),
    "posture forward": (("lean", "forward"), ("lean", "in"), ("move", "closer")),
    "posture back": (("lean", "back"), ("move", "back"), ("pull", "away")),
    "posture shrug": (("shrug", ""), ("raise", "the shoulders"), ("hunch", "the shoulders")),
    "energy calm": (("stay", "calm"), ("move", "very little"), ("keep", "still")),
    "energy lively": (("move", "a lot"), ("show", "plenty of energy"), ("stay", "lively")),
}
_KIND_CLAUSES: Final[dict[ClipKind, tuple[Clause, ...]]] = {
    "speak": (("speak", ""), ("talk", ""), ("talk", "to us"), ("say", "something"), ("speak", "to the viewer")),
    "listen": (("listen", ""), ("listen", "attentively"), ("listen", "to someone"), ("hear", "someone out")),
    "converse": (
        ("have", "a conversation"),
        ("talk", "and listen"),
        ("chat", "with someone"),
        ("talk", "with someone"),
    ),
    "idle": (("wait", ""), ("sit", "quietly"), ("say", "nothing"), ("stay", "silent"), ("do", "nothing")),
}
_SUBJECTS: Final = ("the character", "the person", "somebody", "she", "he", "this person", "the actor")
_THEN: Final = (", then {}", " and then {}", ", and afterwards {}", "; next {}", ", followed by: {}", ". After that {}")
_SLIGHTLY: Final = ("slightly ", "a little ", "a bit ", "mildly ")
_VERY: Final = ("very ", "extremely ", "really ", "deeply ")
_THIRD_PERSON: Final = {"be": "is", "have": "has", "do": "does"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionSpan:
    """A caption in force on frames [start_frame, end_frame)."""

    start_frame: int
    end_frame: int
    text: str


def caption(rng: np.random.Generator, span: DirectedSpan, kind: ClipKind) -> CaptionSpan:
    """One wording of a span; longer wordings than MOST_BYTES are given up for shorter ones."""
    for attempt in range(6):
        style = int(rng.choice(4, p=(0.3, 0.25, 0.35, 0.1))) if attempt < 4 else 0
        text = _tags(rng, span, kind) if style == 0 else _prose(rng, span, kind, style)
        if len(text.encode()) <= MOST_BYTES:
            return CaptionSpan(start_frame=span.start_frame, end_frame=span.end_frame, text=text)
    short = ", then ".join(_adjective(rng, moment, is_plain=True) for moment in span.moments)
    return CaptionSpan(start_frame=span.start_frame, end_frame=span.end_frame, text=short)


def plain_caption(span: DirectedSpan, kind: ClipKind, *, tells_kind: bool) -> str:
    """The plainest wording, always the same: the first of all words, as tags, with what kind of clip it is at its end or not."""
    moments: list[str] = []
    for index, moment in enumerate(span.moments):
        words = [degree_of(moment) + moment.expression] if moment.is_expression_told else []
        words += [_conjugate(_ACTION_CLAUSES[action][0], "third") for action in told_actions(moment)]
        if index == 0 and tells_kind:
            words.append(_conjugate(_KIND_CLAUSES[kind][0], "third"))
        moments.append(", ".join(words))
    return ", then ".join(moment for moment in moments if moment)


def degree_of(moment: Direction) -> str:
    """How strongly a moment's feeling is told, in the plainest words with a space behind them; nothing where it is not graded."""
    if moment.expression == "neutral" or SLIGHT <= moment.intensity <= STRONG:
        return ""
    return _SLIGHTLY[0] if moment.intensity < SLIGHT else _VERY[0]


def _pick(rng: np.random.Generator, options: tuple[Choice, ...]) -> Choice:
    return options[int(rng.integers(len(options)))]


def _degree(rng: np.random.Generator, intensity: float) -> str:
    if intensity < SLIGHT:
        return _pick(rng, _SLIGHTLY)
    return _pick(rng, _VERY) if intensity > STRONG else ""


def _adjective(rng: np.random.Generator, moment: Direction, *, is_plain: bool) -> str:
    words = _ADJECTIVES[moment.expression]
    word = words[0] if is_plain or rng.random() < 0.35 else _pick(rng, words)
    return word if moment.expression == "neutral" else _degree(rng, moment.intensity) + word


def told_actions(moment: Direction) -> list[str]:
    """What a moment asks for besides a feeling, such as `gaze left`."""
    asked = (("gaze", moment.gaze), ("head", moment.head), ("brows", moment.brows), ("posture", moment.posture))
    return [f"{name} {value}" for name, value in (*asked, ("energy", moment.energy)) if value is not None]


def _expression_clause(rng: np.random.Generator, moment: Direction) -> Clause:
    draw = float(rng.random())
    is_plain_strength = not _degree(np.random.default_rng(0), moment.intensity) or moment.expression == "neutral"
    if is_plain_strength and draw < 0.25:
        return _pick(rng, _EXPRESSION_CLAUSES[moment.expression])
    if is_plain_strength and draw < 0.4:
        return "show", _pick(rng, _NOUNS[moment.expression])
    return _pick(rng, ("look", "be", "seem", "appear", "feel")), _adjective(rng, moment, is_plain=False)


def _conjugate(clause: Clause, form: str) -> str:
    verb, rest = clause
    if form == "third":
        ends_hissing = verb.endswith(("s", "sh", "ch", "x", "z"))
        word = _THIRD_PERSON.get(verb, verb + ("es" if ends_hissing else "s"))
        word = word[:-2] + "ies" if verb.endswith("y") and verb[-2] not in "aeiou" else word
    elif form == "ing":
        doubled = verb in ("sit", "chat", "knit", "tip", "grin", "shrug")
        word = (
            verb[:-1] + "ing" if verb.endswith("e") and verb != "be" else verb + (verb[-1] if doubled else "") + "ing"
        )
    else:
        word = verb
    return f"{word} {rest}".strip()


def _tags(rng: np.random.Generator, span: DirectedSpan, kind: ClipKind) -> str:
    """Short tags: "angry, looks left" or "very happy; turn right"."""
    form = _pick(rng, ("third", "third", "bare", "ing"))
    separator = _pick(rng, (", ", ", ", "; "))
    moments: list[str] = []
    for index, moment in enumerate(span.moments):
        words = [_adjective(rng, moment, is_plain=bool(rng.random() < 0.5))] if moment.is_expression_told else []
        words += [_conjugate(_pick(rng, _ACTION_CLAUSES[action]), form) for action in told_actions(moment)]
        if index == 0 and (not words or rng.random() < 0.3):
            words.insert(int(rng.integers(len(words) + 1)), _conjugate(_pick(rng, _KIND_CLAUSES[kind]), form))
        moments.append(separator.join(words))
    return _pick(rng, (", then ", " then ", "; then ")).join(moments)


def _prose(rng: np.random.Generator, span: DirectedSpan, kind: ClipKind, style: int) -> str:
    """Clauses without a subject (style 1), whole sentences (2) or orders (3)."""
    form = "bare" if style == 3 else "third"
    moments = [
        _moment_clauses(rng, moment, kind, form, is_first=index == 0) for index, moment in enumerate(span.moments)
    ]
    text = moments[0]
    for later in moments[1:]:
        text += _pick(rng, _THEN[:4]).format(later)
    if style == 2:
        text = f"{_pick(rng, _SUBJECTS)} {text}"
    if style in (2, 3):
        text = text[0].upper() + text[1:] + ("." if rng.random() < 0.8 else "")
    return text


def _moment_clauses(rng: np.random.Generator, moment: Direction, kind: ClipKind, form: str, *, is_first: bool) -> str:
    clauses: list[str] = []
    if is_first and rng.random() < 0.5:
        verb, rest = _pick(rng, _KIND_CLAUSES[kind])
        if moment.is_expression_told and not _degree(rng, moment.intensity) and kind == "speak" and rng.random() < 0.5:
            clauses.append(_conjugate((verb, f"{rest} {_pick(rng, _ADVERBS[moment.expression])}".strip()), form))
        else:
            clauses.append(_conjugate((verb, rest), form))
            if moment.is_expression_told:
                clauses.append(_conjugate(_expression_clause(rng, moment), form))
    elif moment.is_expression_told:
        clauses.append(_conjugate(_expression_clause(rng, moment), form))
    actions = [_pick(rng, _ACTION_CLAUSES[action]) for action in told_actions(moment)]
    if len(actions) == 1 and clauses and rng.random() < 0.4:
        tail = _pick(rng, (", {}", " while {}")).format(_conjugate(actions[0], "ing"))
        return _join(clauses) + tail
    clauses += [_conjugate(action, form) for action in actions]
    return _join(clauses or [_conjugate(_pick(rng, _KIND_CLAUSES[kind]), form)])


def _join(clauses: list[str]) -> str:
    return clauses[0] if len(clauses) == 1 else ", ".join(clauses[:-1]) + " and " + clauses[-1]
