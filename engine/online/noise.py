"""The noise of a session: a pure function of its seed, the latent and the step, so that it never has to be remembered.

A chunk made again after a rollback begins from the noise that it had, and a restored session goes on as it would have.
"""

from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

MOTION_STEP: Final = 1000
"""The step that stands for a plan of motion: beyond all steps of a picture's noise."""


class NoiseSource(Protocol):
    """Gaussian noise for latents."""

    def draw(self, first_latent: int, num_latents: int, step: int) -> Tensor:
        """Noise [B, F, C, H, W] of step `step` (0 is the start of the backbone) for these latents."""


class SeededNoise:
    """Noise of one session; the same whatever chunks the latents are cut into."""

    def __init__(self, seed: int, shape_CHW: tuple[int, int, int], device: torch.device) -> None:
        self.seed, self.shape_CHW, self.device = seed, shape_CHW, device

    def draw(self, first_latent: int, num_latents: int, step: int) -> Tensor:
        """Drawn on the CPU, so that a device does not matter; batch of one."""
        latents = [self._one(latent, step) for latent in range(first_latent, first_latent + num_latents)]
        return torch.stack(latents)[None].to(self.device)

    def _one(self, latent: int, step: int) -> Tensor:
        seed = int(np.random.SeedSequence((self.seed, latent, step)).generate_state(1, np.uint64)[0])
        return torch.randn(self.shape_CHW, generator=torch.Generator().manual_seed(seed & (2**63 - 1)))
