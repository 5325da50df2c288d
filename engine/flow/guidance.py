"""Classifier-free guidance with a scale of its own for text, speak audio and listen audio (paper 3.2).

Called by `perform` around the transformer. It must not know the solver.

Conditions are added one after another, and each step is stretched by its scale:

    v = v(none) + s_text   * (v(text)                 - v(none))
                + s_speak  * (v(text, speak)          - v(text))
                + s_listen * (v(text, speak, listen)  - v(text, speak))

So scale 1 everywhere is the plain conditional model and 0 everywhere the unconditional one; equal neighbours need no
forward between them. References and history are never dropped: they say who is on the picture, not what happens.
A text or sound that is left out is a tensor of zeros, in training and here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.model.transformer import DitInputs
from engine.references import ReferenceLatents


@dataclass(frozen=True, kw_only=True)
class GuidanceScales:
    """How strongly each condition is followed; 1 is the plain conditional model."""

    text: float = 1.0
    speak: float = 1.0
    listen: float = 1.0

    @property
    def branch_weights(self) -> tuple[float, float, float, float]:
        """Weights of v(none), v(text), v(text, speak), v(text, speak, listen); they sum to 1."""
        return (1 - self.text, self.text - self.speak, self.speak - self.listen, self.listen)

    @property
    def num_branches(self) -> int:
        """Forwards that one step costs."""
        return sum(weight != 0 for weight in self.branch_weights)


def guide(predict: Callable[[DitInputs], Tensor], inputs: DitInputs, scales: GuidanceScales) -> Tensor:
    """The guided prediction; all branches that count run as one batch, one after another along the batch axis."""
    weighted = [(index, weight) for index, weight in enumerate(scales.branch_weights) if weight != 0]
    branches = predict(_stack([_with_first(inputs, index) for index, _ in weighted])).chunk(len(weighted))
    guided: Tensor = weighted[0][1] * branches[0]
    for (_, weight), branch in zip(weighted[1:], branches[1:], strict=True):
        guided = guided + weight * branch
    return guided


def _with_first(inputs: DitInputs, num_conditions: int) -> DitInputs:
    """The inputs with only the first so many of text, speak, listen; the others are zeros."""
    text, speak, listen = (
        rows if index < num_conditions else torch.zeros_like(rows)
        for index, rows in enumerate((inputs.text_BSD, inputs.speak_BAD, inputs.listen_BAD))
    )
    return replace(inputs, text_BSD=text, speak_BAD=speak, listen_BAD=listen)


def _stack(branches: list[DitInputs]) -> DitInputs:
    first, count = branches[0], len(branches)
    references = first.references
    present_BR = references.present_BR
    return replace(
        first,
        latents_BFCHW=first.latents_BFCHW.repeat(count, 1, 1, 1, 1),
        timestep_BF=first.timestep_BF.repeat(count, 1),
        references=ReferenceLatents(
            latents_BRCHW=references.latents_BRCHW.repeat(count, 1, 1, 1, 1),
            kinds_BR=references.kinds_BR.repeat(count, 1),
            subtypes_BR=references.subtypes_BR.repeat(count, 1),
            present_BR=None if present_BR is None else present_BR.repeat(count, 1),
        ),
        text_BSD=torch.cat([branch.text_BSD for branch in branches]),
        speak_BAD=torch.cat([branch.speak_BAD for branch in branches]),
        listen_BAD=torch.cat([branch.listen_BAD for branch in branches]),
    )
