"""How differently two films of latents look: the perceptual term of Eq. 6, which holds DMD back from collapsing to one mode.

LPIPS (Zhang et al. 2018) is a distance of unit-length features, layer by layer. Its public weights may not be redistributed with
every licence, so a person who has them names the file; elsewhere the features are those of the actor's own latent reader, which is
cheaper besides: it needs no decoding.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from training.objectives.perceived_state import LatentReader


class PerceptualDistance(Protocol):
    """A distance of films that gradients can follow."""

    def __call__(self, made_BFCHW: Tensor, target_BFCHW: Tensor, reference_BCHW: Tensor) -> Tensor:
        """The mean distance, a scalar; 0 for equal latents."""


def feature_distance(made: Tensor, target: Tensor, channel_weights: Tensor | None = None) -> Tensor:
    """Squared distance of features [X, C, H, W] at unit length along channels, weighed by channel, averaged over places."""
    made, target = nn.functional.normalize(made, dim=1), nn.functional.normalize(target, dim=1)
    squared = (made - target).square()
    if channel_weights is not None:
        squared = squared * channel_weights.view(1, -1, 1, 1)
    return squared.sum(dim=1).mean()


@dataclass(frozen=True, kw_only=True)
class ActorFeatures:
    """Features of a frozen reader of latents, after each of its activations."""

    reader: LatentReader

    def __call__(self, made_BFCHW: Tensor, target_BFCHW: Tensor, reference_BCHW: Tensor) -> Tensor:
        """Mean over the reader's layers."""
        made, target = (self._pairs(films, reference_BCHW) for films in (made_BFCHW, target_BFCHW))
        distances = []
        for layer in self.reader.see:
            made, target = layer(made), layer(target)
            if isinstance(layer, nn.GELU):
                distances.append(feature_distance(made.float(), target.float()))
        return torch.stack(distances).mean()

    def _pairs(self, films_BFCHW: Tensor, reference_BCHW: Tensor) -> Tensor:
        beside_BFCHW = reference_BCHW[:, None].expand_as(films_BFCHW)
        return torch.cat([films_BFCHW, beside_BFCHW], dim=2).flatten(0, 1)
