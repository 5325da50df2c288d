"""Numbered samples of captions with what they direct; neither sound nor pictures are made.

Called by the text encoder's task, in worker processes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.encoders.text import text_bytes
from training.actor.captions import caption
from training.actor.directions import direction_labels, sample_spans
from training.data.clips import KIND_SHARES

SPAN_FRAMES = 96


@dataclass(frozen=True, kw_only=True)
class CaptionSamples:
    """Makes sample i: `bytes_L` of a caption and `labels_K` of the direction behind it."""

    max_bytes: int
    first_seed: int = 0

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        rng = np.random.default_rng([self.first_seed, number, 3])
        kind = list(KIND_SHARES)[int(rng.choice(len(KIND_SHARES), p=list(KIND_SHARES.values())))]
        spans = sample_spans(rng, SPAN_FRAMES, kind)
        span = spans[int(rng.integers(len(spans)))]
        text = caption(rng, span, kind).text
        labels_K = torch.from_numpy(direction_labels(span))
        return {"bytes_L": text_bytes([text], self.max_bytes)[0], "labels_K": labels_K}
