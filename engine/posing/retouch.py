"""What a decoded picture lacks, the anchor in pose has: fine edges, prints on clothes, the shape of lips in each single frame.

A latent of four frames and many pixels blurs what is thin or fast. The anchor's picture, moved pixel by pixel into the pose of each frame
(`engine.posing.pose_flow`), does not, but it is wrong wherever something was hidden in it. A small network sees both, is told what each
frame is to show (lips that close for one frame, lids half way), and says for each pixel how far to go from the decoded picture towards
the moved one, and what to add besides. At first it goes nearly all the way, adds nothing, and what it is told says nothing to it.

Called where films are decoded, in `engine.base` and `engine.online`, and by the trainer. It must not know plans, latents or sessions.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.codec.folded_layers import PixelNorm, ResidualBlock

TRUSTING = 2.0  # of the share's logit at first: a painted anchor is right in most places, and films should lose it for a reason only
TOLD_UNIT = 2.0  # spreads of a channel from rest; many of them (a squint is twenty) count as their logarithm


@dataclass(frozen=True, kw_only=True)
class RetouchConfig:
    """The shape of a retouching network: cells of `cell_px` x `cell_px` pixels of all frames of a latent are one position to it.

    frame_width: how many numbers of a motion row tell what a frame shows. told_width: the layer that takes them in, for all frames of a
    latent together.
    """

    frame_width: int
    frames_per_latent: int = 4
    cell_px: int = 4
    width: int = 96
    num_blocks: int = 4
    told_width: int = 128

    def __post_init__(self) -> None:
        counts = (self.frame_width, self.frames_per_latent, self.cell_px, self.width, self.num_blocks, self.told_width)
        if min(counts) < 1:
            raise ValueError(f"{self} counts things that there must be at least one of")

    @property
    def row_width(self) -> int:
        """Numbers of a motion row."""
        return self.frame_width * self.frames_per_latent

    @property
    def cell_channels(self) -> int:
        """Numbers of one position: colours of the pixels of its cell in all frames."""
        return 3 * self.cell_px**2 * self.frames_per_latent

    @property
    def cell_pixels(self) -> int:
        """Pixels of one position in all frames."""
        return self.cell_px**2 * self.frames_per_latent


class Retouch(nn.Module):
    """See the module's text."""

    def __init__(self, config: RetouchConfig) -> None:
        super().__init__()
        self.config = config
        self.see = nn.Conv2d(2 * config.cell_channels, config.width, 1)
        self.hear = nn.Linear(config.row_width, config.told_width)
        self.tell = nn.Linear(config.told_width, 2 * config.width * (config.num_blocks + 1), bias=False)
        self.blocks = nn.ModuleList(ResidualBlock(config.width) for _ in range(config.num_blocks))
        self.norm = PixelNorm(config.width)
        self.share = nn.Conv2d(config.width, config.cell_pixels, 1)
        self.touch = nn.Conv2d(config.width, config.cell_channels, 1)
        if not self.see.weight.is_meta:
            for layer in (self.share, self.touch, self.tell):
                nn.init.zeros_(layer.weight)
            nn.init.constant_(self.share.bias, TRUSTING)  # type: ignore[arg-type]
            nn.init.zeros_(self.touch.bias)  # type: ignore[arg-type]

    def forward(self, decoded_BTCHW: Tensor, moved_BTCHW: Tensor, from_rest_BFM: Tensor) -> Tensor:
        """Decoded pictures [B, T, 3, H, W] of F latents retouched by the anchor moved into each one's pose.

        What a latent's frames show is told as its motion row's difference from rest, [B, F, M] in spreads.
        """
        decoded, moved = (self._cells(pictures.float()) for pictures in (decoded_BTCHW, moved_BTCHW))
        hidden = self.see(torch.cat([decoded, moved - decoded], dim=1))
        *before_blocks, (last_gain, last_shift) = self._told(from_rest_BFM)
        for block, (gain, shift) in zip(self.blocks, before_blocks, strict=True):
            hidden = block(hidden * (1.0 + gain) + shift)
        hidden = functional.silu(self.norm(hidden) * (1.0 + last_gain) + last_shift)
        share, touch = torch.sigmoid(self.share(hidden).float()), self.touch(hidden)
        decoded, moved, touch = (self._by_colour(cells) for cells in (decoded, moved, touch))
        touched = torch.lerp(decoded, moved, self._by_colour(share)) + touch
        pixels_BTCHW: Tensor = rearrange(
            functional.pixel_shuffle(touched.flatten(1, 3), self.config.cell_px),
            "(b f) (t c) h w -> b (f t) c h w",
            b=decoded_BTCHW.shape[0],
            c=3,
        )
        return pixels_BTCHW

    def _told(self, from_rest_BFM: Tensor) -> list[tuple[Tensor, Tensor]]:
        """A gain and a shift [(B F), width, 1, 1] of what goes into each block, and of what comes out behind them: none at rest."""
        rows = torch.asinh(from_rest_BFM.flatten(0, 1).float() / TOLD_UNIT)
        at_rest = torch.zeros_like(rows[:1])
        heard, unheard = (functional.silu(self.hear(each)) for each in (rows, at_rest))
        told = rearrange(self.tell(heard - unheard), "n (k two c) -> k two n c 1 1", two=2, c=self.config.width)
        return [(gain, shift) for gain, shift in told]

    def _cells(self, pictures_BTCHW: Tensor) -> Tensor:
        """Pictures as positions of cells, [(B F), (t c y x), h, w]."""
        frames = rearrange(
            pictures_BTCHW, "b (f t) c h w -> (b f) (t c) h w", t=self.config.frames_per_latent
        ).contiguous()
        return functional.pixel_unshuffle(frames, self.config.cell_px)

    def _by_colour(self, cells: Tensor) -> Tensor:
        """Numbers of cells as [(B F), t, c, (y x), h, w]; c is 1 for numbers that hold for all of a pixel's colours."""
        positions, channels, height, width = cells.shape
        colours = channels // self.config.cell_pixels
        return cells.view(positions, -1, colours, self.config.cell_px**2, height, width)
