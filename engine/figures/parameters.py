"""Parameters of a transformer by part, counted on the meta device: the real class is built, no weight is allocated.

Called by `lpm models info` and its tests. The parts add up to the whole; the paper's "14B + 3B" are `base` and `audio`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import torch

from engine.model.transformer import Transformer
from engine.model_config import DitConfig

AUDIO_PARTS: Final = ("audio_cross_attention", "audio_embedding")

_PART_OF_TOP: Final = {
    "patch_embedding": "patch_embedding",
    "text_embedding": "text_embedding",
    "time_embedding": "time_embedding",
    "time_projection": "time_embedding",
    "speak_embedding": "audio_embedding",
    "listen_embedding": "audio_embedding",
    "motion_embedding": "motion_embedding",
    "posed_embedding": "posed_embedding",
    "head": "head",
}
_PART_IN_BLOCK: Final = {
    "self_attn": "self_attention",
    "ffn": "feed_forward",
    "norm3": "block_modulation_and_norm",
    "modulation": "block_modulation_and_norm",
}


@dataclass(frozen=True, kw_only=True)
class ParameterCount:
    """Parameters by part."""

    by_part: dict[str, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_part.values())

    @property
    def audio(self) -> int:
        """What the sound branches add to the pretrained video model (the paper's 3B)."""
        return sum(self.by_part[part] for part in AUDIO_PARTS)

    @property
    def base(self) -> int:
        """The pretrained video model alone (the paper's 14B)."""
        return self.total - self.audio


def transformer_parameters(config: DitConfig) -> ParameterCount:
    """Counts the parameters of the transformer of these sizes."""
    with torch.device("meta"):
        model = Transformer(config)
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        counts[part_of(name)] += parameter.numel()
    return ParameterCount(by_part=dict(counts))


def part_of(name: str) -> str:
    """The part that a parameter of the transformer belongs to; `KeyError` for one that no part claims."""
    words = name.split(".")
    if words[0] != "blocks":
        return _PART_OF_TOP[words[0]]
    if words[2] == "cross_attn":
        return "audio_cross_attention" if words[3].endswith("_audio") else "text_cross_attention"
    return _PART_IN_BLOCK[words[2]]
