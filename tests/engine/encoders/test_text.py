"""The text encoder: any language, any length, one shape."""

import torch

from engine.encoders.text import TextEncoder, TextEncoderConfig, text_bytes

SMALL = TextEncoderConfig(max_bytes=32, width=16, num_layers=1, num_heads=2)


def test_every_text_has_one_shape() -> None:
    encoder = TextEncoder(SMALL).eval()
    rows = encoder.encode(["", "smiles", "她笑了", "x" * 500])
    assert rows.shape == (4, 8, 16)
    assert torch.isfinite(rows).all()


def test_texts_are_told_apart_but_case_and_margins_are_not() -> None:
    encoder = TextEncoder(SMALL).eval()
    rows = encoder.encode(["smiles", " Smiles ", "frowns"])
    assert torch.equal(rows[0], rows[1])
    assert not torch.allclose(rows[0], rows[2], atol=1e-3)


def test_a_long_text_is_cut_at_a_whole_character() -> None:
    row = text_bytes(["ab笑笑"], 6)[0]
    assert bytes(row[row != 0].tolist()).decode() == "ab笑"


def test_no_text_is_zeros() -> None:
    encoder = TextEncoder(SMALL).eval()
    rows = encoder.encode(["", " \n", "smiles"])
    assert not rows[:2].any()
    assert torch.allclose(rows[2], encoder.encode(["smiles"])[0], atol=1e-5)
