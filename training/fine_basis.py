"""Gives a codec its fine channels: the directions in which it errs most without them, around mouths and eyes above all."""

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from engine.codec.folded_vae import FoldedVae
from engine.precision import fast_autocast
from training.data.portraits import PortraitSamples
from training.tasks.codec import to_pixels

ELSEWHERE_WEIGHT = 0.1  # of a place without mouth and eyes, where one altogether within them counts 1
NUM_FILMS = 240
FINE_DEVIATION = 0.15
"""The unit of all fine channels as a share of their largest deviation: films differ from their anchor in pose by so much less in these
than in the others (0.12 to 0.18 at all positions, of 48 clips). So what is left to draw is as large in all, and so is noise beside it."""


@torch.no_grad()
def give_fine_channels(
    codec: FoldedVae, plain: FoldedVae, samples: PortraitSamples, num_films: int = NUM_FILMS
) -> None:
    """Sets the basis of a codec's fine channels, and their statistics, from what `plain`, which has none, loses of samples.

    The basis is that of the largest eigenvalues of the mean outer product of the errors of a place, [N, N]. All fine channels have one
    unit, so that an error of any of them is as large as it is in pixels.
    """
    fine = codec.fine
    assert fine is not None, "a codec without fine channels has no basis"
    num_numbers = fine.get_buffer("basis").shape[1]
    product_NN = torch.zeros(num_numbers, num_numbers, dtype=torch.float64)
    for number in range(num_films):
        sample = samples(number)
        pixels_BTCHW = to_pixels(sample["pixels_THWC"])[None]
        with fast_autocast(pixels_BTCHW.device):
            error_BTCHW = pixels_BTCHW - plain.decode(plain.encode(pixels_BTCHW)).float().clamp(-1, 1)
        weight_XHW = _covered(sample["focus_THW"].float(), codec.frames_per_latent, fine.place_px)
        places_XNHW = fine.places_of(_folded(error_BTCHW, codec.frames_per_latent))
        places_PN = rearrange(places_XNHW * weight_XHW.sqrt()[:, None], "x n h w -> (x h w) n")
        product_NN += (places_PN.T @ places_PN).double()
    basis_ND = torch.linalg.eigh(product_NN).eigenvectors.flip(1)[:, : codec.config.fine_channels]
    fine.get_buffer("basis").copy_(basis_ND.T)
    _set_statistics(codec, samples, num_films)


def _set_statistics(codec: FoldedVae, samples: PortraitSamples, num_films: int) -> None:
    first = codec.config.coarse_channels
    films = torch.stack([samples(number)["pixels_THWC"] for number in range(0, num_films, 5)])
    mean_BFCHW, _ = codec.posterior(to_pixels(films))
    fine_BFCHW = mean_BFCHW[:, :, first:]
    assert codec.fine is not None
    fine_BDHW = codec.fine.out_of_positions(fine_BFCHW)
    codec.fine.get_buffer("spread").copy_(fine_BDHW.std(dim=(0, 2, 3)))
    codec.get_buffer("latent_mean")[first:] = fine_BFCHW.mean(dim=(0, 1, 3, 4))
    codec.get_buffer("latent_std")[first:] = FINE_DEVIATION * fine_BFCHW.std(dim=(0, 1, 3, 4)).max()


def _folded(pixels_BTCHW: Tensor, frames_per_latent: int) -> Tensor:
    return rearrange(pixels_BTCHW, "b (f fold) c h w -> (b f) (fold c) h w", fold=frames_per_latent)


def _covered(focus_THW: Tensor, frames_per_latent: int, place_px: int) -> Tensor:
    """How much each place of each latent counts, [F, h, w]."""
    share_FHW = functional.avg_pool2d(rearrange(focus_THW, "(f t) h w -> f t h w", t=frames_per_latent), place_px).mean(
        1
    )
    return ELSEWHERE_WEIGHT + (1 - ELSEWHERE_WEIGHT) * share_FHW
