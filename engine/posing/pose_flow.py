"""How a picture's pixels move when the character in it does: a flow for each term of a pose, all told at one look at the picture.

Latents that each hold many pixels cannot be shifted; pictures can. The network looks at a portrait at rest and says for each term of
a pose (yaw, its square, yaw times pitch, ...) where each pixel comes from, so that a pose's flow is a sum of fields, a pose at rest
moves nothing, and a film costs one look. A face moves on its head, and the head in the picture: a pixel's place is taken through the
flow of the body first, and from where that leads through the flow of the face. What no flow can know (ears behind a head, teeth) is
left to the model that draws. (A linear basis of shapes: Blanz and Vetter 1999; flows learned from pictures alone: Siarohin et al. 2019.)

Called by `engine.posing.poser` and by the trainer. It must not know rows, codecs or films.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.posing.portrait_look import PortraitLook, check_look, coordinates
from engine.posing.sizes import enlarged, size_of

Resampling = Literal["bilinear", "bicubic"]
POSE_UNIT = 2.0  # spreads of a channel that make a term one
MOST_FIELD_SCALE = 8
FIELD_UNIT = 0.1  # of half a picture's side, for each one of the network's output


@dataclass(frozen=True, kw_only=True)
class PoseFlowConfig:
    """The shape of a pose-flow network and what its poses are.

    body_columns, face_columns: which numbers of a frame's part of a motion row move the body, head and all, and which the face on it;
    `frame_width` numbers a frame. Squares and products of the first `num_crossed` of each are terms too, and so are squares and cubes of
    those face columns that are `curved`: what an iris leaves and what it goes to move differently, which no sum of straight moves tells.
    `look_px` is the side at which the picture is looked at; fields have half of it, `field_scale` times.
    """

    frame_width: int
    body_columns: tuple[int, ...]
    face_columns: tuple[int, ...]
    num_crossed: int
    curved_columns: tuple[int, ...] = ()
    field_scale: int = 1
    look_px: int = 96
    widths: tuple[int, ...] = (32, 64, 96, 128)

    def __post_init__(self) -> None:
        for name in ("body_columns", "face_columns"):
            columns: tuple[int, ...] = getattr(self, name)
            if not columns or not 0 <= min(columns) <= max(columns) < self.frame_width:
                raise ValueError(f"{name} {columns} must lie within the {self.frame_width} numbers of a frame")
            if not 0 <= self.num_crossed <= len(columns):
                raise ValueError(f"num_crossed is {self.num_crossed}, there are {len(columns)} {name}")
        if not set(self.curved_columns) <= set(self.face_columns):
            raise ValueError(f"curved_columns {self.curved_columns} must be among the face_columns {self.face_columns}")
        if not 1 <= self.field_scale <= MOST_FIELD_SCALE:
            raise ValueError(f"field_scale is {self.field_scale}; it must be from 1 to {MOST_FIELD_SCALE}")
        check_look(self.look_px, self.widths)

    @property
    def pose_columns(self) -> tuple[int, ...]:
        """All that a pose is: of the body, then of the face."""
        return self.body_columns + self.face_columns

    @property
    def num_body_terms(self) -> int:
        """Terms of the body's flow; they come before the face's."""
        return len(self.body_columns) + self.num_products

    @property
    def num_terms(self) -> int:
        """Terms of a pose, each with a field of its own."""
        return len(self.pose_columns) + 2 * self.num_products + 2 * len(self.curved_columns)

    @property
    def is_fine(self) -> bool:
        """Whether fields have more positions than what is looked at."""
        return self.field_scale > 1

    @property
    def num_products(self) -> int:
        """Squares and products among the terms of the body, and as many of the face."""
        return self.num_crossed * (self.num_crossed + 1) // 2


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where each pixel of frames comes from, [N, H, W, 2] in halves of a picture's side: on the head at rest, and on its face."""

    on_head_NHWC: Tensor
    on_face_NHWC: Tensor

    def enlarged(self, times: int) -> "Places":
        """The same for frames so many times as large: what moves is smooth, so it is told between what is known."""
        if times == 1:
            return self
        return Places(
            on_head_NHWC=_enlarged(self.on_head_NHWC, times), on_face_NHWC=_enlarged(self.on_face_NHWC, times)
        )


class PoseFlow(PortraitLook):
    """See the module's text."""

    def __init__(self, config: PoseFlowConfig) -> None:
        super().__init__(config.look_px, config.widths)
        self.config = config
        self.head = silent_head(config.widths[0], 2 * config.num_terms)
        self.fine_head = (
            silent_head(config.widths[0], 2 * config.num_terms * config.field_scale**2) if config.is_fine else None
        )

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        """The fields [B, N, 2, g, g] of pictures [B, 3, H, W] in [-1, 1], x before y, in halves of a picture's side."""
        seen_BCHW = self.looked(picture_BCHW)
        fields_BCHW = smooth(self.head(seen_BCHW).float())
        if self.fine_head is not None:
            scale = self.config.field_scale
            fine_BCHW = smooth(functional.pixel_shuffle(self.fine_head(seen_BCHW).float(), scale))
            fields_BCHW = fine_BCHW + functional.interpolate(fields_BCHW, scale_factor=scale, mode="bilinear")
        fields_BNCHW: Tensor = rearrange(fields_BCHW, "b (n xy) h w -> b n xy h w", xy=2)
        return FIELD_UNIT * fields_BNCHW

    def terms(self, pose_BTP: Tensor) -> Tensor:
        """The terms [B, T, N] of poses that are told in spreads from rest; zero at rest."""
        units_BTP = pose_BTP / POSE_UNIT
        num_body = len(self.config.body_columns)
        body_BTP, face_BTP = units_BTP[..., :num_body], units_BTP[..., num_body:]
        curved_BTP = face_BTP[..., [self.config.face_columns.index(each) for each in self.config.curved_columns]]
        return torch.cat(
            [self._with_products(body_BTP), self._with_products(face_BTP), curved_BTP.square(), curved_BTP**3], dim=-1
        )

    def places(self, fields_BNCHW: Tensor, terms_BTN: Tensor, size_HW: tuple[int, int]) -> "Places":
        """Where each pixel of the frames [B, T] of pictures in poses of these terms comes from.

        Places are float32, whatever autocast says: in bf16 they are a pixel off, and edges come out like saws.
        """
        with torch.autocast(fields_BNCHW.device.type, enabled=False):
            body, face = slice(0, self.config.num_body_terms), slice(self.config.num_body_terms, None)
            body_BCHW, face_BCHW = (
                flow_of(fields_BNCHW[:, part].float(), terms_BTN[..., part].float()) for part in (body, face)
            )
            body_BCHW = functional.interpolate(body_BCHW, size_HW, mode="bilinear")
            head_BHWC = rearrange(body_BCHW + coordinates(body_BCHW), "b c h w -> b h w c")
            face_BCHW = functional.grid_sample(face_BCHW, head_BHWC, padding_mode="border", align_corners=False)
            return Places(on_head_NHWC=head_BHWC, on_face_NHWC=head_BHWC + rearrange(face_BCHW, "b c h w -> b h w c"))

    def moved(
        self, picture_BCHW: Tensor, fields_BNCHW: Tensor, terms_BTN: Tensor, resampling: Resampling = "bilinear"
    ) -> Tensor:
        """Pictures [B, 3, H, W] in poses of these terms, [B, T, 3, H, W]."""
        places = self.places(fields_BNCHW, terms_BTN, size_of(picture_BCHW))
        return sampled(picture_BCHW, places.on_face_NHWC, resampling)

    def _with_products(self, units_BTP: Tensor) -> Tensor:
        crossed = units_BTP[..., : self.config.num_crossed].unbind(dim=-1)
        products = [one * other for one, other in combinations_with_replacement(crossed, 2)]
        return torch.cat([units_BTP, *(product[..., None] for product in products)], dim=-1)


def _enlarged(places_NHWC: Tensor, times: int) -> Tensor:
    """Moves are enlarged, not places, which go on beyond the middle of the last pixel."""
    places_NCHW = rearrange(places_NHWC, "n h w xy -> n xy h w")
    moves_NCHW = places_NCHW - coordinates(places_NCHW[:1])
    moves_NCHW = enlarged(moves_NCHW, times)
    return rearrange(moves_NCHW + coordinates(moves_NCHW[:1]), "n xy h w -> n h w xy")


def silent_head(width: int, num_channels: int) -> nn.Conv2d:
    """A layer that says nothing before it has learned."""
    head = nn.Conv2d(width, num_channels, 3, padding=1)
    if not head.weight.is_meta:
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)  # type: ignore[arg-type]
    return head


def smooth(fields_BCHW: Tensor) -> Tensor:
    """Fields without steps from one position to the next: a binomial mean of 3 x 3."""
    weights_3 = torch.tensor([0.25, 0.5, 0.25], device=fields_BCHW.device, dtype=fields_BCHW.dtype)
    channels = fields_BCHW.shape[1]
    kernel_C133 = torch.outer(weights_3, weights_3).expand(channels, 1, 3, 3)
    edged_BCHW = functional.pad(fields_BCHW, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(edged_BCHW, kernel_C133, groups=channels)


def flow_of(fields_BNCHW: Tensor, terms_BTN: Tensor) -> Tensor:
    """The flow [(B T), 2, g, g] of poses whose terms are given."""
    flow_BCHW: Tensor = rearrange(torch.einsum("btn,bnchw->btchw", terms_BTN, fields_BNCHW), "b t c h w -> (b t) c h w")
    return flow_BCHW


def sampled(picture_BCHW: Tensor, places_NHWC: Tensor, resampling: Resampling) -> Tensor:
    """What pictures show at the places of each of their frames, [B, T, C, H, W]; N is all frames of all pictures.

    Bilinear pictures lose a fifth of their finest edges, bicubic ones none.
    """
    batch, num_frames = picture_BCHW.shape[0], places_NHWC.shape[0] // picture_BCHW.shape[0]
    with torch.autocast(picture_BCHW.device.type, enabled=False):
        # A single picture is not copied.
        pictures_NCHW = picture_BCHW.float()[:, None].expand(-1, num_frames, -1, -1, -1).flatten(0, 1)
        frames_NCHW = functional.grid_sample(
            pictures_NCHW, places_NHWC, mode=resampling, padding_mode="border", align_corners=False
        )
    frames_BTCHW: Tensor = rearrange(frames_NCHW, "(b t) c h w -> b t c h w", b=batch)
    return frames_BTCHW
