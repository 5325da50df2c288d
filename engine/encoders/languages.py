"""Directions in two languages, each read by an encoder of its own: what has a Chinese character in it by one, all else by the other.

The second encoder was taught to give the first one's rows for the same direction (`training/tasks/chinese_text.py`), so that whoever
attends to rows need not know in which language they were told. English is read to the last digit as by a pack that knows English alone.
Traditional characters are read as the simplified ones for them (`engine.chinese`), so both ways of writing are one language.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.chinese import is_chinese, simplified
from engine.encoders.protocol import TextRows


class TextRowsByLanguage:
    """Satisfies `TextRows`."""

    def __init__(self, english: TextRows, chinese: TextRows) -> None:
        """`ValueError` for encoders whose rows differ in number or width."""
        if (english.num_tokens, english.width) != (chinese.num_tokens, chinese.width):
            raise ValueError(
                f"the encoder of Chinese gives {chinese.num_tokens} rows of {chinese.width} numbers, "
                f"that of English {english.num_tokens} of {english.width}"
            )
        self.english, self.chinese = english, chinese

    @property
    def num_tokens(self) -> int:
        """Rows of any text."""
        return self.english.num_tokens

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.english.width

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Feature rows [B, num_tokens, width] of texts, in their order."""
        rows_SD_by_text: dict[str, Tensor] = {}
        for encoder, reads_chinese in ((self.english, False), (self.chinese, True)):
            own = list(dict.fromkeys(text for text in texts if is_chinese(text) is reads_chinese))
            if own:
                rows_SD_by_text.update(zip(own, encoder.encode([simplified(text) for text in own]), strict=True))
        return torch.stack([rows_SD_by_text[text] for text in texts])
