"""Films retouched as they are decoded: the anchor's picture is moved into the pose of each frame, the network has its say, and where films
are shown larger than they are decoded, what the moved picture has of finer detail is laid over them.

Called by whoever decodes, offline and live. Pictures are moved here and not where their latents are made: what is kept of a plan is a few
numbers a frame, so a film goes back, is stored and goes on without a picture more.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from engine.posing.anchor_picture import AnchorPicture
from engine.posing.poser import Moved, Poser
from engine.posing.retouch import Retouch
from engine.posing.sizes import enlarged


@dataclass(frozen=True, kw_only=True)
class PlannedPose:
    """How pictures are meant to look: the anchor's picture, the motion rows [B, F, M] of their latents, and how far the character has
    turned round in each of their frames [B, F, T], None where it faces the viewer."""

    picture: AnchorPicture
    rows_BFM: Tensor
    turns_BFT: Tensor | None = None

    def at(self, latent: int) -> "PlannedPose":
        """The pose of one of the latents, from 0."""
        only = slice(latent, latent + 1)
        turns_BFT = None if self.turns_BFT is None else self.turns_BFT[:, only]
        return PlannedPose(picture=self.picture, rows_BFM=self.rows_BFM[:, only], turns_BFT=turns_BFT)


@dataclass(frozen=True, kw_only=True)
class MovedFilm:
    """What decoded pictures are retouched by: the anchor in each frame's pose as large as the codec decodes them, and as large as films are
    shown, `finer` times that; and the rows [B, F, M] from rest. `fine` is None where films are to be softer."""

    coarse: Moved
    fine: Moved | None
    finer: int
    from_rest_BFM: Tensor

    def with_details(self, film_BTCHW: Tensor) -> Tensor:
        """A retouched film in its full size: what it differs from the moved anchor by, enlarged, upon the moved anchor."""
        if self.finer == 1:
            return film_BTCHW
        under = film_BTCHW if self.fine is None else film_BTCHW - self.coarse.pixels_BTCHW
        enlarged_NCHW = enlarged(under.flatten(0, 1), self.finer)
        enlarged_BTCHW: Tensor = rearrange(enlarged_NCHW, "(b t) c h w -> b t c h w", b=len(film_BTCHW))
        return enlarged_BTCHW if self.fine is None else enlarged_BTCHW.add_(self.fine.pixels_BTCHW)


def standing_before(picture_BCHW: Tensor, decoded_BTCHW: Tensor) -> Tensor:
    """The picture before a film as the frames [B, T, 3, H, W] that its latent decodes to: retouched as well as can be.

    What films begin with is compared with it where borders are smoothed; against a blurred one every edge would be a step.
    """
    return picture_BCHW[:, None].expand_as(decoded_BTCHW)


class Retoucher:
    """Retouches for one film or session. One thread may move while another retouches; what draws beside it needs a poser of its own."""

    def __init__(self, network: Retouch, poser: Poser) -> None:
        self._network, self._poser = network, poser

    @property
    def can_be_softer(self) -> bool:
        """Whether films are shown larger than they are decoded."""
        return self._poser.finer > 1

    @torch.no_grad()
    def moved(self, pose: PlannedPose) -> MovedFilm:
        """What pictures of these latents are retouched by."""
        fine = self._poser.moved(pose.picture, pose.rows_BFM, pose.turns_BFT)
        return self._film(pose, fine.shrunk(self._poser.finer), fine)

    @torch.no_grad()
    def moved_softly(self, pose: PlannedPose) -> MovedFilm:
        """The same for films that are only enlarged to their full size, which costs half."""
        return self._film(pose, self._poser.moved_small(pose.picture, pose.rows_BFM, pose.turns_BFT), None)

    def _film(self, pose: PlannedPose, coarse: Moved, fine: Moved | None) -> MovedFilm:
        from_rest_BFM = self._poser.from_rest(pose.rows_BFM)
        return MovedFilm(coarse=coarse, fine=fine, finer=self._poser.finer, from_rest_BFM=from_rest_BFM)

    @torch.no_grad()
    def retouched(self, decoded_BTCHW: Tensor, moved: MovedFilm) -> Tensor:
        """Decoded pictures [B, T, 3, H, W] with what the moved anchor has at their size and they have lost.

        What is painted stays as it is painted: lips that are half the one's and half the other's are nobody's.
        """
        anchor = moved.coarse
        retouched_BTCHW = self._network(decoded_BTCHW, anchor.pixels_BTCHW, moved.from_rest_BFM)
        return torch.lerp(retouched_BTCHW, anchor.pixels_BTCHW, anchor.painted_BTCHW)
