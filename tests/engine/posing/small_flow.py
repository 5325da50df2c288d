"""A pose flow of a few thousand random weights, pictures to move, and a codec whose latents are the pictures themselves."""

import torch
from einops import rearrange
from torch import Tensor

from engine.posing.anchor_picture import AnchorPicture
from engine.posing.pose_flow import PoseFlow, PoseFlowConfig

CONFIG = PoseFlowConfig(
    frame_width=6, body_columns=(5, 0, 1), face_columns=(2, 4), num_crossed=2, look_px=16, widths=(6, 8)
)
FRAMES_PER_LATENT = 2
ROW_WIDTH = FRAMES_PER_LATENT * CONFIG.frame_width


def random_flow(seed: int = 0, config: PoseFlowConfig = CONFIG) -> PoseFlow:
    """Random everywhere, also where training starts from zero."""
    torch.manual_seed(seed)
    flow = PoseFlow(config).eval().requires_grad_(False)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return flow


def random_picture(seed: int = 0, side_px: int = 24, batch: int = 1) -> Tensor:
    """Noise [B, 3, H, W] in [-1, 1], in which every pixel tells its place."""
    return 2 * torch.rand(batch, 3, side_px, side_px, generator=torch.Generator().manual_seed(seed)) - 1


def showing(row_M: Tensor, pixels_BCHW: Tensor) -> AnchorPicture:
    """Pictures that show a motion row."""
    return AnchorPicture(pixels_BCHW=pixels_BCHW, row_BM=row_M.expand(len(pixels_BCHW), -1))


class PictureCodec:
    """A latent is the frames that it covers, one after another in its channels. As much of `VideoCodec` as a poser needs."""

    frames_per_latent = FRAMES_PER_LATENT

    def encode(self, pixels_BTCHW: Tensor) -> Tensor:
        """[B, T, 3, H, W] to [B, F, 6, H, W]."""
        latents_BFCHW: Tensor = rearrange(pixels_BTCHW, "b (f t) c h w -> b f (t c) h w", t=FRAMES_PER_LATENT)
        return latents_BFCHW

    def frames(self, latents_BFCHW: Tensor) -> Tensor:
        """Back to [B, T, 3, H, W]."""
        frames_BTCHW: Tensor = rearrange(latents_BFCHW, "b f (t c) h w -> b (f t) c h w", t=FRAMES_PER_LATENT)
        return frames_BTCHW
