"""What every video codec offers: the engine and the trainers see this and nothing else of a codec.

The codec owns the arithmetic between picture frames and latent frames, so that nobody else writes `4 * n` or `1 + 4 * n`.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor


class DecoderState(Protocol):
    """What a streaming decoder carries from one chunk to the next."""

    def reset(self) -> None:
        """Forget the film so far, as at the start of a new one."""


Finish = Callable[[Tensor], Tensor]
"""What is done to pictures [B, T, 3, H, W] as they are decoded, before the codec smooths their borders."""


class VideoCodec(Protocol):
    """Pixels in [-1, 1] to latents with zero mean and unit deviation, and back."""

    @property
    def latent_channels(self) -> int:
        """Channels of one latent position."""

    @property
    def spatial_stride(self) -> int:
        """Pixels along one side of a latent position."""

    @property
    def frames_per_latent(self) -> int:
        """Picture frames that one latent frame adds to a film."""

    def num_latents(self, num_frames: int) -> int:
        """Latent frames needed to cover `num_frames` picture frames."""

    def num_frames(self, num_latents: int) -> int:
        """Picture frames that `num_latents` latent frames decode to."""

    def encode(self, pixels_BTCHW: Tensor) -> Tensor:
        """Pixels [B, T, 3, H, W] to normalised latents [B, F, C, h, w]."""

    def encode_still(self, pixels_BCHW: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] to one latent frame each, [B, C, h, w]."""

    def initial_state(self) -> DecoderState:
        """The state before the first chunk of a film."""

    def decode_chunk(self, latents_BFCHW: Tensor, state: DecoderState, finish: Finish | None = None) -> Tensor:
        """The next latents of a film to pixels [B, T, 3, H, W], finished but not clamped; `state` moves on."""

    def decode(self, latents_BFCHW: Tensor) -> Tensor:
        """A whole film at once; equals `decode_chunk` over any cut of it."""
