"""History as a window is told it: moved back towards the picture that its film stays near, where a model's errors outweigh the film.

A film that continues from its own latents gathers their errors. What is known of the past is the better guess of what it was
meant to be: with films that differ from the plain guess by a spread d at a position and a model that errs by e, the best linear
one keeps d^2 / (d^2 + e^2) of the difference from the reference (Wiener's filter). So a still background stays the reference's.

Called by whoever lets a model continue: `engine.base`, `engine.online` and training on the model's own history.
"""

import torch
from torch import Tensor

from engine.flow.preconditioning import Preconditioning


def recalled(
    history_BFCHW: Tensor, anchor_BFCHW: Tensor, precondition: Preconditioning, keep: float, error_std: float
) -> Tensor:
    """History [B, F, C, H, W] with `keep` times the filter's share of its difference from its anchor, [B, F, C, H, W] or one for all."""
    if keep == 1.0 and error_std == 0.0:
        return history_BFCHW
    spread_HW = precondition.residual_std((history_BFCHW.shape[-2], history_BFCHW.shape[-1])).to(history_BFCHW.device)
    share_HW = keep * spread_HW.square() / (spread_HW.square() + error_std**2)
    return torch.lerp(anchor_BFCHW.expand_as(history_BFCHW), history_BFCHW, share_HW.expand_as(history_BFCHW))
