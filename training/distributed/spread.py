"""A model made ready for its processes, in the one order that works: sequence, activations, compilation, weights.

Called by the trainer once, before optimiser and average exist.
"""

from typing import Protocol, runtime_checkable

import torch
from torch import nn

from engine.model.block import Block
from engine.model.transformer import Transformer
from training.distributed.activations import recompute_all, recompute_cheap
from training.distributed.layout import Layout, ScaleConfig
from training.distributed.sharding import shard_weights
from training.distributed.ulysses import split_sequence


@runtime_checkable
class ObservesLayers(Protocol):
    """A model that reads hidden tokens of its transformer and needs them whole."""

    @property
    def observed_layers(self) -> tuple[int, ...]:
        """Indices of the blocks whose output it reads."""


def spread_model(model: nn.Module, layout: Layout, scale: ScaleConfig) -> None:
    """Moves `model` to its device and changes it in place as `scale` says; weights keep their names."""
    model.to(layout.world.device)
    trained = [module for module in model.modules() if isinstance(module, Transformer) and _is_trained(module)]
    if layout.sequence is not None:
        observed = [
            layer for part in model.modules() if isinstance(part, ObservesLayers) for layer in part.observed_layers
        ]
        for transformer in trained:
            split_sequence(transformer, layout.sequence, observed)
    for block in [block for transformer in trained for block in transformer.blocks]:
        assert isinstance(block, Block)
        if scale.recompute == "cheap":
            recompute_cheap(block, scale.offload_share)
        elif scale.recompute == "blocks":
            recompute_all(block)
        if scale.compile_blocks:
            block.forward = torch.compile(block.forward)  # type: ignore[method-assign]
    if layout.weights is not None:
        shard_weights(model, layout.weights)


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
