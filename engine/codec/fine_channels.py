"""Fine channels of a latent: linear measures of the pixels of each of its places, and pictures that agree with them.

A place is a square of pixels in all frames of a latent, x its pixels as one vector, B an orthonormal basis of few rows:

    f = B x                    what is encoded
    y = d + B^T (f - B d)      what is decoded, d being what the decoder draws: where B looks, y is as f says

Each measure adds to what the picture tells, whatever the decoder has learned; what B does not look at stays the decoder's to draw.
The basis is that of the decoder's own errors without fine channels (`training.fine_basis`), largest first. Block codecs send residuals
of a prediction; here the measures are of the picture itself, so that nothing has to be decoded in order to encode.
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional


class FineChannels(nn.Module):
    """`num_channels` measures of each place of `place_px` by `place_px` pixels; `places` by `places` of them make a latent position."""

    def __init__(self, num_channels: int, frames_per_latent: int, place_px: int, places: int) -> None:
        super().__init__()
        self.frames_per_latent, self.place_px, self.places = frames_per_latent, place_px, places
        num_numbers = 3 * frames_per_latent * place_px**2
        if num_channels > num_numbers:
            raise ValueError(f"{num_channels} fine channels for places of {num_numbers} numbers")
        self.register_buffer("basis", torch.eye(num_channels, num_numbers))
        self.register_buffer("spread", torch.ones(num_channels))

    def measure(self, folded_BCHW: Tensor) -> Tensor:
        """Folded pixels [B, 12, H, W] to the measures of each place, [B, D, h, w]."""
        return functional.conv2d(self.places_of(folded_BCHW), self._kernel())

    def agreeing(self, folded_BCHW: Tensor, fine_BDHW: Tensor) -> Tensor:
        """The folded pixels nearest to these whose measures are `fine_BDHW`, as float32."""
        missing_BDHW = fine_BDHW.float() - self.measure(folded_BCHW)
        step_BCHW = functional.conv2d(missing_BDHW, self._kernel().transpose(0, 1))
        return folded_BCHW.float() + functional.pixel_shuffle(step_BCHW, self.place_px)

    def as_seen(self, fine_BDHW: Tensor) -> Tensor:
        """Measures of places in units of how much each of them varies, as the decoder's layers take them."""
        return fine_BDHW / self.get_buffer("spread")[:, None, None]

    def places_of(self, folded_BCHW: Tensor) -> Tensor:
        """The pixels of each place as one vector, [B, N, h, w]."""
        return functional.pixel_unshuffle(folded_BCHW, self.place_px)

    def into_positions(self, fine_BDHW: Tensor) -> Tensor:
        """Measures of places to channels of latent positions."""
        return functional.pixel_unshuffle(fine_BDHW, self.places)

    def out_of_positions(self, channels_BFCHW: Tensor) -> Tensor:
        """Channels of latent positions to measures of places, [(B F), D, h, w]."""
        return functional.pixel_shuffle(rearrange(channels_BFCHW, "b f c h w -> (b f) c h w"), self.places)

    def _kernel(self) -> Tensor:
        return self.get_buffer("basis")[:, :, None, None]
