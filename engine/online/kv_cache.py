"""The history of one causal model: keys before RoPE and values of every layer, in rings that are allocated once (paper 4.4).

Written by the rollout after each chunk, read as the next chunk's context. Latents are numbered from the start of the session
without end; which of them a chunk sees is `HistoryWindow`'s matter. RoPE is applied when a context is read, once a chunk
for all forwards of that chunk. It must not know noise levels, so it serves noisy and clean history alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from engine.errors import BadInputError
from engine.model.chunk import ChunkContext, KeysValues, ReferenceContext
from engine.model.rotary import grid_angles, rotate, rotation_of
from engine.model_config import DitConfig
from engine.online.settings import HistoryWindow


@dataclass(frozen=True, kw_only=True)
class CacheLayout:
    """Sizes of a cache: the model, the token grid of a latent, the history, samples side by side."""

    model: DitConfig
    grid_HW: tuple[int, int]
    history: HistoryWindow
    batch: int = 1

    @property
    def ring_latents(self) -> int:
        """Latents behind the sink that are kept: those attended to and those that may be needed again."""
        return self.history.window_latents + self.history.slack_latents

    @property
    def shape_LBFPNK(self) -> tuple[int, int, int, int, int, int]:
        """Layers, samples, latents, tokens of a latent, heads, head width: of the keys, and of the values."""
        tokens = self.grid_HW[0] * self.grid_HW[1]
        num_latents = self.history.sink_latents + self.ring_latents
        return (self.model.num_layers, self.batch, num_latents, tokens, self.model.num_heads, self.model.head_dim)


class KvCache:
    """Sink and ring of one model. `length` counts the latents of the session so far.

    Nothing that was read changes when something is written: contexts are copies, so a rollout may be differentiated
    through them while the ring moves on.
    """

    def __init__(self, layout: CacheLayout, dtype: torch.dtype, device: torch.device) -> None:
        self.layout = layout
        self.length = 0
        self._longest = 0  # since it last was within the sink: what the ring still holds follows from it
        self._keys_LBFPNK = torch.zeros(layout.shape_LBFPNK, dtype=dtype, device=device)
        self._values_LBFPNK = torch.zeros_like(self._keys_LBFPNK)

    @property
    def num_bytes(self) -> int:
        """Memory held, however long the session is."""
        return 2 * self._keys_LBFPNK.numel() * self._keys_LBFPNK.element_size()

    def reset(self) -> None:
        """Forget the session so far."""
        self.length = self._longest = 0

    @torch.no_grad()
    def write(self, layers: tuple[KeysValues, ...]) -> None:
        """Append the latents of a chunk; constants from here on, whatever they required."""
        tokens_per_latent = self.layout.shape_LBFPNK[3]
        num_latents = layers[0].k_BSNK.shape[1] // tokens_per_latent
        slots = [self._slot(latent) for latent in range(self.length, self.length + num_latents)]
        kept = {slot: index for index, slot in enumerate(slots) if slot is not None}  # of equal slots the latest
        slots_F = torch.tensor(list(kept), dtype=torch.long, device=self._keys_LBFPNK.device)
        indices_F = torch.tensor(list(kept.values()), dtype=torch.long, device=self._keys_LBFPNK.device)
        for layer, own in enumerate(layers):
            for ring_BFPNK, own_BSNK in (
                (self._keys_LBFPNK[layer], own.k_BSNK),
                (self._values_LBFPNK[layer], own.v_BSNK),
            ):
                own_BFPNK = rearrange(own_BSNK.detach(), "b (f p) n k -> b f p n k", p=tokens_per_latent)
                ring_BFPNK.index_copy_(1, slots_F, own_BFPNK.index_select(1, indices_F).to(ring_BFPNK.dtype))
        self.length += num_latents
        self._longest = max(self._longest, self.length)

    def truncate(self, length: int) -> None:
        """Take back everything after the first `length` latents; `ValueError` beyond the slack."""
        if not 0 <= length <= self.length or not self._holds(length, self._longest):
            raise ValueError(
                f"a history of {self.length} latents with a slack of {self.layout.history.slack_latents} "
                f"cannot go back to {length}"
            )
        self.length = length
        if length <= self.layout.history.sink_latents:
            self._longest = length  # the ring is not needed any more: it begins anew

    def context(self, references: ReferenceContext) -> ChunkContext:
        """What the next chunk attends to: references, sink, window, each key rotated to its place in the present window."""
        latents = [latent for part in self.layout.history.visible(self.length) for latent in part]
        is_absolute = self.layout.history.positions == "absolute"
        times = latents if is_absolute else range(len(latents))
        device = self._keys_LBFPNK.device
        slots_F = torch.tensor([self._slot(latent) for latent in latents], dtype=torch.long, device=device)
        times_F = torch.tensor(list(times), dtype=torch.long, device=device)
        angles_BLK = grid_angles(times_F[None], *self.layout.grid_HW, self.layout.model)
        rotation = rotation_of(angles_BLK, self._keys_LBFPNK.dtype, device)
        layers = []
        for layer, reference in enumerate(references.layers):
            keys_BSNK, values_BSNK = (
                rearrange(ring_LBFPNK[layer].index_select(1, slots_F), "b f p n k -> b (f p) n k")
                for ring_LBFPNK in (self._keys_LBFPNK, self._values_LBFPNK)
            )
            keys_BSNK = rotate(keys_BSNK, rotation)
            layers.append(
                KeysValues(
                    k_BSNK=torch.cat([reference.k_BSNK.to(keys_BSNK.dtype), keys_BSNK], dim=1),
                    v_BSNK=torch.cat([reference.v_BSNK.to(values_BSNK.dtype), values_BSNK], dim=1),
                )
            )
        allowed_BS = references.allowed_BS
        if allowed_BS is not None:
            seen_BS = allowed_BS.new_ones(self.layout.batch, len(latents) * self.layout.shape_LBFPNK[3])
            allowed_BS = torch.cat([allowed_BS, seen_BS], dim=1)
        return ChunkContext(
            layers=tuple(layers), allowed_BS=allowed_BS, first_time=self.length if is_absolute else len(latents)
        )

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the history consists of, to be kept in a file."""
        counts = torch.tensor([self.length, self._longest])
        return {"keys": self._keys_LBFPNK.clone(), "values": self._values_LBFPNK.clone(), "counts": counts}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on a history from a file, perhaps of a device with another number format; `BadInputError` unless it has this cache's
        sizes and sane counts.
        """
        wanted = {"keys": self._keys_LBFPNK, "values": self._values_LBFPNK, "counts": torch.zeros(2, dtype=torch.long)}
        for name, like in wanted.items():
            given = tensors.get(name)
            fits = given is not None and given.shape == like.shape
            if given is None or not fits or given.is_floating_point() != like.is_floating_point():
                raise BadInputError(f"the session's history does not fit this model ({name}); open a new session")
        length, longest = (int(count) for count in tensors["counts"])
        if not 0 <= length <= longest or not self._holds(length, longest):
            raise BadInputError(
                "the session's history is damaged (its counts contradict each other); open a new session"
            )
        self.length, self._longest = length, longest
        self._keys_LBFPNK.copy_(tensors["keys"])
        self._values_LBFPNK.copy_(tensors["values"])

    def _holds(self, length: int, longest: int) -> bool:
        """Whether everything that a history of `length` shows is still there after it has been as long as `longest`."""
        sink = self.layout.history.sink_latents
        first_held = max(sink, longest - self.layout.ring_latents)
        return length <= sink or self.layout.history.visible(length)[1].start >= first_held

    def _slot(self, latent: int) -> int | None:
        """Where a latent is kept; None where neither sink nor ring has room for it."""
        sink = self.layout.history.sink_latents
        if latent < sink:
            return latent
        return sink + (latent - sink) % self.layout.ring_latents if self.layout.ring_latents else None
