"""Films retouched as they are decoded: the anchor's picture is moved into the pose of each frame, and the network has its say.

Called by whoever decodes, offline and live. Pictures are moved here and not where their latents are made: what is kept of a plan is a few
numbers a frame, so a film goes back, is stored and goes on without a picture more.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.posing.poser import Poser
from engine.posing.retouch import Retouch


@dataclass(frozen=True, kw_only=True)
class PlannedPose:
    """How pictures are meant to look: the anchor's picture [B, 3, H, W], and the motion rows [B, F, M] of their latents."""

    picture_BCHW: Tensor
    rows_BFM: Tensor

    def at(self, latent: int) -> "PlannedPose":
        """The pose of one of the latents, from 0."""
        return PlannedPose(picture_BCHW=self.picture_BCHW, rows_BFM=self.rows_BFM[:, latent : latent + 1])


def standing_before(picture_BCHW: Tensor, decoded_BTCHW: Tensor) -> Tensor:
    """The picture before a film as the frames [B, T, 3, H, W] that its latent decodes to: retouched as well as can be.

    What films begin with is compared with it where borders are smoothed; against a blurred one every edge would be a step.
    """
    return picture_BCHW[:, None].expand_as(decoded_BTCHW)


class Retoucher:
    """Retouches for one film or session, in one thread: what decodes beside what draws needs a poser of its own."""

    def __init__(self, network: Retouch, poser: Poser) -> None:
        self._network, self._poser = network, poser

    @torch.no_grad()
    def retouched(self, decoded_BTCHW: Tensor, pose: PlannedPose) -> Tensor:
        """Decoded pictures [B, T, 3, H, W] with what the moved anchor has and they have lost.

        What is painted stays as it is painted: lips that are half the one's and half the other's are nobody's.
        """
        moved = self._poser.moved(pose.picture_BCHW, pose.rows_BFM)
        retouched_BTCHW = self._network(decoded_BTCHW, moved.pixels_BTCHW, self._poser.from_rest(pose.rows_BFM))
        return torch.lerp(retouched_BTCHW, moved.pixels_BTCHW, moved.painted_BTCHW)
