"""A `tokenizer.json` of a few words, of the same make as UMT5's: unigram pieces, word starts marked, an end to each text."""

from pathlib import Path

import pytest

WORDS = ("she", "smiles", "and", "nods", "他", "笑", "了", "&", "é")


def write_tokenizer(folder: Path) -> Path:
    """Writes the file; skips where the `tokenizers` or `ftfy` packages are not installed."""
    tokenizers = pytest.importorskip("tokenizers", reason='pip install "lpm-studio[umt5]"')
    pytest.importorskip("ftfy", reason='pip install "lpm-studio[umt5]"')
    pieces = {"<pad>": 0.0, "</s>": 0.0, "<unk>": -20.0, "▁": -3.0}
    for word in WORDS:
        for piece in (word, f"▁{word}", *word):
            pieces.setdefault(piece, -2.0 - 0.01 * len(pieces))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(list(pieces.items()), 2, False))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"
