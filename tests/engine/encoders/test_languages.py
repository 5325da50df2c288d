"""Two encoders behind one: each text goes to the encoder of its language, and rows come back in the order of the texts."""

import pytest
import torch

from engine.chinese import is_chinese, simplified
from engine.encoders.languages import TextRowsByLanguage
from engine.encoders.text import TextEncoder, TextEncoderConfig

SMALL = TextEncoderConfig(max_bytes=32, width=16, num_layers=1, num_heads=2)


def encoder(seed: int, config: TextEncoderConfig = SMALL) -> TextEncoder:
    torch.manual_seed(seed)
    return TextEncoder(config).eval()


@pytest.mark.parametrize("text", ["她笑了", "happy, 向左看", "高興", "㐂"])
def test_a_single_character_makes_a_text_chinese(text: str) -> None:
    assert is_chinese(text)


@pytest.mark.parametrize("text", ["", "smiles", "sourit à gauche", "улыбается", "，。", "かな"])
def test_other_texts_are_not(text: str) -> None:
    assert not is_chinese(text)


def test_each_text_is_read_by_its_own_encoder_in_order() -> None:
    english, chinese = encoder(0), encoder(1)
    texts = ["smiles", "她笑了", "", "happy, 向左看", "smiles"]
    rows_BSD = TextRowsByLanguage(english, chinese).encode(texts)
    assert rows_BSD.shape == (5, SMALL.num_tokens, SMALL.width)
    for text, rows_SD in zip(texts, rows_BSD, strict=True):
        own = chinese if is_chinese(text) else english
        assert torch.allclose(rows_SD, own.encode([text])[0], atol=1e-6)
    assert not rows_BSD[2].any()


@pytest.mark.parametrize(
    ("traditional", "written"),
    [
        ("她很膽怯，皺著眉，接著低頭", "她很胆怯，皱着眉，接着低头"),
        ("焦慮", "焦虑"),
        ("微笑並且向左看", "微笑并且向左看"),
        ("她很胆怯", "她很胆怯"),
        ("smiles, naïve", "smiles, naïve"),
    ],
)
def test_traditional_characters_are_read_as_simplified_ones(traditional: str, written: str) -> None:
    assert simplified(traditional) == written
    rows = TextRowsByLanguage(encoder(0), encoder(1))
    assert torch.equal(rows.encode([traditional]), rows.encode([written]))


def test_english_alone_is_read_to_the_last_digit_as_before() -> None:
    english = encoder(0)
    texts = ["smiles", "looks left"]
    assert torch.equal(TextRowsByLanguage(english, encoder(1)).encode(texts), english.encode(texts))


def test_encoders_that_do_not_fit_are_refused() -> None:
    wider = TextEncoderConfig(max_bytes=32, width=32, num_layers=1, num_heads=2)
    with pytest.raises(ValueError, match="8 rows of 32 numbers, that of English 8 of 16"):
        TextRowsByLanguage(encoder(0), encoder(1, wider))
