"""Directions that ask for one thing after another: where they come apart, what each part is told, and when."""

from dataclasses import replace

import numpy as np
import pytest

from engine.base.job import Directions, PromptSpan
from engine.carried_feelings import parts_for
from engine.loaded_pack import LoadedPack, load_pack
from engine.turns import as_it_is, parts_in_turn, told_in_turn
from training.actor.captions import caption
from training.actor.chinese_captions import bilingual_caption
from training.actor.directions import sample_spans


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("looks left, then nods", ("looks left", "nods")),
        ("She looks left and then turns to the right.", ("She looks left", "turns to the right")),
        ("First look up; next look down. Finally, smile", ("look up", "look down", "smile")),
        ("smiles, followed by: a frown", ("smiles", "a frown")),
        ("glances down before turning away", ("glances down", "turning away")),
        ("Leans back. After that raises the chin", ("Leans back", "raises the chin")),
        ("\u5148\u751f\u70b9\u5934\uff0c\u63a5\u7740\u5fae\u7b11", ("\u5148\u751f\u70b9\u5934", "\u5fae\u7b11")),
        ("\u5148\u770b\u5de6\u8fb9\uff0c\u7136\u540e\u70b9\u5934", ("\u770b\u5de6\u8fb9", "\u70b9\u5934")),
        ("看左邊，然後點頭，最後低頭", ("看左邊", "點頭", "低頭")),
        ("先向左看，再低头", ("向左看", "低头")),
        ("向左看，再次低头", ("向左看", "低头")),
        ("微笑，之後皺眉！接下來看鏡頭", ("微笑", "皺眉", "看鏡頭")),
        ("生气、然后点头。", ("生气", "点头")),
        ("开心then向左看", ("开心", "向左看")),
    ],
)
def test_what_is_asked_in_turn_comes_apart(text: str, parts: tuple[str, ...]) -> None:
    assert parts_in_turn(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "angry, looks left",
        "looks at the person next to her, next to the window",
        "has never been there before",
        "Then she smiles",
        "athens, strengthen, lengthened",
        "talks about the day before yesterday",
        "说，再见",
        "一再点头",
        "微笑，再说一遍",
    ],
)
def test_what_is_asked_at_once_stays_as_it_is(text: str) -> None:
    assert parts_in_turn(text) == (text,)


def test_the_actors_captions_come_apart_where_its_moments_do() -> None:
    wrong = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        for span in sample_spans(rng, 144, "speak"):
            text = caption(rng, span, "speak").text
            wrong += [text] if len(parts_in_turn(text)) != len(span.moments) else []
    assert not wrong


def test_the_actors_captions_in_chinese_do_too() -> None:
    wrong = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        for span in sample_spans(rng, 144, "speak"):
            both = bilingual_caption(rng, span, "speak")
            wrong += [both] if len(parts_in_turn(both.chinese)) != len(parts_in_turn(both.english)) else []
    assert not wrong


def test_parts_share_the_frames_of_their_direction() -> None:
    spans = (
        PromptSpan(start_frame=10, end_frame=71, text="looks left, then nods"),
        PromptSpan(start_frame=71, end_frame=72, text="up, then down"),
        PromptSpan(start_frame=80, end_frame=90, text="waits"),
    )
    directions = Directions(spans=spans, num_frames=96)
    told = told_in_turn(directions, parts_in_turn)
    assert [(span.start_frame, span.end_frame, span.text) for span in told.spans] == [
        (10, 40, "looks left"),
        (40, 71, "nods"),
        (71, 72, "up"),
        (80, 90, "waits"),
    ]
    assert told_in_turn(directions, as_it_is) == directions


@pytest.fixture(scope="module")
def shipped() -> LoadedPack:
    return load_pack("lpm-tiny")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("very angry, looks left, then turns right", ("very angry, looks left", "angry, turns right")),
        ("looks up, then sad, then looks down", ("looks up", "sad", "sad, looks down")),
        ("happy, then sad", ("happy", "sad")),
        ("happy, looks left, then neutral, looks up", ("happy, looks left", "neutral, looks up")),
        ("sad, then straight-faced, then looks left", ("sad", "straight-faced", "looks left")),
        ("looks left, then turns right", ("looks left", "turns right")),
        ("angry, looks left", ("angry, looks left",)),
    ],
)
def test_a_feeling_holds_until_another_is_called_for(shipped: LoadedPack, text: str, parts: tuple[str, ...]) -> None:
    assert parts_for(shipped)(text) == parts


def test_who_reads_the_whole_direction_at_every_moment_is_told_the_whole(shipped: LoadedPack) -> None:
    text = "looks left, then nods"
    assert parts_for(replace(shipped, motion=None))(text) == (text,)
