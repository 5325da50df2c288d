"""A film's anchor in the poses of its plan, as latents: what the preconditioning starts from and the model that draws is shown.

Called where windows and chunks are made, in `engine.base` and `engine.online`, and by the trainer. It must not know plans or sessions.
"""

from dataclasses import replace
from typing import Final

import torch
from einops import rearrange
from torch import Tensor

from engine.codec.protocol import VideoCodec
from engine.posing.pose_flow import PoseFlow, Resampling
from engine.references import ReferenceLatents

MOST_LOOKS: Final = 4  # pictures whose fields are kept: a film goes back and forth between few


class Poser:
    """Poses pictures for one film or session; the fields of the last few are kept."""

    def __init__(self, flow: PoseFlow, codec: VideoCodec, rest_M: Tensor) -> None:
        """`rest_M` is the motion row of a character at rest, as its pictures show it."""
        self._flow, self._codec = flow, codec
        self._rest_M = rest_M
        self._looks: list[tuple[Tensor, Tensor]] = []

    def posed(self, references: ReferenceLatents, rows_BFM: Tensor, behind_BFCHW: Tensor) -> ReferenceLatents:
        """The references with their anchor in the pose of each row, behind the anchors in pose that history stayed near.

        `ValueError` where the references come without the anchor's picture.
        """
        if references.anchor_pixels_BCHW is None:
            raise ValueError("references for a pack that poses its anchor need the anchor's picture")
        posed_BFCHW = self.latents(references.anchor_pixels_BCHW, rows_BFM)
        return replace(references, posed_BFCHW=torch.cat([behind_BFCHW, posed_BFCHW], dim=1))

    def behind(self, picture_BCHW: Tensor, rows_BFM: Tensor, history_BFCHW: Tensor) -> Tensor:
        """The anchors in pose of history that stayed near a picture, [B, F, C, h, w], by its rows [B, F, M].

        What stands before a film was not planned, so nobody knows its pose: it is an anchor of its own.
        """
        is_planned_BF111 = rows_BFM.any(dim=-1)[..., None, None, None]
        return torch.where(is_planned_BF111, self.latents(picture_BCHW, rows_BFM), history_BFCHW.float())

    @torch.no_grad()
    def latents(self, picture_BCHW: Tensor, rows_BFM: Tensor) -> Tensor:
        """Pictures in the poses of motion rows, [B, F, C, h, w]. A row of zeros is no pose told: at rest."""
        return self._codec.encode(self._moved(picture_BCHW, rows_BFM, "bilinear")).float()

    @torch.no_grad()
    def pictures(self, picture_BCHW: Tensor, rows_BFM: Tensor) -> Tensor:
        """The same as pictures with their finest edges, [B, T, 3, H, W]."""
        return self._moved(picture_BCHW, rows_BFM, "bicubic")

    def _moved(self, picture_BCHW: Tensor, rows_BFM: Tensor, resampling: Resampling) -> Tensor:
        terms_BTN = self._flow.terms(self.poses_from_rest(rows_BFM))
        return self._flow.moved(picture_BCHW, self._fields(picture_BCHW), terms_BTN, resampling)

    def poses_from_rest(self, rows_BFM: Tensor) -> Tensor:
        """Each frame's pose, [B, T, P], in spreads from rest."""
        poses_BTP: Tensor = rearrange(self._poses(self.from_rest(rows_BFM)), "b f t p -> b (f t) p")
        return poses_BTP

    def from_rest(self, rows_BFM: Tensor) -> Tensor:
        """Rows as their difference from rest, [B, F, M] in spreads; zeros where nothing is told."""
        return (rows_BFM - self._rest_M) * rows_BFM.any(dim=-1, keepdim=True)

    def _poses(self, rows: Tensor) -> Tensor:
        """The numbers of rows [..., M] that are poses, [..., T, P]."""
        config = self._flow.config
        frames: Tensor = rearrange(rows, "... (t k) -> ... t k", k=config.frame_width)
        poses: Tensor = frames[..., list(config.pose_columns)]
        return poses

    def _fields(self, picture_BCHW: Tensor) -> Tensor:
        known = [fields_BNCHW for seen_BCHW, fields_BNCHW in self._looks if seen_BCHW is picture_BCHW]
        if known:
            return known[0]
        fields_BNCHW: Tensor = self._flow(picture_BCHW)
        self._looks = [(picture_BCHW, fields_BNCHW), *self._looks[: MOST_LOOKS - 1]]
        return fields_BNCHW
