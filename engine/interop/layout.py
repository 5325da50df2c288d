"""What a module must offer to describe one layout of public checkpoints; `engine.interop.convert` drives it tensor by tensor.

A layout is a module of plain functions, one module for each public naming of one network (`wan_official`, `wan_diffusers`,
`umt5_huggingface`, ...). It knows names and shapes; it must not know files, packs or the command line.
"""

from collections.abc import Collection, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
"""Every tensor of a checkpoint with its shape, as the headers of its files tell them."""


class CheckpointLayout(Protocol):
    """Names of a public checkpoint, and ours for them."""

    def recognises(self, names: Collection[str]) -> bool:
        """Whether a checkpoint with these names is of this layout; at most one layout of all may say yes."""

    def config_from(self, shapes: Shapes, config_json: Mapping[str, Any] | None) -> Any:
        """Our frozen config for a checkpoint; `BadInputError` for sizes that our class does not have.

        `config_json` is the `config.json` beside the weights, None where there is none: what shapes can tell is taken from
        shapes, and what only the file tells (the number of heads) falls back on the published models.
        """

    def target_name(self, source_name: str) -> str | None:
        """Our name for a tensor; None where it is knowingly dropped; `KeyError` for a name this layout does not know."""


@runtime_checkable
class TransformingLayout(Protocol):
    """A layout some of whose tensors also change: joined axes, another order of rows."""

    def transform(self, source_name: str, tensor: Tensor) -> Tensor:
        """The tensor as our module wants it; one that only changes its name comes back as it is."""
