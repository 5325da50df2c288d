"""Everyday sentences to be spoken: a seeded generator of statements, questions and exclamations.

Used by `speech_track` only. Variety of sounds and of melody matters here, not meaning.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

SentenceKind = Literal["statement", "question", "exclamation"]

_PEOPLE: Final = (
    "my mother", "the baker", "our neighbour", "the old captain", "Peter", "Maria", "Bob", "the new teacher", "your brother", "a woman",
    "the mayor", "my best friend", "Grandpa", "the doctor", "everybody", "nobody", "Fiona", "the boy from Panama", "Mister Brown",
    "the whole family", "Emma", "Victor", "the plumber", "their uncle", "somebody", "the man with the umbrella", "Zoe",
)  # fmt: skip
_VERBS: Final = (
    "bought", "found", "painted", "forgot", "brought", "loves", "hates", "fixed", "described", "wanted", "remembered", "showed me",
    "dropped", "borrowed", "invented", "sold", "measured", "opened", "hid", "photographed", "missed", "built", "gave away", "keeps",
    "wished for", "moved", "cooked", "borrowed", "washed", "examined", "promised", "carried", "followed", "picked up",
)  # fmt: skip
_THINGS: Final = (
    "a bowl of apple soup", "the big blue bicycle", "five fresh fish", "a very small violin", "the map of the museum", "a box of matches",
    "my favourite purple pullover", "the broken piano", "a warm loaf of bread", "the key to the boat", "some bamboo", "a jar of honey",
    "the green umbrella", "two thousand photographs", "a beautiful poem", "the window", "a cup of coffee", "all the tomatoes",
    "the wrong suitcase", "a shiny new phone", "the room above the shop", "an orange balloon", "the best pizza in town", "those shoes",
    "a good idea", "our old farm house", "the yellow moon", "a map of Japan", "the film about whales", "a thick woollen blanket",
)  # fmt: skip
_PLACES: Final = (
    "at the market", "by the river", "in the middle of the night", "on Monday morning", "before breakfast", "after the show",
    "behind the church", "in Barcelona", "near the airport", "on the way home", "under the bridge", "for the first time",
    "without any warning", "in about five minutes", "every single summer", "at half past four", "with both hands", "in the rain",
    "when nobody was watching", "because it was cheap", "while we were asleep", "as far as I know", "for my birthday", "up the hill",
)  # fmt: skip
_FEELINGS: Final = (
    "wonderful", "absolutely amazing", "a bit strange", "perfectly normal", "awful", "much too expensive", "so beautiful", "very funny",
    "quite impossible", "really simple", "rather boring", "worth a try", "better than before", "my fault", "a complete surprise",
)  # fmt: skip
_OPENERS: Final = (
    "Well,", "You know,", "To be honest,", "Oh,", "Look,", "Actually,", "By the way,", "Of course,", "Hmm,", "I mean,", "Believe me,",
    "Anyway,", "So,", "Listen,", "First of all,", "Between you and me,", "Maybe,", "Suddenly,", "In my opinion,", "Yes,", "No,",
)  # fmt: skip
_FIXED_STATEMENTS: Final = (
    "I would like to tell you about my weekend.", "That makes a lot of sense to me.", "We should meet again next week.",
    "It has been raining since early this morning.", "I am not sure that I can help you with that.", "Please take a seat over there.",
    "My name is on the list, I checked it twice.", "There are about forty people waiting outside.", "Thank you for coming today.",
    "I have been thinking about what you said.", "Nothing beats a walk along the beach.", "The weather will be fine tomorrow.",
    "We could go by bus, or we could simply walk.", "I will call you back as soon as I know more.", "One, two, three, four, five, six.",
    "She sells sea shells by the sea shore.", "Mum moved the muffins from the pan to the plate.", "You may be right about that.",
    "He whispered something that I could not hear.", "We used to live in a house with a view of the valley.",
    "Few people know how the story ends.", "Who knows what the future may bring.", "They show it every now and then.",
    "I do not agree with you, but I see your point.", "It was the best of times, it was the worst of times.",
)  # fmt: skip
_FIXED_QUESTIONS: Final = (
    "Do you mean that?", "Are you coming with us?", "What time is it?", "Have you ever been to Africa?", "How does that work?",
    "Could you say that once more, please?", "Why would anybody do that?", "Is this seat free?", "Did you hear that?", "Really?",
    "Where did you put my glasses?", "Would you like some more?", "Who told you about it?", "Shall we begin?", "You did what?",
    "How many of them do we need?", "Is that your final answer?", "May I ask you something?", "Isn't it lovely?", "Now what?",
)  # fmt: skip
_FIXED_EXCLAMATIONS: Final = (
    "Stop that at once!", "What a beautiful morning!", "I can't believe it!", "Wow, look at that!", "We won!", "Help me, please!",
    "Happy birthday to you!", "That was amazing!", "Be careful, it is hot!", "No way!", "Good morning, everybody!", "Hooray!",
    "Give me my money back!", "Watch out for the bus!", "Bravo!", "How dare you!", "Welcome home!", "Never again!", "Keep moving!",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """A text to be spoken and its kind."""

    text: str
    kind: SentenceKind


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _statement(rng: np.random.Generator) -> str:
    shape = int(rng.integers(7))
    who, verb, thing, place = _pick(rng, _PEOPLE), _pick(rng, _VERBS), _pick(rng, _THINGS), _pick(rng, _PLACES)
    if shape == 0:
        return _pick(rng, _FIXED_STATEMENTS)
    if shape == 1:
        return f"{_pick(rng, _OPENERS)} {who} {verb} {thing} {place}."
    if shape == 2:
        return f"{who} {verb} {thing}, and {_pick(rng, _PEOPLE)} {_pick(rng, _VERBS)} {_pick(rng, _THINGS)}."
    if shape == 3:
        return f"I think that {thing} is {_pick(rng, _FEELINGS)}."
    if shape == 4:
        return f"{place}, {who} {verb} {thing}."
    if shape == 5:
        return f"{_pick(rng, _OPENERS)} it was {_pick(rng, _FEELINGS)}, but {who} {verb} {thing}."
    return f"{who} {verb} {thing} {place}."


def _question(rng: np.random.Generator) -> str:
    shape = int(rng.integers(5))
    who, thing, place = _pick(rng, _PEOPLE), _pick(rng, _THINGS), _pick(rng, _PLACES)
    if shape == 0:
        return _pick(rng, _FIXED_QUESTIONS)
    if shape == 1:
        return f"Did you see {who} {place}?"
    if shape == 2:
        return f"Do you know who {_pick(rng, _VERBS)} {thing}?"
    if shape == 3:
        return f"Was {thing} {_pick(rng, _FEELINGS)}?"
    return f"Would {who} really want {thing}?"


def _exclamation(rng: np.random.Generator) -> str:
    shape = int(rng.integers(4))
    if shape == 0:
        return _pick(rng, _FIXED_EXCLAMATIONS)
    if shape == 1:
        return f"{_pick(rng, _PEOPLE)} {_pick(rng, _VERBS)} {_pick(rng, _THINGS)}!"
    if shape == 2:
        return f"That is {_pick(rng, _FEELINGS)}!"
    return f"Look, {_pick(rng, _THINGS)}!"


def make_sentence(rng: np.random.Generator) -> Sentence:
    """One sentence: 65 % statements, 20 % questions, 15 % exclamations."""
    draw = float(rng.random())
    kind: SentenceKind = "statement" if draw < 0.65 else "question" if draw < 0.85 else "exclamation"
    text = {"statement": _statement, "question": _question, "exclamation": _exclamation}[kind](rng)
    return Sentence(text=text[0].upper() + text[1:], kind=kind)
