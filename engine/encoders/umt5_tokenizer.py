"""Words to the token numbers of UMT5, cleaned as Wan2.1 cleans them. The one place that knows the `tokenizers` library."""

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from engine.errors import BadPackError, MissingDependencyError

TOKENIZER_NAME: Final = "tokenizer.json"
PAD_ID: Final = 0
_NEEDED: Final = 'UMT5 needs the packages tokenizers and ftfy: pip install "lpm-studio[umt5]"'


def clean_text(text: str) -> str:
    """Broken Unicode mended, HTML entities (twice, as captions from the web need) resolved, white space single."""
    try:
        import ftfy
    except ImportError:
        raise MissingDependencyError(_NEEDED) from None
    mended: str = ftfy.fix_text(text)
    return re.sub(r"\s+", " ", html.unescape(html.unescape(mended))).strip()


class Umt5Tokenizer:
    """The tokenizer in a Hugging Face `tokenizer.json`; it ends each text by itself with the token for the end."""

    def __init__(self, path: Path, num_tokens: int) -> None:
        """`MissingDependencyError` without the library, `BadPackError` where the file is not a tokenizer."""
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingDependencyError(_NEEDED) from None
        try:
            self._tokenizer: Any = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises bare exceptions
            reason = str(error).splitlines()[0]
            raise BadPackError(f"{path} is not a tokenizer ({reason}); fetch the pack again") from error
        self._tokenizer.enable_truncation(num_tokens)
        self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers [B, L] and which of them are tokens [B, L], L the longest text's; each text is cut at the end."""
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch([clean_text(text) for text in texts])]
        length = max(map(len, encoded))
        ids_BL = torch.tensor([ids + [PAD_ID] * (length - len(ids)) for ids in encoded], dtype=torch.int64)
        lengths_B1 = torch.tensor([[len(ids)] for ids in encoded])
        return ids_BL, torch.arange(length)[None] < lengths_B1
