"""The last latents that a stage has made, so that it can go on from any of them after some were taken back.

Kept by every stage of the rollout and by the decoder. It must not know what the latents are for.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.errors import BadInputError


class LatentTail:
    """Latents [B, C, H, W] numbered from the session's start; `first_BCHW` stands before the first one."""

    def __init__(self, first_BCHW: Tensor, num_kept: int) -> None:
        self.length = 0
        self._first_BCHW, self._num_kept = first_BCHW, max(num_kept, 1)
        self._latents: list[Tensor] = []

    @property
    def shape_CHW(self) -> torch.Size:
        """Channels, rows and columns of a latent."""
        return self._first_BCHW.shape[1:]

    @property
    def num_bytes(self) -> int:
        """Memory of a full tail."""
        return self._num_kept * self._first_BCHW.numel() * self._first_BCHW.element_size()

    def last(self, count: int = 1) -> Tensor:
        """The last `count` latents [B, count, C, H, W]; before the session's start there is the first one over and over."""
        missing = max(count - len(self._latents), 0)
        if missing and self.length > len(self._latents):
            raise ValueError(f"only {len(self._latents)} latents are kept, {count} were asked for")
        return torch.stack([self._first_BCHW] * missing + self._latents[len(self._latents) - count + missing :], dim=1)

    @torch.no_grad()
    def append(self, latents_BFCHW: Tensor) -> None:
        """Constants from here on."""
        self._latents = [*self._latents, *latents_BFCHW.detach().unbind(dim=1)][-self._num_kept :]
        self.length += latents_BFCHW.shape[1]

    def truncate(self, length: int) -> None:
        """Take back everything after the first `length`; `ValueError` where that is not kept."""
        surplus = self.length - length
        is_kept = surplus < len(self._latents) or (surplus == len(self._latents) == self.length)
        if not 0 <= length <= self.length or not (surplus == 0 or is_kept):
            raise ValueError(
                f"of {self.length} latents the last {len(self._latents)} are kept; cannot go back to {length}"
            )
        self._latents = self._latents[: len(self._latents) - surplus]
        self.length = length

    def tensors(self) -> dict[str, Tensor]:
        """Everything, to be kept in a file."""
        latents_BFCHW = self._first_BCHW[:, None][:, :0]
        if self._latents:
            latents_BFCHW = torch.stack(self._latents, dim=1)
        return {"latents": latents_BFCHW.contiguous(), "length": torch.tensor(self.length)}

    def load(self, tensors: Mapping[str, Tensor], least: int = 1) -> None:
        """Take on a tail from a file; `BadInputError` unless it fits and has the last `least` latents, as far as there are any."""
        latents_BFCHW, length = tensors.get("latents"), tensors.get("length")
        if latents_BFCHW is None or length is None or latents_BFCHW.ndim != 5 or length.ndim != 0:
            raise BadInputError("the session's latents are missing or damaged; open a new session")
        like, count = self._first_BCHW, latents_BFCHW.shape[1]
        fits = latents_BFCHW[:, :0].shape == like[:, None][:, :0].shape and latents_BFCHW.dtype == like.dtype
        if not fits or not min(int(length), least) <= count <= min(int(length), self._num_kept):
            raise BadInputError("the session's latents do not fit this model; open a new session")
        self._latents, self.length = list(latents_BFCHW.to(like.device).unbind(dim=1)), int(length)
