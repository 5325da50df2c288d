"""What comes into view when a face moves: lids over eyes, the inside of a mouth. No flow of pixels can bring it.

The network looks at a portrait once and keeps some numbers for each place of it. What a frame shows of the face (blink 0.7, mouth open by
half) moves those numbers up and down, and a network of two small layers, the same for all places, says of each one what colour is painted
there and how thickly. That is done on the head at rest, where each place means the same in all frames; the layer of paint is then carried
into the frame's pose. Where nothing is told, nothing is painted.

(A field of colours over places, steered by a code: Sitzmann et al. 2020, Chan et al. 2021; layers of paint on puppets: cut-out animation.)
Called by `engine.posing.poser` and by the trainer. It must not know rows, codecs or films.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.posing.portrait_look import PortraitLook, check_look, coordinates
from engine.posing.pose_flow import silent_head, smooth

TOLD_UNIT = 2.0  # spreads of a channel; many of them (closed lids are five) count as their logarithm
WHOLLY_TOLD = 0.25  # of that measure: paint is as thick as the network says from here on, and fades to nothing at rest
DRAG_UNIT = 0.02  # of half a picture's side, for each one of the network's output
THIN = -3.0  # of the paint's logit at first
LAYER_CHANNELS = 4  # red, green and blue, each times the thickness, and the thickness
FADING = 48  # of a picture's side: over so much of it the area of paint fades out
LEAST_THICKNESS = 0.08  # that counts as paint where its places are searched,
SEARCHED = 2  # square by square of so many of what is kept
SEARCHED_FACES = 32


@dataclass(frozen=True, kw_only=True)
class PaintConfig:
    """The shape of a painting network.

    face_columns: which of a frame's `frame_width` numbers it is told, in spreads from rest; face_least, face_most: how far each of them
    went where it learned, and is told at most. hidden_columns: those that the pose flow is to know nothing of. dragged_columns: those that
    pixels under the paint are dragged by. felt_columns: those that say what is felt, of which a face shows few at a time.
    `width` numbers are kept for each place of a picture looked at with a side of `look_px`.
    """

    frame_width: int
    face_columns: tuple[int, ...]
    face_least: tuple[float, ...]
    face_most: tuple[float, ...]
    hidden_columns: tuple[int, ...] = ()
    dragged_columns: tuple[int, ...] = ()
    felt_columns: tuple[int, ...] = ()
    look_px: int = 192
    look_widths: tuple[int, ...] = (24, 32, 64, 96)
    width: int = 48
    mixed_width: int = 32
    told_width: int = 64

    def __post_init__(self) -> None:
        check_look(self.look_px, self.look_widths)
        if not self.face_columns or not 0 <= min(self.face_columns) <= max(self.face_columns) < self.frame_width:
            raise ValueError(
                f"face_columns {self.face_columns} must lie within the {self.frame_width} numbers of a frame"
            )
        if not len(self.face_least) == len(self.face_most) == len(self.face_columns):
            raise ValueError("face_least and face_most must hold a number for each of the face_columns")
        if not all(least <= 0.0 <= most for least, most in zip(self.face_least, self.face_most, strict=True)):
            raise ValueError("a face must be able to rest: face_least at most 0, face_most at least")
        for name in ("hidden_columns", "dragged_columns", "felt_columns"):
            columns: tuple[int, ...] = getattr(self, name)
            if not set(columns) <= set(self.face_columns):
                raise ValueError(f"{name} {columns} must be among the face_columns {self.face_columns}")
        if min(self.width, self.mixed_width, self.told_width) < 1:
            raise ValueError(f"{self} counts things that there must be at least one of")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one look at pictures leaves, g being half of `look_px`.

    `kept_BCHW` [B, width, g, g] are the numbers kept for each place, `drags_BNCHW` [B, N, 2, g, g] says where pixels are dragged from,
    x before y in halves of a picture's side, for each of the `dragged_columns`.
    """

    kept_BCHW: Tensor
    drags_BNCHW: Tensor


@dataclass(frozen=True, kw_only=True)
class PaintedPlaces:
    """What is kept of pictures [B, 3, H, W] at the P pixels that paint may reach: `kept_BPC`, and which they are, `places_P` of H * W."""

    kept_BPC: Tensor
    places_P: Tensor
    size_HW: tuple[int, int]

    @cached_property
    def area_BCHW(self) -> Tensor:
        """Where they lie, [1, 1, H, W]: 1 within, fading to 0 around."""
        height, width = self.size_HW
        area_P = self.kept_BPC.new_zeros(height * width)
        area_P[self.places_P] = 1.0
        reach_px = max(width // FADING, 1)
        return functional.avg_pool2d(area_P.view(1, 1, height, width), 2 * reach_px + 1, stride=1, padding=reach_px)

    def reach(self) -> tuple[float, float, float, float]:
        """Where they lie, a pixel to spare: left, top, right and bottom from -1 to 1; all of them 1 where there are none."""
        if not len(self.places_P):
            return (1.0,) * 4
        height, width = self.size_HW
        columns_P, rows_P = self.places_P % width, self.places_P // width
        left, right = ((int(end) / width) * 2 - 1 for end in (columns_P.min() - 1, columns_P.max() + 2))
        top, bottom = ((int(end) / height) * 2 - 1 for end in (rows_P.min() - 1, rows_P.max() + 2))
        return left, top, right, bottom


@dataclass(frozen=True, kw_only=True)
class Told:
    """What frames say: gains and shifts of both layers' numbers, [B, T, 1, C] each, and how far from rest they are, 0 to 1, [B, T]."""

    moves: tuple[Tensor, Tensor, Tensor, Tensor]
    how_far_BT: Tensor


class Paint(PortraitLook):
    """See the module's text."""

    def __init__(self, config: PaintConfig) -> None:
        super().__init__(config.look_px, config.look_widths)
        self.config = config
        self.keep = nn.Conv2d(config.look_widths[0], config.width, 3, padding=1)
        self.hear = nn.Linear(len(config.face_columns), config.told_width)
        self.tell = nn.Linear(config.told_width, 2 * (config.width + config.mixed_width))
        self.mix = nn.Linear(config.width, config.mixed_width)
        self.show = nn.Linear(config.mixed_width, LAYER_CHANNELS)
        self.drag = (
            silent_head(config.look_widths[0], 2 * len(config.dragged_columns)) if config.dragged_columns else None
        )
        if not self.keep.weight.is_meta:
            nn.init.constant_(self.show.bias[3:], THIN)

    def forward(self, picture_BCHW: Tensor) -> "Seen":
        """What is seen of pictures [B, 3, H, W] in [-1, 1]."""
        seen_BCHW = self.looked(picture_BCHW)
        drags_BCHW = seen_BCHW[:, :0] if self.drag is None else smooth(self.drag(seen_BCHW).float())
        return Seen(
            kept_BCHW=self.keep(seen_BCHW).float(),
            drags_BNCHW=DRAG_UNIT * rearrange(drags_BCHW, "b (n xy) h w -> b n xy h w", xy=2),
        )

    def drag_terms(self, face_BTK: Tensor) -> Tensor:
        """How far frames are dragged along each field, [B, T, N]; `face_BTK` as in `layer`."""
        dragged = [self.config.face_columns.index(column) for column in self.config.dragged_columns]
        return self._within_bounds(face_BTK)[..., dragged] / TOLD_UNIT

    @staticmethod
    def kept_at(kept_BCHW: Tensor, xy_BP2: Tensor) -> Tensor:
        """The same at places (x, y) from -1 to 1, [B, P, width].

        Edges of paint are as sharp as pixels, however coarse the look: they lie where what is kept, which is smooth, crosses a bound.
        """
        kept_BCP1 = functional.grid_sample(kept_BCHW, xy_BP2[:, :, None], padding_mode="border", align_corners=False)
        return kept_BCP1[..., 0].transpose(1, 2).contiguous()

    def places(self, kept_BCHW: Tensor, size_HW: tuple[int, int]) -> PaintedPlaces:
        """The pixels of pictures of a size that any of the face's numbers brings paint to, and a few around, with what is kept there."""
        coarse_BCHW = functional.avg_pool2d(kept_BCHW, SEARCHED)
        faces_BTK = self._many_faces().to(kept_BCHW).expand(len(kept_BCHW), -1, -1)
        layer_BTPC = self.at(rearrange(coarse_BCHW, "b c h w -> b (h w) c"), faces_BTK)
        is_reached_HW = (layer_BTPC[..., 3] > LEAST_THICKNESS).any(dim=1).any(dim=0).view(coarse_BCHW.shape[-2:])
        around_HW = functional.max_pool2d(is_reached_HW[None, None].float(), 3, stride=1, padding=1)
        around_HW = functional.interpolate(around_HW, size_HW)[0, 0]
        places_P = around_HW.flatten().nonzero()[:, 0]
        xy_P2 = rearrange(coordinates(kept_BCHW.new_empty(1, 1, *size_HW))[0], "two h w -> (h w) two")[places_P]
        kept_BPC = self.kept_at(kept_BCHW, xy_P2.expand(len(kept_BCHW), -1, -1))
        return PaintedPlaces(kept_BPC=kept_BPC, places_P=places_P, size_HW=size_HW)

    @torch.no_grad()
    def layer(self, places: PaintedPlaces, face_BTK: Tensor) -> Tensor:
        """The paint of frames whose faces show this, [B, T, 4, H, W]: colours times thickness, and the thickness, 0 to 1.

        `face_BTK` are the numbers of `face_columns`, from rest, in spreads. It is float32, whatever autocast says.
        """
        num_pixels = places.size_HW[0] * places.size_HW[1]
        whole_BTPC = places.kept_BPC.new_zeros(*face_BTK.shape[:2], num_pixels, LAYER_CHANNELS)
        with torch.autocast(face_BTK.device.type, enabled=False):
            told = self._told(self._within_bounds(face_BTK))
            for film, kept_PC in enumerate(places.kept_BPC):
                for frame, layer_PC in enumerate(self._frame_by_frame(kept_PC, told, film)):
                    whole_BTPC[film, frame].index_copy_(0, places.places_P, layer_PC)
        layer_BTCHW: Tensor = rearrange(whole_BTPC, "b t (h w) c -> b t c h w", h=places.size_HW[0])
        return layer_BTCHW

    def _frame_by_frame(self, kept_PC: Tensor, told: "Told", film: int) -> Iterator[Tensor]:
        """What `at` gives for a film's frames, [P, 4] each, in memory that is used again.

        What is kept of the places stays in the processor's cache, and nothing large is asked of the system, which takes longer than sums.
        """
        hidden_PC = kept_PC.new_empty(len(kept_PC), self.config.width)
        mixed_PC = kept_PC.new_empty(len(kept_PC), self.config.mixed_width)
        for frame, how_far in enumerate(told.how_far_BT[film]):
            gain, shift, mixed_gain, mixed_shift = (each[film, frame, 0] for each in told.moves)
            functional.silu(torch.addcmul(shift, kept_PC, gain, out=hidden_PC), inplace=True)
            mixing_CC, mixing_C = (self.mix.weight * mixed_gain[:, None]).T, mixed_shift + self.mix.bias * mixed_gain
            functional.silu(torch.addmm(mixing_C, hidden_PC, mixing_CC, out=mixed_PC), inplace=True)
            yield _layer_of(torch.addmm(self.show.bias, mixed_PC, self.show.weight.T), how_far)

    def at(self, kept_BPC: Tensor, face_BTK: Tensor) -> Tensor:
        """The paint at some places, [B, T, P, 4]."""
        told = self._told(face_BTK)
        gain, shift, mixed_gain, mixed_shift = told.moves
        hidden_BTPC = functional.silu(torch.addcmul(shift, kept_BPC[:, None], gain))
        hidden_BTPC = functional.silu(torch.addcmul(mixed_shift, self.mix(hidden_BTPC), mixed_gain))
        return _layer_of(self.show(hidden_BTPC).float(), told.how_far_BT[..., None, None])

    def _told(self, face_BTK: Tensor) -> "Told":
        """What frames say to both layers."""
        told_BTK = torch.asinh(face_BTK.float() / TOLD_UNIT)
        moves_BT1C = self.tell(functional.silu(self.hear(told_BTK)))[:, :, None].float()
        widths = 2 * [self.config.width] + 2 * [self.config.mixed_width]
        gain, shift, mixed_gain, mixed_shift = moves_BT1C.split(widths, dim=-1)
        return Told(
            moves=(1.0 + gain, shift, 1.0 + mixed_gain, mixed_shift),
            how_far_BT=(told_BTK.abs().amax(dim=-1) / WHOLLY_TOLD).clamp(max=1.0),
        )

    def _within_bounds(self, face_BTK: Tensor) -> Tensor:
        least_K, most_K = self._bounds().to(face_BTK)
        return face_BTK.clamp(least_K, most_K)

    def _bounds(self) -> Tensor:
        """The least and the most of each number of a face, [2, K]."""
        return torch.tensor([self.config.face_least, self.config.face_most])

    def _many_faces(self) -> Tensor:
        """Faces [T, K] that between them show nearly all there is: each number at its ends, and all of them by lot, always the same, but
        one feeling at a time."""
        least_K, most_K = self._bounds()
        lots_TK = torch.rand(SEARCHED_FACES, len(least_K), generator=torch.Generator().manual_seed(0))
        felt = [self.config.face_columns.index(column) for column in self.config.felt_columns]
        resting_K = -least_K / (most_K - least_K)
        for face, lots_K in enumerate(lots_TK):
            others = [place for number, place in enumerate(felt) if number != face % len(felt)]
            lots_K[others] = resting_K[others]
        return torch.cat([torch.diag(least_K), torch.diag(most_K), torch.lerp(least_K, most_K, lots_TK)])


def _layer_of(shown: Tensor, how_far: Tensor) -> Tensor:
    """Paint [..., 4] from what the last layer says of colours and thickness."""
    thickness = torch.sigmoid(shown[..., 3:]) * how_far
    return torch.cat([shown[..., :3] * thickness, thickness], dim=-1)


def painted(frames_BTCHW: Tensor, layer_BTCHW: Tensor) -> Tensor:
    """Frames [B, T, 3, H, W] under a layer of paint."""
    return frames_BTCHW * (1.0 - layer_BTCHW[:, :, 3:]) + layer_BTCHW[:, :, :3]
