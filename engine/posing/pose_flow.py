"""How a picture's pixels move when the character in it does: a flow for each term of a pose, all told at one look at the picture.

Latents that each hold many pixels cannot be shifted; pictures can. The network looks at a portrait at rest and says for each term of
a pose (yaw, its square, yaw times pitch, ...) where each pixel comes from, so that a pose's flow is a sum of fields, a pose at rest
moves nothing, and a film costs one look. A face moves on its head, and the head in the picture: a pixel's place is taken through the
flow of the body first, and from where that leads through the flow of the face. What no flow can know (ears behind a head, teeth) is
left to the model that draws. (A linear basis of shapes: Blanz and Vetter 1999; flows learned from pictures alone: Siarohin et al. 2019.)

Called by `engine.posing.poser` and by the trainer. It must not know rows, codecs or films.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.codec.folded_vae import Grow, PixelNorm, ResidualBlock, Shrink

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
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths are {self.widths}; there must be at least one, and each at least 1")
        if self.look_px < 1 or self.look_px % 2 ** len(self.widths):
            raise ValueError(f"look_px is {self.look_px}; it must be a multiple of {2 ** len(self.widths)}")

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


class PoseFlow(nn.Module):
    """A small U-Net over the picture and its coordinates; see the module's text."""

    def __init__(self, config: PoseFlowConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = Shrink(5, widths[0], 2)
        self.looks = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.shrinks = nn.ModuleList(Shrink(wide, narrow, 2) for wide, narrow in pairwise(widths))
        self.grows = nn.ModuleList(Grow(narrow, wide, 2) for wide, narrow in pairwise(widths))
        self.tells = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.norm = PixelNorm(widths[0])
        self.head = _silent_head(widths[0], 2 * config.num_terms)
        self.fine_head = (
            _silent_head(widths[0], 2 * config.num_terms * config.field_scale**2) if config.is_fine else None
        )

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        """The fields [B, N, 2, g, g] of pictures [B, 3, H, W] in [-1, 1], x before y, in halves of a picture's side."""
        side = self.config.look_px
        seen_BCHW = functional.interpolate(picture_BCHW, (side, side), mode="bilinear", antialias=True)
        x_BCHW = self.looks[0](self.stem(torch.cat([seen_BCHW, _coordinates(seen_BCHW)], dim=1)))
        levels = [x_BCHW]
        for shrink, look in zip(self.shrinks, self.looks[1:], strict=True):
            levels.append(look(shrink(levels[-1])))
        x_BCHW = self.tells[-1](levels.pop())
        for grow, tell in zip(reversed(self.grows), reversed(self.tells[:-1]), strict=True):
            x_BCHW = tell(grow(x_BCHW) + levels.pop())
        x_BCHW = functional.silu(self.norm(x_BCHW))
        fields_BCHW = smooth(self.head(x_BCHW).float())
        if self.fine_head is not None:
            scale = self.config.field_scale
            fine_BCHW = smooth(functional.pixel_shuffle(self.fine_head(x_BCHW).float(), scale))
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

    def moved(
        self, picture_BCHW: Tensor, fields_BNCHW: Tensor, terms_BTN: Tensor, resampling: Resampling = "bilinear"
    ) -> Tensor:
        """Pictures [B, 3, H, W] in poses of these terms, [B, T, 3, H, W].

        Bilinear pictures lose a fifth of their finest edges, bicubic ones none. Places are float32, whatever autocast says: in bf16
        they are a pixel off, and edges come out like saws.
        """
        batch, num_frames = terms_BTN.shape[:2]
        with torch.autocast(picture_BCHW.device.type, enabled=False):
            body, face = slice(0, self.config.num_body_terms), slice(self.config.num_body_terms, None)
            body_BCHW, face_BCHW = (
                flow_of(fields_BNCHW[:, part].float(), terms_BTN[..., part].float()) for part in (body, face)
            )
            body_BCHW = functional.interpolate(body_BCHW, picture_BCHW.shape[-2:], mode="bilinear")
            places_BHWC = rearrange(body_BCHW + _coordinates(body_BCHW), "b c h w -> b h w c")
            face_BCHW = functional.grid_sample(face_BCHW, places_BHWC, padding_mode="border", align_corners=False)
            places_BHWC = places_BHWC + rearrange(face_BCHW, "b c h w -> b h w c")
            pictures_BCHW = picture_BCHW.float().repeat_interleave(num_frames, dim=0)
            frames_BCHW = functional.grid_sample(
                pictures_BCHW, places_BHWC, mode=resampling, padding_mode="border", align_corners=False
            )
        frames_BTCHW: Tensor = rearrange(frames_BCHW, "(b t) c h w -> b t c h w", b=batch)
        return frames_BTCHW

    def _with_products(self, units_BTP: Tensor) -> Tensor:
        crossed = units_BTP[..., : self.config.num_crossed].unbind(dim=-1)
        products = [one * other for one, other in combinations_with_replacement(crossed, 2)]
        return torch.cat([units_BTP, *(product[..., None] for product in products)], dim=-1)


def _silent_head(width: int, num_channels: int) -> nn.Conv2d:
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


def _coordinates(like_BCHW: Tensor) -> Tensor:
    """Where the middle of each pixel is, [B, 2, H, W], from -1 to 1, x before y."""
    height, width = like_BCHW.shape[-2:]
    y_H, x_W = (
        (torch.arange(count, device=like_BCHW.device, dtype=like_BCHW.dtype) + 0.5) / count * 2 - 1
        for count in (height, width)
    )
    grid_CHW = torch.stack([x_W.expand(height, width), y_H[:, None].expand(height, width)])
    return grid_CHW.expand(like_BCHW.shape[0], -1, -1, -1)
