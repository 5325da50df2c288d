"""What a decoded picture lacks, the anchor in pose has: fine edges, prints on clothes, the shape of lips in each single frame.

A latent of four frames and many pixels blurs what is thin or fast. The anchor's picture, moved pixel by pixel into the pose of each frame
(`engine.posing.pose_flow`), does not, but it is wrong wherever something was hidden in it. A small network sees both and says for each
pixel how far to go from the decoded picture towards the moved one, and what to add besides. At first it goes hardly anywhere and adds
nothing.

Called where films are decoded, in `engine.base` and `engine.online`, and by the trainer. It must not know plans, latents or sessions.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.codec.folded_vae import PixelNorm, ResidualBlock

SHY = -4.0  # of the share's logit at first: the decoded picture stays as it is


@dataclass(frozen=True, kw_only=True)
class RetouchConfig:
    """The shape of a retouching network: cells of `cell_px` x `cell_px` pixels of all frames of a latent are one position to it."""

    frames_per_latent: int = 4
    cell_px: int = 4
    width: int = 96
    num_blocks: int = 3

    def __post_init__(self) -> None:
        if min(self.frames_per_latent, self.cell_px, self.width, self.num_blocks) < 1:
            raise ValueError(f"{self} counts things that there must be at least one of")

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
        self.blocks = nn.Sequential(*(ResidualBlock(config.width) for _ in range(config.num_blocks)))
        self.norm = PixelNorm(config.width)
        self.share = nn.Conv2d(config.width, config.cell_pixels, 1)
        self.touch = nn.Conv2d(config.width, config.cell_channels, 1)
        if not self.see.weight.is_meta:
            for layer in (self.share, self.touch):
                nn.init.zeros_(layer.weight)
            nn.init.constant_(self.share.bias, SHY)  # type: ignore[arg-type]
            nn.init.zeros_(self.touch.bias)  # type: ignore[arg-type]

    def forward(self, decoded_BTCHW: Tensor, moved_BTCHW: Tensor) -> Tensor:
        """Decoded pictures [B, T, 3, H, W] retouched by the anchor moved into each one's pose; T is a whole number of latents."""
        decoded, moved = (self._cells(pictures.float()) for pictures in (decoded_BTCHW, moved_BTCHW))
        hidden = functional.silu(self.norm(self.blocks(self.see(torch.cat([decoded, moved - decoded], dim=1)))))
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
