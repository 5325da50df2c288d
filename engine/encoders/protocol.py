"""What every encoder of words and of sound offers: performing, the packs and the benchmarks see this and nothing else of one."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class TextRows(Protocol):
    """Words to the rows that the transformer attends to, as many for any text."""

    @property
    def num_tokens(self) -> int:
        """Rows of any text."""

    @property
    def width(self) -> int:
        """Numbers in a row."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Texts to rows text_BSD, [B, num_tokens, width]; the empty text is what stands for none."""


class AudioRows(Protocol):
    """Sound to the rows that the transformer attends to, for any stretch of a film; beyond its ends a sound is silent.

    Frames are picture frames, counted from the sound's first sample. A row is `frames_per_row` of them.
    """

    @property
    def frames_per_row(self) -> int:
        """Picture frames from one row to the next."""

    @property
    def row_width(self) -> int:
        """Numbers in a row."""

    def frames_heard(self, start_frame: int, num_rows: int) -> tuple[int, int]:
        """The frames [first, end) of sound that can change these rows; a sound cut to them gives the same rows."""

    def encode_window(self, sound_S: Tensor, start_frame: int, end_frame: int) -> Tensor:
        """Features [T, D] of frames [start, end) of a long sound [S]."""

    def encode_rows(self, sound_S: Tensor, start_frame: int, num_rows: int) -> Tensor:
        """Rows [num_rows, row_width] of a long sound [S], the first of them beginning at `start_frame`."""
