"""A deblocking filter in time: the step where one latent's frames take over from the last one's is spread over them.

A codec that folds frames into latents errs alike within a latent and otherwise in the next, so pictures step where latents meet,
even when the latents are true, as the blocks of video codecs do in space. With frames 0 to N-1 of a latent, -1 and -2 of the one before:

    step = x[0] - x[-1] - ((x[-1] - x[-2]) + (x[1] - x[0])) / 2        what the motion on both sides does not explain
    y[n] = x[n] - (1 - (n + 1) / N) * step / (1 + (size / limit)^2)

`size` is the step's root mean square over the colours and the pixels around. Steps well below `limit`, which are noise, are spread
altogether; steps well above it, which are true (a blink, a mouth that opens), stay; the same is done
to what is left of the step in the mean colour of the picture, with a much lower limit. A latent's last frame is left as it is: only
decoded frames are carried on, never filtered ones, no frame waits for a later latent, and a film cut anywhere comes out the same.
"""

import torch
from torch import Tensor
from torch.nn import functional

FRAMES_BEFORE = 2
"""Decoded frames of the latent before that the filter looks at."""

TINT_SHARE = 0.125
"""The limit of a step of the mean colour, as a share of the limit of a pixel's."""

REACH_PX = 2
"""How far around a pixel the size of a step is taken."""


def smooth_borders(pixels_BTCHW: Tensor, before_B2CHW: Tensor | None, frames_per_latent: int, limit: float) -> Tensor:
    """Decoded pixels of whole latents, filtered, as float32; `before_B2CHW` are the last decoded frames before them, if any.

    Latents have at least two frames: one alone has no motion to tell a step from. `limit` is in units of the pixels.
    """
    smoothed = []
    for frames_BNCHW in torch.split(pixels_BTCHW.float(), frames_per_latent, dim=1):
        smoothed.append(
            frames_BNCHW if before_B2CHW is None else _begun_softly(frames_BNCHW, before_B2CHW.float(), limit)
        )
        before_B2CHW = frames_BNCHW[:, -FRAMES_BEFORE:]
    return torch.cat(smoothed, dim=1)


def _begun_softly(frames_BNCHW: Tensor, before_B2CHW: Tensor, limit: float) -> Tensor:
    """One latent's frames after those before."""
    motion_BCHW = (before_B2CHW[:, 1] - before_B2CHW[:, 0] + frames_BNCHW[:, 1] - frames_BNCHW[:, 0]) / 2
    step_BCHW = frames_BNCHW[:, 0] - before_B2CHW[:, 1] - motion_BCHW
    square_B1HW = functional.avg_pool2d(
        step_BCHW.square().mean(dim=1, keepdim=True),
        2 * REACH_PX + 1,
        stride=1,
        padding=REACH_PX,
        count_include_pad=False,
    )
    spread_BCHW = step_BCHW / (1 + square_B1HW / limit**2)
    tint_BC11 = (step_BCHW - spread_BCHW).mean(dim=(2, 3), keepdim=True)
    spread_BCHW = spread_BCHW + tint_BC11 / (1 + (tint_BC11 / (TINT_SHARE * limit)).square())
    num_frames = frames_BNCHW.shape[1]
    share_N = 1 - torch.arange(1, num_frames + 1, device=step_BCHW.device) / num_frames
    return frames_BNCHW - share_N[:, None, None, None] * spread_BCHW[:, None]
