"""From the network's output to the velocity; which way is declared by the pack.

Called by `perform` and the trainers right after the transformer. It must not know where the output came from.

    identity         velocity = f
    from_reference   x_0 = (1 - s) * x_s + s * ref + s * f, so velocity = (x_s - x_0) / s = x_s - ref - f

`from_reference` is a shortcut that helps only small models: with f = 0 a frame already melts from its noise into the
global reference, and the network learns the difference alone.
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from engine.references import ReferenceKind, ReferenceLatents

PreconditioningName = Literal["identity", "from_reference"]
Preconditioning = Callable[[Tensor, Tensor, ReferenceLatents], Tensor]


def identity(output_BFCHW: Tensor, latents_BFCHW: Tensor, references: ReferenceLatents) -> Tensor:
    """The output is the velocity."""
    return output_BFCHW


def from_reference(output_BFCHW: Tensor, latents_BFCHW: Tensor, references: ReferenceLatents) -> Tensor:
    """The output is the difference to a start from the global reference, which every sample must have."""
    return latents_BFCHW - global_latent(references).unsqueeze(1) - output_BFCHW


def global_latent(references: ReferenceLatents) -> Tensor:
    """The global reference of each sample, [B, C, H, W]; `ValueError` where one has none."""
    is_global_BR = references.kinds_BR == ReferenceKind.GLOBAL
    if references.present_BR is not None:
        is_global_BR = is_global_BR & references.present_BR
    if is_global_BR.shape[1] == 0 or not bool(is_global_BR.any(dim=1).all()):
        raise ValueError("starting from the reference needs a global reference in every sample")
    first_B = is_global_BR.int().argmax(dim=1)
    return references.latents_BRCHW[torch.arange(first_B.shape[0], device=first_B.device), first_B]


def preconditioning_named(name: str) -> Preconditioning:
    """The preconditioning that a pack's manifest names."""
    known: dict[str, Preconditioning] = {"identity": identity, "from_reference": from_reference}
    if name not in known:
        raise ValueError(f"there is no preconditioning {name!r}; known: {', '.join(get_args(PreconditioningName))}")
    return known[name]
