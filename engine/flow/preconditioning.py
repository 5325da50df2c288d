"""From noisy latents to the network's input, and from its output to the velocity; which way is declared by the pack.

Called by `perform` and the trainers around the transformer. It must not know where the output came from.

    identity           the network sees x_s, its output is the velocity
    around_reference   the network sees how x_s differs from what a plain guess would give (the anchor, moved some way
                       towards the last frame of history), in units of how much films usually differ from it there;
                       its output is what the best linear guess of that difference leaves, in units of its spread

The anchor is the picture that a film stays near: the global reference, or that of the expression which a direction calls for. A pack
that poses it (`engine.posing`) has one for each latent.

`around_reference` is a shortcut that helps only small models. With r = x_0 - guess of spread d at a position, s the noise level,
y = x_s - (1 - s) guess = (1 - s) r + s n and D = (1 - s)^2 d^2 + s^2, the best linear guess of r is (1 - s) d^2 / D * y, with an
error of spread s d / sqrt(D). (Karras et al. 2022, around a mean that is not zero.) With an output of zero a film already
stands still as its reference, without noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from engine.references import ReferenceKind, ReferenceLatents


class Preconditioning(Protocol):
    """What stands between latents and the network."""

    def network_input(self, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents) -> Tensor:
        """What the network sees of latents at noise level `sigma_BF` (0 for history)."""

    def velocity(
        self, output_BFCHW: Tensor, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents
    ) -> Tensor:
        """The velocity that the network's output means."""

    def error_scale(self, sigma_BF: Tensor, shape_HW: tuple[int, int]) -> Tensor:
        """What training multiplies an error of the velocity by, [B, F, 1, H, W] or broadcastable to it."""

    def residual_std(self, shape_HW: tuple[int, int]) -> Tensor:
        """How much films differ from the plain guess at each position, [H, W]."""


@dataclass(frozen=True, kw_only=True)
class Plain:
    """`identity`: nothing stands between."""

    def network_input(self, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents) -> Tensor:
        """The latents."""
        return latents_BFCHW

    def velocity(
        self, output_BFCHW: Tensor, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents
    ) -> Tensor:
        """The output."""
        return output_BFCHW

    def error_scale(self, sigma_BF: Tensor, shape_HW: tuple[int, int]) -> Tensor:
        """One."""
        return torch.ones_like(sigma_BF)[:, :, None, None, None]

    def residual_std(self, shape_HW: tuple[int, int]) -> Tensor:
        """One: there is no guess, and latents have about that spread."""
        return torch.ones(shape_HW)


@dataclass(frozen=True, kw_only=True)
class AroundReference:
    """`around_reference`; `residual_std_HW` is how much films differ from the guess, by position.

    The guess is the anchor, moved by `history_share` towards the last clean frame of history where there is one.
    """

    residual_std_HW: Tensor
    history_share: float = 0.0

    def network_input(self, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents) -> Tensor:
        """y / sqrt(D)."""
        _, spread_BF1HW = self._spreads(sigma_BF, latents_BFCHW)
        return self._offset(latents_BFCHW, sigma_BF, references) / spread_BF1HW

    def velocity(
        self, output_BFCHW: Tensor, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents
    ) -> Tensor:
        """(s - (1 - s) d^2) / D * y - guess - d / sqrt(D) * output, which is (x_s - x_0) / s."""
        residual_11HW, spread_BF1HW = self._spreads(sigma_BF, latents_BFCHW)
        sigma_BF111 = sigma_BF[..., None, None, None]
        slope_BF1HW = (sigma_BF111 - (1 - sigma_BF111) * residual_11HW.square()) / spread_BF1HW.square()
        offset_BFCHW = self._offset(latents_BFCHW, sigma_BF, references)
        return (
            slope_BF1HW * offset_BFCHW
            - self._guess(latents_BFCHW, sigma_BF, references)
            - residual_11HW / spread_BF1HW * output_BFCHW
        )

    def error_scale(self, sigma_BF: Tensor, shape_HW: tuple[int, int]) -> Tensor:
        """sqrt(D): at full noise an error of the velocity is one of the clean latents and counts as it is seen."""
        like = torch.empty(1, 1, 1, *shape_HW, device=sigma_BF.device)
        return self._spreads(sigma_BF, like)[1]

    def residual_std(self, shape_HW: tuple[int, int]) -> Tensor:
        """d on a grid of this shape, [H, W]."""
        if shape_HW == tuple(self.residual_std_HW.shape):
            return self.residual_std_HW
        grid_11HW = functional.interpolate(self.residual_std_HW[None, None], shape_HW, mode="bilinear")
        return grid_11HW[0, 0]

    def _spreads(self, sigma_BF: Tensor, like_BFCHW: Tensor) -> tuple[Tensor, Tensor]:
        """d as [1, H, W] and sqrt(D) as [B, F, 1, H, W]."""
        residual_1HW = self.residual_std((like_BFCHW.shape[-2], like_BFCHW.shape[-1]))[None].to(like_BFCHW.device)
        sigma_BF111 = sigma_BF[..., None, None, None]
        return residual_1HW, ((1 - sigma_BF111).square() * residual_1HW.square() + sigma_BF111.square()).sqrt()

    def _offset(self, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents) -> Tensor:
        guess_BFCHW = self._guess(latents_BFCHW, sigma_BF, references)
        return latents_BFCHW - (1 - sigma_BF[..., None, None, None]) * guess_BFCHW

    def _guess(self, latents_BFCHW: Tensor, sigma_BF: Tensor, references: ReferenceLatents) -> Tensor:
        """What each frame would be without a model, [B, F, C, H, W] or one for all, [B, 1, C, H, W]."""
        anchor_BFCHW = anchor_latents(references)
        num_history_B = (sigma_BF == 0).sum(dim=1)
        samples_B = torch.arange(len(num_history_B), device=sigma_BF.device)
        last_B = (num_history_B - 1).clamp(min=0)
        there_BCHW = anchor_BFCHW[samples_B, last_B.clamp(max=anchor_BFCHW.shape[1] - 1)]
        share_B111 = self.history_share * (num_history_B > 0)[:, None, None, None]
        return anchor_BFCHW + (share_B111 * (latents_BFCHW[samples_B, last_B] - there_BCHW)).unsqueeze(1)


def anchor_latents(references: ReferenceLatents) -> Tensor:
    """What each sample's film stays near: in the pose of each latent, [B, F, C, H, W], or at rest for all, [B, 1, C, H, W]."""
    return anchor_latent(references).unsqueeze(1) if references.posed_BFCHW is None else references.posed_BFCHW


def anchor_latent(references: ReferenceLatents) -> Tensor:
    """The reference that each sample's film stays near, [B, C, H, W]: the global one where nothing else is said."""
    if references.anchor_B is None:
        return global_latent(references)
    samples_B = torch.arange(len(references.anchor_B), device=references.anchor_B.device)
    return references.latents_BRCHW[samples_B, references.anchor_B]


def global_latent(references: ReferenceLatents) -> Tensor:
    """The global reference of each sample, [B, C, H, W]; `ValueError` where one has none."""
    is_global_BR = references.kinds_BR == ReferenceKind.GLOBAL
    if references.present_BR is not None:
        is_global_BR = is_global_BR & references.present_BR
    if is_global_BR.shape[1] == 0 or not bool(is_global_BR.any(dim=1).all()):
        raise ValueError("starting from the reference needs a global reference in every sample")
    first_B = is_global_BR.int().argmax(dim=1)
    return references.latents_BRCHW[torch.arange(first_B.shape[0], device=first_B.device), first_B]


PRECONDITIONING_NAMES = ("identity", "around_reference")


def preconditioning_named(
    name: str, residual_std: Sequence[float] = (1.0,), history_share: float = 0.0
) -> Preconditioning:
    """The preconditioning that a pack's manifest names; `residual_std` is a square grid, row by row."""
    if name not in PRECONDITIONING_NAMES:
        raise ValueError(f"there is no preconditioning {name!r}; known: {', '.join(PRECONDITIONING_NAMES)}")
    if name == "identity":
        return Plain()
    side = round(len(residual_std) ** 0.5)
    if side * side != len(residual_std) or min(residual_std) <= 0:
        raise ValueError(f"residual_std must be a square grid of positive numbers, not {len(residual_std)} of them")
    grid_HW = torch.tensor(residual_std, dtype=torch.float32).view(side, side)
    return AroundReference(residual_std_HW=grid_HW, history_share=history_share)
