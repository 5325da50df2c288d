"""Where in a portrait the character is, and where what stands behind it: an alpha matte, told at one look.

Called by `engine.posing.poser` and by the trainer. What is made of it: `engine.posing.layers`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.posing.portrait_look import PortraitLook, check_look
from engine.posing.pose_flow import silent_head

DOUBTFUL = 0.2  # of a share: nothing is the character with less,
SURE = 0.5  # and all of it with more: an earring left hanging is seen, a bit of wall that goes along is not
LEAST_SHARE = 0.04  # of a picture: where less is found nobody was, and all of it moves
FINER = 2  # positions of a matte for each that is looked at
CLEARLY = 0.15  # of a share from nothing or from all: what lies between is in doubt
RIM_POSITIONS = 1  # around a character count as it: what is behind looks the same there, an edge cut off does not


@dataclass(frozen=True, kw_only=True)
class MatteConfig:
    """The shape of a matting network: the picture is looked at with a side of `look_px`, and so large its matte is."""

    look_px: int = 192
    widths: tuple[int, ...] = (16, 24, 32, 48, 64)

    def __post_init__(self) -> None:
        check_look(self.look_px, self.widths)


class Matte(PortraitLook):
    """See the module's text."""

    def __init__(self, config: MatteConfig) -> None:
        super().__init__(config.look_px, config.widths)
        self.config = config
        self.head = silent_head(config.widths[0], FINER**2)

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        """Logits [B, 1, look_px, look_px] of the character's share of pictures [B, 3, H, W] in [-1, 1]."""
        return functional.pixel_shuffle(self.head(self.looked(picture_BCHW)).float(), FINER)

    @torch.no_grad()
    def of(self, picture_BCHW: Tensor) -> Tensor:
        """Mattes [B, 1, look_px, look_px] of pictures, from 0 to 1: each a single piece without holes, with a rim."""
        pieces_BCHW = self.pieces(picture_BCHW)
        return functional.max_pool2d(pieces_BCHW, 2 * RIM_POSITIONS + 1, stride=1, padding=RIM_POSITIONS)

    @torch.no_grad()
    def doubt(self, picture_BCHW: Tensor) -> Tensor:
        """The share of each picture, [B], that is clearly neither the character nor what stands behind it."""
        share_BCHW = torch.sigmoid(self(picture_BCHW))
        return ((share_BCHW - 0.5).abs() < 0.5 - CLEARLY).float().mean(dim=(1, 2, 3))

    def has_somebody(self, picture_BCHW: Tensor) -> Tensor:
        """Whether a piece of each picture, [B], is large enough to be somebody."""
        is_somebody = [largest_piece(found_HW) is not None for found_HW in self._found(picture_BCHW)]
        return torch.tensor(is_somebody, device=picture_BCHW.device)

    @torch.no_grad()
    def pieces(self, picture_BCHW: Tensor) -> Tensor:
        """Mattes without the rim."""
        pieces = [torch.from_numpy(single_piece(found_HW)) for found_HW in self._found(picture_BCHW)]
        return torch.stack(pieces)[:, None].to(picture_BCHW)

    @torch.no_grad()
    def _found(self, picture_BCHW: Tensor) -> NDArray[np.float32]:
        """The character's share, [B, look_px, look_px], in full where it is surer than a half."""
        found_BHW: NDArray[np.float32] = (torch.sigmoid(self(picture_BCHW))[:, 0] / SURE).clamp(max=1.0).cpu().numpy()
        return found_BHW


def single_piece(matte_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    """A matte's largest piece, with its holes filled: a picture has one character, and a wall is not seen through it. All of the picture
    where no piece is large enough to be somebody."""
    largest_HW = largest_piece(matte_HW)
    if largest_HW is None:
        return np.ones_like(matte_HW)
    near_HW = cv2.dilate(largest_HW.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    outside_HW = _outside(largest_HW)
    kept_HW = np.where(near_HW, matte_HW, np.float32(0.0))
    return np.where(outside_HW | largest_HW, kept_HW, np.float32(1.0)).astype(np.float32)


def largest_piece(matte_HW: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Where a matte's largest piece is; None where it is too small to be somebody."""
    _, pieces_HW, table_N5, _ = cv2.connectedComponentsWithStats((matte_HW > DOUBTFUL / SURE).astype(np.uint8))
    areas_N = table_N5[1:, cv2.CC_STAT_AREA]
    if not len(areas_N) or areas_N.max() < LEAST_SHARE * matte_HW.size:
        return None
    largest_HW: NDArray[np.bool_] = pieces_HW == 1 + int(areas_N.argmax())
    return largest_HW


def _outside(piece_HW: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What can be reached from beyond the picture's top and sides without crossing the piece; below it, a body goes on."""
    ground_HW = np.pad(~piece_HW, ((1, 0), (1, 1)), constant_values=True).astype(np.uint8)
    _, regions_HW = cv2.connectedComponents(ground_HW, connectivity=4)
    reached_HW: NDArray[np.bool_] = (regions_HW == regions_HW[0, 0])[1:, 1:-1]
    return reached_HW
