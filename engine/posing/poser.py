"""A film's anchor in the poses of its plan, as latents: what the preconditioning starts from and the model that draws is shown.

Called where windows and chunks are made, in `engine.base` and `engine.online`, and by the trainer. It must not know plans or sessions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import torch
from einops import rearrange
from torch import Tensor

from engine.codec.protocol import VideoCodec
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.layers import Layers, layers_of
from engine.posing.matte import Matte
from engine.posing.paint import Paint, PaintedPlaces, painted
from engine.posing.pose_flow import Places, PoseFlow, Resampling, sampled
from engine.posing.sizes import shrunk, size_of, smoothly_resized
from engine.posing.turning import FACE, is_turned, turned_layers
from engine.references import ReferenceLatents

MOST_LOOKS: Final = 7  # pictures whose fields are kept: a film goes back and forth between few, and three are views


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Pictures in pose, `pixels_BTCHW` [B, T, 3, H, W], and which of their pixels are painted in some face or other, `painted_BTCHW`
    [B, T, 1, H, W] from 0 to 1."""

    pixels_BTCHW: Tensor
    painted_BTCHW: Tensor

    def shrunk(self, times: int) -> "Moved":
        """The same at so many times less of their size."""
        if times == 1:
            return self
        batch = len(self.pixels_BTCHW)
        pixels_BTCHW, painted_BTCHW = (
            rearrange(shrunk(each.flatten(0, 1), times), "(b t) c h w -> b t c h w", b=batch)
            for each in (self.pixels_BTCHW, self.painted_BTCHW)
        )
        return Moved(pixels_BTCHW=pixels_BTCHW, painted_BTCHW=painted_BTCHW)

    def among(self, frames: list[int], others: "Moved", other_frames: list[int]) -> "Moved":
        """These pictures at some frames of a film, and others at its other frames."""
        order = torch.tensor([*frames, *other_frames], device=self.pixels_BTCHW.device).argsort()
        pixels_BTCHW, painted_BTCHW = (
            torch.cat(both, dim=1)[:, order]
            for both in ((self.pixels_BTCHW, others.pixels_BTCHW), (self.painted_BTCHW, others.painted_BTCHW))
        )
        return Moved(pixels_BTCHW=pixels_BTCHW, painted_BTCHW=painted_BTCHW)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A picture as it is moved and painted for one use: its pixels [B, 3, H, W], `finer` times as large as the codec takes them, how they
    are resampled, its layers, None where all of it moves, and where it may be painted, None where nothing is."""

    pixels_BCHW: Tensor
    finer: int
    resampling: Resampling
    layers: Layers | None
    painted: PaintedPlaces | None

    def moved(self, places: Places) -> Tensor:
        """The picture as it looks when each pixel comes from its place, [B, T, 3, H, W]."""
        if self.layers is None:
            return sampled(self.pixels_BCHW, places.on_face_NHWC, self.resampling)
        return self.layers.composed(sampled(self.layers.character_BCHW, places.on_face_NHWC, self.resampling))


Use = Literal["latents", "small pictures", "pictures"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen of a picture [B, 3, H, W]: its fields [B, N, 2, g, g], those of the flow before those that drag what is painted over,
    its matte [B, 1, h, w], what is kept to paint it, and the sheets that were asked for."""

    picture_BCHW: Tensor
    fields_BNCHW: Tensor
    matte_BCHW: Tensor | None
    kept_BCHW: Tensor | None
    sheets: dict[Use, Sheet] = field(default_factory=dict)


class Poser:
    """Poses pictures for one film or session; what was seen of the last few is kept."""

    def __init__(
        self,
        flow: PoseFlow,
        codec: VideoCodec,
        rest_M: Tensor,
        paint: Paint | None = None,
        finer: int = 1,
        matte: Matte | None = None,
    ) -> None:
        """`rest_M` is the motion row of a character at rest; nothing is painted where `paint` is None, and what stands behind a character
        moves with it where `matte` is. Pictures come `finer` times as large as the codec takes them."""
        self._flow, self._codec, self._paint, self._matte, self.finer = flow, codec, paint, matte, finer
        self._rest_M = rest_M
        self._looks: list[Look] = []

    def posed(
        self,
        references: ReferenceLatents,
        rows_BFM: Tensor,
        behind_BFCHW: Tensor,
        turns_BFT: Tensor | None = None,
    ) -> ReferenceLatents:
        """The references with their anchor in the pose and turn of each row, behind the anchors in pose that history stayed near.

        `ValueError` where the references come without the anchor's picture.
        """
        if references.anchor_picture is None:
            raise ValueError("references for a pack that poses its anchor need the anchor's picture")
        posed_BFCHW = self.latents(references.anchor_picture, rows_BFM, turns_BFT)
        return replace(references, posed_BFCHW=torch.cat([behind_BFCHW, posed_BFCHW], dim=1))

    def behind(
        self, picture: AnchorPicture, rows_BFM: Tensor, history_BFCHW: Tensor, turns_BFT: Tensor | None = None
    ) -> Tensor:
        """The anchors in pose of history that stayed near a picture, [B, F, C, h, w], by its rows [B, F, M] and turns [B, F, T].

        What stands before a film was not planned, so nobody knows its pose: it is an anchor of its own.
        """
        is_planned_BF111 = rows_BFM.any(dim=-1)[..., None, None, None]
        return torch.where(is_planned_BF111, self.latents(picture, rows_BFM, turns_BFT), history_BFCHW.float())

    @torch.no_grad()
    def latents(self, picture: AnchorPicture, rows_BFM: Tensor, turns_BFT: Tensor | None = None) -> Tensor:
        """Pictures in the poses of motion rows, [B, F, C, h, w], turned so far round in each frame. A row of zeros is no pose told: the
        picture as it is."""
        return self._codec.encode(self._moved("latents", picture, rows_BFM, turns_BFT).pixels_BTCHW).float()

    @torch.no_grad()
    def moved(self, picture: AnchorPicture, rows_BFM: Tensor, turns_BFT: Tensor | None = None) -> Moved:
        """The same as pictures of their full size, with their finest edges."""
        return self._moved("pictures", picture, rows_BFM, turns_BFT)

    @torch.no_grad()
    def moved_small(self, picture: AnchorPicture, rows_BFM: Tensor, turns_BFT: Tensor | None = None) -> Moved:
        """The same as pictures as large as the codec takes them."""
        return self._moved("small pictures", picture, rows_BFM, turns_BFT)

    def _moved(self, use: Use, picture: AnchorPicture, rows_BFM: Tensor, turns_BFT: Tensor | None) -> Moved:
        frames_BTK = self._frames(self._from_picture(picture, rows_BFM))
        if turns_BFT is None or not picture.views or not is_turned(turns_BFT):
            return self._facing(use, picture, frames_BTK)
        if len(rows_BFM) != 1 or turns_BFT.numel() != frames_BTK.shape[1]:
            raise ValueError(
                f"turns {tuple(turns_BFT.shape)} are not those of the {frames_BTK.shape[1]} frames of one film"
            )
        turns = turns_BFT.flatten().tolist()
        facing = [frame for frame, turn in enumerate(turns) if turn == 0.0]
        turned = [frame for frame, turn in enumerate(turns) if turn != 0.0]
        bodies_BTK = self._without_faces(self._frames(self.from_rest(rows_BFM)))[:, turned]
        moved = self._turned(use, picture, frames_BTK[:, turned], bodies_BTK, [turns[frame] for frame in turned])
        return moved.among(turned, self._facing(use, picture, frames_BTK[:, facing]), facing) if facing else moved

    def _turned(
        self, use: Use, picture: AnchorPicture, frames_BTK: Tensor, bodies_BTK: Tensor, turns: list[float]
    ) -> Moved:
        """One film's frames with the character turned so far round. All of them counts as painted: the model that draws has never seen
        anybody from there."""
        look = self._look(picture.pixels_BCHW)
        layers = self._sheet(look, use).layers
        assert layers is not None, "who turns is told from the wall"

        def layer_of(view: str, frames: list[int]) -> Tensor:
            if view == FACE:
                return self._face(use, picture, frames_BTK[:, frames])
            return self._body(use, self._look(picture.views[view], self._new_view_look), bodies_BTK[:, frames])

        moved_BTCHW = layers.composed(turned_layers(turns, picture.views, layer_of)[None])
        return Moved(pixels_BTCHW=moved_BTCHW, painted_BTCHW=torch.ones_like(moved_BTCHW[:, :, :1]))

    def _face(self, use: Use, picture: AnchorPicture, frames_BTK: Tensor) -> Tensor:
        """A character that faces the viewer, moved and painted, as a layer [T, 4, H, W]: its colours times its matte, and its matte."""
        look = self._look(picture.pixels_BCHW)
        layers = self._sheet(look, use).layers
        assert layers is not None
        facing_TCHW = self._facing(use, picture, frames_BTK).pixels_BTCHW[0]
        matte_TCHW = self._body(use, look, frames_BTK)[:, 3:].clamp(0.0, 1.0)
        return torch.cat([facing_TCHW - (1.0 - matte_TCHW) * layers.plate_BCHW, matte_TCHW], dim=1)

    def _body(self, use: Use, look: Look, frames_BTK: Tensor) -> Tensor:
        """A character as it is moved, without paint, as a layer [T, 4, H, W]."""
        sheet = self._sheet(look, use)
        assert sheet.layers is not None
        places = self._places(sheet, look, frames_BTK).enlarged(sheet.finer)
        return sampled(sheet.layers.character_BCHW, places.on_face_NHWC, sheet.resampling)[0]

    def _places(self, sheet: Sheet, look: Look, frames_BTK: Tensor) -> Places:
        """Where each pixel of frames comes from, as coarsely as the codec takes them."""
        height, width = size_of(sheet.pixels_BCHW)
        size_HW = (height // sheet.finer, width // sheet.finer)
        return self._flow.places(look.fields_BNCHW, self._terms(frames_BTK), size_HW)

    def _facing(self, use: Use, picture: AnchorPicture, frames_BTK: Tensor) -> Moved:
        """Frames of a character that faces the viewer."""
        look = self._look(picture.pixels_BCHW)
        sheet = self._sheet(look, use)
        coarse = self._places(sheet, look, frames_BTK)
        places = coarse.enlarged(sheet.finer)
        moved_BTCHW = sheet.moved(places)
        painted_BTCHW = torch.zeros_like(moved_BTCHW[:, :, :1])
        if self._paint is None or sheet.painted is None:
            return Moved(pixels_BTCHW=moved_BTCHW, painted_BTCHW=painted_BTCHW)
        layer_BTCHW = self._paint.layer(sheet.painted, self._faces(frames_BTK, self._paint))
        rows, columns = _window(coarse.on_head_NHWC, sheet.painted.reach(), sheet.finer)
        on_head_NHWC = places.on_head_NHWC[:, rows, columns]
        layer_NCHW = sampled(layer_BTCHW.flatten(0, 1), on_head_NHWC, "bilinear")[:, 0]
        layer_BTCHW = rearrange(layer_NCHW, "(b t) c h w -> b t c h w", b=len(sheet.pixels_BCHW))
        moved_BTCHW[..., rows, columns] = painted(moved_BTCHW[..., rows, columns], layer_BTCHW)
        area_BCHW = sheet.painted.area_BCHW.expand(len(sheet.pixels_BCHW), -1, -1, -1)
        painted_BTCHW[..., rows, columns] = sampled(area_BCHW, on_head_NHWC, "bilinear")
        return Moved(pixels_BTCHW=moved_BTCHW, painted_BTCHW=painted_BTCHW)

    def _from_picture(self, picture: AnchorPicture, rows_BFM: Tensor) -> Tensor:
        """Rows as their difference from what a picture shows, [B, F, M] in spreads; zeros where nothing is told."""
        return (rows_BFM - picture.row_BM[:, None]) * rows_BFM.any(dim=-1, keepdim=True)

    def poses_from_rest(self, rows_BFM: Tensor) -> Tensor:
        """Each frame's pose, [B, T, P], in spreads from rest, as far as it is not painted."""
        return self._poses(self._frames(self.from_rest(rows_BFM)))

    def from_rest(self, rows_BFM: Tensor) -> Tensor:
        """Rows as their difference from rest, [B, F, M] in spreads; zeros where nothing is told."""
        return (rows_BFM - self._rest_M) * rows_BFM.any(dim=-1, keepdim=True)

    def _frames(self, rows_BFM: Tensor) -> Tensor:
        """The numbers of each frame, [B, T, K]."""
        return rearrange(rows_BFM, "b f (t k) -> b (f t) k", k=self._flow.config.frame_width)

    def _without_faces(self, frames_BTK: Tensor) -> Tensor:
        """Those of them that move bodies, the others at rest: no face is seen from behind."""
        is_body_K = torch.zeros(frames_BTK.shape[-1], device=frames_BTK.device)
        is_body_K[list(self._flow.config.body_columns)] = 1.0
        return frames_BTK * is_body_K

    def _poses(self, frames_BTK: Tensor) -> Tensor:
        """Those of them that move pixels."""
        if self._paint is not None:
            is_moved_K = torch.ones(frames_BTK.shape[-1], device=frames_BTK.device)
            is_moved_K[list(self._paint.config.hidden_columns)] = 0.0
            frames_BTK = frames_BTK * is_moved_K
        poses_BTP: Tensor = frames_BTK[..., list(self._flow.config.pose_columns)]
        return poses_BTP

    def _terms(self, frames_BTK: Tensor) -> Tensor:
        """How far along each of a look's fields pixels go, [B, T, N]."""
        terms_BTN = self._flow.terms(self._poses(frames_BTK))
        if self._paint is None:
            return terms_BTN
        return torch.cat([terms_BTN, self._paint.drag_terms(self._faces(frames_BTK, self._paint))], dim=-1)

    @staticmethod
    def _faces(frames_BTK: Tensor, paint: Paint) -> Tensor:
        """Those numbers of each frame that paint is told."""
        return frames_BTK[..., list(paint.config.face_columns)]

    def _look(self, picture_BCHW: Tensor, new_look: Callable[[Tensor], Look] | None = None) -> Look:
        """What is known of a picture; where nothing is, what `new_look` sees in it, a face if not told otherwise."""
        known = [look for look in self._looks if look.picture_BCHW is picture_BCHW]
        look = known[0] if known else (new_look or self._new_look)(picture_BCHW)
        self._looks = [look, *(each for each in self._looks if each is not look)][:MOST_LOOKS]
        return look

    def _new_look(self, picture_BCHW: Tensor) -> Look:
        fields_BNCHW, kept_BCHW = self._flow(picture_BCHW), None
        if self._paint is not None:
            seen = self._paint(picture_BCHW)
            fields_BNCHW, kept_BCHW = with_drags(fields_BNCHW, seen.drags_BNCHW), seen.kept_BCHW
        matte_BCHW = None if self._matte is None else self._matte.of(picture_BCHW)
        return Look(picture_BCHW=picture_BCHW, fields_BNCHW=fields_BNCHW, matte_BCHW=matte_BCHW, kept_BCHW=kept_BCHW)

    def _new_view_look(self, picture_BCHW: Tensor) -> Look:
        """A look at a picture from another side, in which no face is to be painted."""
        fields_BNCHW = self._flow(picture_BCHW)
        if self._paint is not None:
            num_drags = len(self._paint.config.dragged_columns)
            fields_BNCHW = with_drags(
                fields_BNCHW, torch.zeros_like(fields_BNCHW[:, :1]).expand(-1, num_drags, -1, -1, -1)
            )
        matte_BCHW = None if self._matte is None else self._matte.of(picture_BCHW)
        return Look(picture_BCHW=picture_BCHW, fields_BNCHW=fields_BNCHW, matte_BCHW=matte_BCHW, kept_BCHW=None)

    def _sheet(self, look: Look, use: Use) -> Sheet:
        """Painted for its finest edges in each pixel, for latents, which blur it, in every second one."""
        if use not in look.sheets:
            finer = self.finer if use == "pictures" else 1
            pixels_BCHW, layers, painted = shrunk(look.picture_BCHW, self.finer // finer), None, None
            if look.matte_BCHW is not None:
                layers = layers_of(pixels_BCHW, look.matte_BCHW)
            if self._paint is not None and look.kept_BCHW is not None:
                height, width = size_of(pixels_BCHW)
                size_HW = (height // 2, width // 2) if use == "latents" else (height, width)
                painted = self._paint.places(look.kept_BCHW, size_HW)
            look.sheets[use] = Sheet(
                pixels_BCHW=pixels_BCHW,
                finer=finer,
                resampling="bilinear" if use == "latents" else "bicubic",
                layers=layers,
                painted=painted,
            )
        return look.sheets[use]


def with_drags(fields_BNCHW: Tensor, drags_BNCHW: Tensor) -> Tensor:
    """The fields of a face, and behind them those that drag it under its paint, on the same grid: [B, N, 2, g, g]."""
    grid_px = size_of(fields_BNCHW)
    if drags_BNCHW.shape[-2:] != grid_px:
        resized_NCHW = smoothly_resized(drags_BNCHW.flatten(0, 1), grid_px)
        drags_BNCHW = rearrange(resized_NCHW, "(b n) xy h w -> b n xy h w", b=len(fields_BNCHW))
    return torch.cat([fields_BNCHW, drags_BNCHW], dim=1)


def _window(on_head_NHWC: Tensor, reach: tuple[float, float, float, float], finer: int) -> tuple[slice, slice]:
    """The rows and columns of frames, `finer` times as large as these places, in which any pixel lies, on the head at rest, between left,
    top, right and bottom; a pixel of the places to spare."""
    left, top, right, bottom = reach
    x_NHW, y_NHW = on_head_NHWC.unbind(dim=-1)
    is_in_HW = ((x_NHW > left) & (x_NHW < right) & (y_NHW > top) & (y_NHW < bottom)).any(dim=0)
    found = (is_in_HW.any(dim=axis).nonzero()[:, 0].tolist() or [0] for axis in (1, 0))
    rows, columns = (slice(finer * max(each[0] - 1, 0), finer * (each[-1] + 2)) for each in found)
    return rows, columns
