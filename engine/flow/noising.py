"""Flow matching's straight path between clean latents and noise, and where on it a training sample stands.

Called by the trainers and by `perform` for its first latents. It must not know models.

    x_s = (1 - s) * x_0 + s * noise        velocity = dx/ds = noise - x_0        timestep = 1000 * s
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SigmaSampling:
    """How training draws noise levels: uniform or logit-normal in 0..1, then moved by the schedule's shift."""

    kind: Literal["uniform", "logit_normal"] = "uniform"
    mean: float = 0.0
    std: float = 1.0
    shift: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if self.kind not in ("uniform", "logit_normal"):
            raise ValueError(f"sigma sampling is uniform or logit_normal, not {self.kind!r}")
        if self.std <= 0 or self.shift <= 0:
            raise ValueError(f"{self} must have a positive std and shift")


def sample_sigma(sampling: SigmaSampling, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Noise levels in 0..1 of this shape, float32, on the generator's device."""
    device = generator.device
    if sampling.kind == "uniform":
        sigma = torch.rand(shape, generator=generator, device=device)
    else:
        normal = torch.randn(shape, generator=generator, device=device)
        sigma = torch.sigmoid(sampling.mean + sampling.std * normal)
    return sampling.shift * sigma / (1 + (sampling.shift - 1) * sigma)


def add_noise(clean_BFCHW: Tensor, noise_BFCHW: Tensor, sigma_BF: Tensor) -> Tensor:
    """Latents at noise level `sigma_BF` of each frame; 0 leaves a frame clean."""
    sigma_BF111 = sigma_BF[..., None, None, None]
    return (1 - sigma_BF111) * clean_BFCHW + sigma_BF111 * noise_BFCHW


def velocity_target(clean_BFCHW: Tensor, noise_BFCHW: Tensor) -> Tensor:
    """What the model's velocity should be anywhere on the path."""
    return noise_BFCHW - clean_BFCHW


def clean_from_velocity(latents_BFCHW: Tensor, velocity_BFCHW: Tensor, sigma_BF: Tensor) -> Tensor:
    """The clean latents that a velocity points to: `x_0 = x_s - s * velocity`."""
    return latents_BFCHW - sigma_BF[..., None, None, None] * velocity_BFCHW
