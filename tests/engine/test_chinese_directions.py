"""What the shipped pack makes of directions in Chinese: the feeling they call for, turn by turn, and rows as the English has them."""

import pytest
import torch
from torch.nn import functional

from engine import LoadedPack, load_pack
from engine.called_expressions import called_expression
from engine.carried_feelings import parts_for
from engine.encoders.languages import TextRowsByLanguage

CALLED = {
    "她很高兴": "happy",
    "心情愉快，看着镜头": "happy",
    "非常開心": "happy",
    "伤心地低下头": "sad",
    "發怒": "angry",
    "大吃一惊": "surprised",
    "恐惧地后退": "afraid",
    "一脸嫌弃": "disgusted",
    "鄙视地看着对方": "contemptuous",
    "向左看": None,
    "认真听": None,
    "面无表情": None,
    "膽怯": "afraid",
    "看起來很焦慮": "afraid",
    "嚇壞了": "afraid",
    "詫異": "surprised",
    "微笑並且向左看": "happy",
}


@pytest.fixture(scope="module")
def pack() -> LoadedPack:
    return load_pack("lpm-tiny", "cpu")


@pytest.mark.parametrize("text", CALLED)
def test_feelings_are_called_for(pack: LoadedPack, text: str) -> None:
    assert called_expression(pack.text_encoder, text).name == CALLED[text]


def test_turns_are_taken_apart_and_feelings_go_on(pack: LoadedPack) -> None:
    assert parts_for(pack)("高兴，向左看，然后低头") == ("高兴，向左看", "happy, 低头")
    assert parts_for(pack)("生气，然后平静地听") == ("生气", "平静地听")
    assert parts_for(pack)("生氣，然後沒有表情") == ("生氣", "沒有表情")
    assert parts_for(pack)("生气，再显得不平静") == ("生气", "angry, 显得不平静")


@pytest.mark.parametrize(
    ("chinese", "english"),
    [("向左看", "looks left"), ("头转向右", "turns right"), ("非常悲伤，向下看", "very sad, looks down")],
)
def test_rows_are_nearest_to_those_of_the_same_in_english(pack: LoadedPack, chinese: str, english: str) -> None:
    others = ["looks right", "looks left", "turns left", "turns right", "looks up", "very sad, looks down", "sad"]
    rows_BSD = pack.text_encoder.encode([chinese, *others]).flatten(1)
    near_O = functional.cosine_similarity(rows_BSD[:1], rows_BSD[1:])
    assert others[int(near_O.argmax())] == english


def test_english_is_read_by_its_own_encoder(pack: LoadedPack) -> None:
    assert isinstance(pack.text_encoder, TextRowsByLanguage)
    texts = ["smiles", "looks left"]
    assert torch.equal(pack.text_encoder.encode(texts), pack.text_encoder.english.encode(texts))
