"""Numbered samples of directions in Chinese beside the plainest English for the same; neither sound nor pictures are made.

Called by the task of the encoder that reads Chinese, in worker processes.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from engine.encoders.text import text_bytes
from training.actor.chinese_captions import bilingual_caption
from training.actor.directions import sample_spans
from training.data.caption_samples import SPAN_FRAMES
from training.data.clips import KIND_SHARES


@dataclass(frozen=True, kw_only=True)
class BilingualSamples:
    """Makes sample i: `chinese_L` and `english_L`, bytes of both captions of a span."""

    max_bytes: int
    first_seed: int = 0

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        rng = np.random.default_rng([self.first_seed, number, 9])
        kind = list(KIND_SHARES)[int(rng.choice(len(KIND_SHARES), p=list(KIND_SHARES.values())))]
        spans = sample_spans(rng, SPAN_FRAMES, kind)
        both = bilingual_caption(rng, spans[int(rng.integers(len(spans)))], kind)
        chinese_L, english_L = text_bytes([both.chinese, both.english], self.max_bytes)
        return {"chinese_L": chinese_L, "english_L": english_L}
