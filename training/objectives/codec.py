"""What a reconstruction costs: pixels, the change between frames, and a light pull of the posterior to the unit Gaussian.

Within one latent of four frames a mouth is easily averaged away, so the difference between neighbouring frames is weighed
beside the frames themselves, and mouth and eyes count more than their share of pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class CodecLossConfig:
    """Weights of the parts; `focus_weight` multiplies squared errors inside mouth and eye boxes."""

    focus_weight: float = 5.0
    motion_weight: float = 0.5
    absolute_weight: float = 0.02
    kl_weight: float = 1e-4


def codec_loss(
    config: CodecLossConfig,
    predicted_BTCHW: Tensor,
    target_BTCHW: Tensor,
    focus_BTHW: Tensor,
    moments: tuple[Tensor, Tensor],
) -> dict[str, Tensor]:
    """Named scalars; pixels in [-1, 1]; `focus_BTHW` is 1 inside mouth and eye boxes; `moments` are mean and log-variance."""
    mean_BFCHW, log_variance_BFCHW = moments
    weight_BT1HW = 1.0 + (config.focus_weight - 1.0) * focus_BTHW[:, :, None]
    error_BTCHW = predicted_BTCHW.float() - target_BTCHW
    squared = (weight_BT1HW * error_BTCHW.square()).mean()
    absolute = (weight_BT1HW * error_BTCHW.abs()).mean()
    motion = (weight_BT1HW[:, 1:] * error_BTCHW.diff(dim=1).square()).mean()
    kl = 0.5 * (mean_BFCHW.square() + log_variance_BFCHW.exp() - 1.0 - log_variance_BFCHW).mean()
    loss = squared + config.absolute_weight * absolute + config.motion_weight * motion + config.kl_weight * kl
    psnr_db = 10 * torch.log10(4.0 / error_BTCHW.detach().square().mean())
    return {"loss": loss, "kl": kl.detach(), "motion": motion.detach(), "psnr_db": psnr_db}
