"""Classifier-free guidance with a scale of its own for text, speak audio and listen audio (paper 3.2).

Called by `perform` around the transformer. It must not know the solver.

Conditions are added one after another, and each step is stretched by its scale:

    v = v(none) + s_text   * (v(text)                 - v(none))
                + s_speak  * (v(text, speak)          - v(text))
                + s_listen * (v(text, speak, listen)  - v(text, speak))

So scale 1 everywhere is the plain conditional model and 0 everywhere the unconditional one; equal neighbours need no
forward between them, and a sound that is left out anyway makes two branches one. References and history are never dropped:
they say who is on the picture, not what happens. A sound that is left out is a tensor of zeros, in training and here. No text is what
the pack's encoder makes of the empty one: zeros for the small encoder, one row (its end) for UMT5, as the public models know it.

All branches run as one batch where memory allows. For the small window of `lpm-tiny` that takes 0.70 to 0.79 of the time of one
after another (one core, bfloat16, four and two branches); for large windows it takes as long and more memory.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.model.transformer import DitInputs
from engine.model_config import DitConfig

NUM_CONDITIONS = 3
NEGLIGIBLE_WEIGHT = 1e-9

ACTIVATION_BYTES_PER_WIDTH = 48
"""What a forward without gradients holds at its peak for each token, per unit of its width: the float32 stream and its normed
copy, queries, keys, values and the feed-forward network's inside (four times as wide) in bfloat16 and once in float32."""

SHARE_OF_MEMORY = 0.25
"""Of all memory and not of what is free at the moment, so that a film that is made again is batched, and rounded, the same."""


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
        """Forwards that one step costs, where text and both sounds are there."""
        return sum(weight != 0 for weight in self.branch_weights)


NO_GUIDANCE = GuidanceScales()


@dataclass(frozen=True, kw_only=True)
class GuidanceInterval:
    """Guidance acts between two noise levels only (Kynkäänniemi et al. 2024), bounds included; elsewhere scales are 1."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high <= 1.0:
            raise ValueError(
                f"guidance acts between noise levels low <= high in 0..1, not from {self.low} to {self.high}"
            )

    def scales_at(self, sigma: float, scales: GuidanceScales) -> GuidanceScales:
        """These scales at a noise level."""
        return scales if self.low <= sigma <= self.high else NO_GUIDANCE


def guide(
    predict: Callable[[DitInputs], Tensor],
    inputs: DitInputs,
    scales: GuidanceScales,
    rescale: float = 0.0,
    branches_at_once: int = NUM_CONDITIONS + 1,
    no_text_BSD: Tensor | None = None,
) -> Tensor:
    """The guided prediction; the branches that count run as batches of `branches_at_once`, along the batch axis.

    `rescale` in 0..1 moves the spread of each sample's noisy frames back to that of the conditional prediction (Lin et al. 2023, 3.4).
    `no_text_BSD`, of one sample or of all, is what the branch without text is told; None stands for zeros.
    """
    if no_text_BSD is None:
        no_text_BSD = torch.zeros_like(inputs.text_BSD)
    no_text_BSD = no_text_BSD.to(inputs.text_BSD).expand_as(inputs.text_BSD)
    adds = _adding(inputs, no_text_BSD)
    weights = _counting_branches(adds, scales)
    conditional = _same_branch(adds, NUM_CONDITIONS)
    needed = sorted(weights.keys() | ({conditional} if rescale and weights.keys() != {conditional} else set()))
    branches = _predict_branches(predict, inputs, no_text_BSD, needed, branches_at_once)
    first, *others = weights
    guided: Tensor = weights[first] * branches[first]
    for index in others:
        guided = guided + weights[index] * branches[index]
    if rescale and weights.keys() != {conditional}:
        guided = _rescaled(guided, branches[conditional], inputs.timestep_BF > 0, rescale)
    return guided


def branches_that_fit(config: DitConfig, inputs: DitInputs) -> int:
    """How many branches of these inputs may run as one batch in the memory of their device; at least one."""
    _, rows, columns = config.patch_size
    num_values = inputs.latents_BFCHW[:, :, 0].numel() + inputs.references.latents_BRCHW[:, :, 0].numel()
    num_bytes = num_values // (rows * columns) * config.dim * ACTIVATION_BYTES_PER_WIDTH
    return max(1, int(SHARE_OF_MEMORY * _memory_bytes(inputs.latents_BFCHW.device) / max(num_bytes, 1)))


def _memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # this system does not say: assume little
        return 2**32


def _adding(inputs: DitInputs, no_text_BSD: Tensor) -> tuple[bool, bool, bool]:
    """Which of text, speak and listen say anything: a sound of zeros adds nothing, nor the text that is none."""
    return (
        not torch.equal(inputs.text_BSD, no_text_BSD),
        bool(inputs.speak_BAD.any()),
        bool(inputs.listen_BAD.any()),
    )


def _counting_branches(adds: tuple[bool, bool, bool], scales: GuidanceScales) -> dict[int, float]:
    """Weight of each branch that differs from the others and counts; a branch is named by the number of its conditions."""
    weights: dict[int, float] = {}
    for index, weight in enumerate(scales.branch_weights):
        same = _same_branch(adds, index)
        weights[same] = weights.get(same, 0.0) + weight
    return {index: weight for index, weight in weights.items() if abs(weight) > NEGLIGIBLE_WEIGHT}


def _same_branch(adds: tuple[bool, bool, bool], num_conditions: int) -> int:
    """The branch with fewest conditions that is told the same."""
    while num_conditions and not adds[num_conditions - 1]:
        num_conditions -= 1
    return num_conditions


def _predict_branches(
    predict: Callable[[DitInputs], Tensor],
    inputs: DitInputs,
    no_text_BSD: Tensor,
    needed: list[int],
    branches_at_once: int,
) -> Mapping[int, Tensor]:
    predicted: dict[int, Tensor] = {}
    for start in range(0, len(needed), max(1, branches_at_once)):
        some = needed[start : start + max(1, branches_at_once)]
        outputs = predict(_stack([_with_first(inputs, no_text_BSD, index) for index in some])).chunk(len(some))
        predicted |= dict(zip(some, outputs, strict=True))
    return predicted


def _rescaled(guided_BFCHW: Tensor, conditional_BFCHW: Tensor, is_noisy_BF: Tensor, rescale: float) -> Tensor:
    """Guided frames whose spread is moved to the conditional one's; clean history counts and changes nothing."""
    is_noisy_BF111 = is_noisy_BF[:, :, None, None, None]
    wanted_B, had_B = (_spread(x, is_noisy_BF111) for x in (conditional_BFCHW, guided_BFCHW))
    factor_B = 1 + rescale * (wanted_B / had_B.clamp(min=1e-12) - 1)
    return torch.where(is_noisy_BF111, guided_BFCHW * factor_B[:, None, None, None, None], guided_BFCHW)


def _spread(x_BFCHW: Tensor, counts_BF111: Tensor) -> Tensor:
    """Standard deviation of each sample's frames that count."""
    counts = counts_BF111.expand_as(x_BFCHW).float()
    num_B = counts.sum(dim=(1, 2, 3, 4)).clamp(min=1)
    mean_B = (counts * x_BFCHW).sum(dim=(1, 2, 3, 4)) / num_B
    squares = counts * (x_BFCHW - mean_B[:, None, None, None, None]).square()
    return (squares.sum(dim=(1, 2, 3, 4)) / num_B).sqrt()


def _with_first(inputs: DitInputs, no_text_BSD: Tensor, num_conditions: int) -> DitInputs:
    """The inputs with only the first so many of text, speak, listen; the others are no text and silence."""
    speak, listen = (
        rows if index < num_conditions else torch.zeros_like(rows)
        for index, rows in enumerate((inputs.speak_BAD, inputs.listen_BAD), start=1)
    )
    return replace(
        inputs, text_BSD=inputs.text_BSD if num_conditions else no_text_BSD, speak_BAD=speak, listen_BAD=listen
    )


def _stack(branches: list[DitInputs]) -> DitInputs:
    first, count = branches[0], len(branches)
    if count == 1:
        return first
    return replace(
        first,
        latents_BFCHW=first.latents_BFCHW.repeat(count, 1, 1, 1, 1),
        timestep_BF=first.timestep_BF.repeat(count, 1),
        references=first.references.repeated(count),
        text_BSD=torch.cat([branch.text_BSD for branch in branches]),
        speak_BAD=torch.cat([branch.speak_BAD for branch in branches]),
        listen_BAD=torch.cat([branch.listen_BAD for branch in branches]),
        motion_BFM=None if first.motion_BFM is None else first.motion_BFM.repeat(count, 1, 1),
    )
