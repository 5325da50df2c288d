"""What predicted latents look like, decoded: a cost in pixels, where a viewer's eye is.

An error of latents says little about what is seen: an expression may be told by a small step in a direction that the decoder
draws large, and a reader of latents can be pleased by steps that it draws not at all. So the frozen decoder draws some of the
predictions, and they are held to what it draws of the truth, on several scales: fine ones for edges, coarse ones for colours
and for shapes that have moved a little.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from engine.codec.folded_vae import FoldedVae
from engine.precision import fast_autocast


@dataclass(frozen=True, kw_only=True)
class PictureConfig:
    """`scales_px` are the sides of the squares that are compared; `share` is the pull of this cost in units of the others'.

    `most_samples` of a batch are drawn, one latent of each: the decoder costs as much as the model.
    """

    share: float = 1.0
    most_samples: int = 8
    scales_px: tuple[int, ...] = (1, 4, 12)
    mouth_weight: float = 16.0
    eyes_weight: float = 8.0


def choose_latents(is_new_BF: Tensor, generator: torch.Generator) -> Tensor:
    """One of the new latents of each sample by lot, as its index [B]."""
    chance_BF = torch.rand(is_new_BF.shape, generator=generator) * is_new_BF
    return chance_BF.argmax(dim=1)


def picture_weights(config: PictureConfig, mouth_BHW: Tensor, eyes_BHW: Tensor, size_px: int) -> Tensor:
    """How much each pixel counts, [B, 1, 1, size, size], from how much of each latent position mouth and eyes cover."""
    weight_BHW = 1 + (config.mouth_weight - 1) * mouth_BHW + (config.eyes_weight - 1) * eyes_BHW
    return covering(weight_BHW, size_px)


def covering(positions_BHW: Tensor, size_px: int) -> Tensor:
    """A number for each latent position as one for each pixel, [B, 1, 1, size, size]."""
    return functional.interpolate(positions_BHW[:, None], (size_px, size_px), mode="bilinear")[:, :, None]


def picture_loss(
    config: PictureConfig, predicted_BTCHW: Tensor, target_BTCHW: Tensor, weight_B11HW: Tensor, mouth_B11HW: Tensor
) -> Tensor:
    """Weighted mean error of pixels in [-1, 1], summed over the scales: absolute away from mouths, squared and doubled in them.

    As in `flow_matching.velocity_loss`: of several glances the one that most agree on is wanted, of a mouth the mean.
    """
    error_BTCHW = predicted_BTCHW.float() - target_BTCHW.float()
    errors_BCHW = rearrange(error_BTCHW, "b t c h w -> b (t c) h w")
    cost = torch.zeros(())
    for scale_px in config.scales_px:
        coarse_BCHW = functional.avg_pool2d(errors_BCHW, scale_px)
        weight_B1HW = functional.avg_pool2d(weight_B11HW[:, 0], scale_px)
        mouth_B1HW = functional.avg_pool2d(mouth_B11HW[:, 0], scale_px)
        each_BCHW = torch.lerp(coarse_BCHW.abs(), 2 * coarse_BCHW.square(), mouth_B1HW.expand_as(coarse_BCHW))
        cost = cost + (weight_B1HW * each_BCHW).mean() / weight_B1HW.mean()
    return cost


def drawn(codec: FoldedVae, latents_BFCHW: Tensor, chosen_B: Tensor) -> Tensor:
    """The frames [B, T, 3, H, W] of one latent of each sample, behind the latent before it, which takes no gradient."""
    samples_B = torch.arange(len(chosen_B))
    std_C11, mean_C11 = (codec.get_buffer(name)[:, None, None] for name in ("latent_std", "latent_mean"))
    raw_BFCHW = latents_BFCHW * std_C11 + mean_C11
    before_BCHW = raw_BFCHW[samples_B, (chosen_B - 1).clamp(min=0)].detach()
    with fast_autocast(latents_BFCHW.device):
        return codec.reconstruct(raw_BFCHW[samples_B, chosen_B][:, None], before_BCHW[:, None])


def balanced(cost: Tensor, others: Tensor, made_BFCHW: Tensor, share: float) -> Tensor:
    """A stand-in for `cost` that pulls on `made_BFCHW` with `share` of the pull of the other costs. Its value is zero.

    Its gradient is found once, here; whatever lies between `made_BFCHW` and the cost is not gone through again.
    """
    pull_of_others_BFCHW = torch.autograd.grad(others, made_BFCHW, retain_graph=True)[0]
    pull_BFCHW = torch.autograd.grad(cost, made_BFCHW, retain_graph=True)[0]
    scale = share * pull_of_others_BFCHW.norm() / (pull_BFCHW.norm() + 1e-8)
    weighed: Tensor = (scale.clamp(max=1e4) * pull_BFCHW * (made_BFCHW - made_BFCHW.detach())).sum()
    return weighed
