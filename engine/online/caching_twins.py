"""Two other ways of keeping history, to measure ours against: Self-Forcing's rolled cache and no cache at all.

They are plain and correct, called by the benchmark and its tests and by nobody else.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from einops import rearrange
from torch import Tensor

from engine.model.chunk import ChunkContext, ChunkInputs, ChunkOutput, KeysValues, ReferenceContext
from engine.model.rotary import grid_angles, rotate, rotation_of
from engine.model.transformer import DitInputs, Transformer
from engine.online.kv_cache import CacheLayout
from engine.references import ReferenceLatents


class RolledCache:
    """Self-Forcing's way: keys are rotated to their absolute position once and stored so; a full buffer is moved up.

    Reading costs nothing, a chunk's RoPE is applied once. In return positions grow without end, what the sink stands for moves away
    from the present, and nothing can be taken back.
    """

    def __init__(self, layout: CacheLayout, dtype: torch.dtype, device: torch.device) -> None:
        history = layout.history
        self.layout, self.length, self._filled = layout, 0, 0
        self._num_latents = history.sink_latents + history.window_latents
        shape = (*layout.shape_LBFPNK[:2], self._num_latents, *layout.shape_LBFPNK[3:])
        self._keys_LBFPNK = torch.zeros(shape, dtype=dtype, device=device)
        self._values_LBFPNK = torch.zeros_like(self._keys_LBFPNK)

    @torch.no_grad()
    def write(self, layers: Sequence[KeysValues]) -> None:
        """Append a chunk, moving the oldest latents behind the sink out."""
        sink, tokens = self.layout.history.sink_latents, self.layout.shape_LBFPNK[3]
        num_new = layers[0].k_BSNK.shape[1] // tokens
        times_F = self.length + torch.arange(num_new, device=self._keys_LBFPNK.device)
        rotation = rotation_of(
            grid_angles(times_F[None], *self.layout.grid_HW, self.layout.model), layers[0].k_BSNK.dtype
        )
        surplus = max(self._filled + num_new - self._num_latents, 0)
        for layer, own in enumerate(layers):
            for buffer_BFPNK, new_BSNK in (
                (self._keys_LBFPNK[layer], rotate(own.k_BSNK, rotation)),
                (self._values_LBFPNK[layer], own.v_BSNK),
            ):
                new_BFPNK = rearrange(new_BSNK, "b (f p) n k -> b f p n k", p=tokens)
                kept_BFPNK = torch.cat(
                    [
                        buffer_BFPNK[:, : min(sink, self._filled)],
                        buffer_BFPNK[:, min(sink, self._filled) + surplus : self._filled],
                        new_BFPNK.to(buffer_BFPNK.dtype),
                    ],
                    dim=1,
                )
                buffer_BFPNK[:, : kept_BFPNK.shape[1]] = kept_BFPNK
        self._filled += num_new - surplus
        self.length += num_new

    def context(self, references: ReferenceContext) -> ChunkContext:
        """What the next chunk attends to, as it is stored."""
        layers = []
        for layer, reference in enumerate(references.layers):
            keys_BSNK, values_BSNK = (
                rearrange(buffer_LBFPNK[layer, :, : self._filled], "b f p n k -> b (f p) n k")
                for buffer_LBFPNK in (self._keys_LBFPNK, self._values_LBFPNK)
            )
            layers.append(
                KeysValues(
                    k_BSNK=torch.cat([reference.k_BSNK.to(keys_BSNK.dtype), keys_BSNK], dim=1),
                    v_BSNK=torch.cat([reference.v_BSNK.to(values_BSNK.dtype), values_BSNK], dim=1),
                )
            )
        return ChunkContext(layers=tuple(layers), allowed_BS=references.allowed_BS, first_time=self.length)


class NoCache:
    """The whole window anew for each forward: history's latents go through the transformer with the chunk.

    The rows of sound and the timesteps of history go with it. Bidirectional within the window, as a base model's windows are.
    """

    def __init__(self, model: Transformer, references: ReferenceLatents, history: ChunkInputs) -> None:
        self.model, self.references, self.history = model, references, history

    @torch.no_grad()
    def forward_chunk(self, inputs: ChunkInputs) -> ChunkOutput:
        """The chunk's part of the window's output; there are no keys to keep."""
        history = self.history
        whole = DitInputs(
            latents_BFCHW=torch.cat([history.latents_BFCHW, inputs.latents_BFCHW], dim=1),
            timestep_BF=torch.cat([history.timestep_BF, inputs.timestep_BF], dim=1),
            references=self.references,
            text_BSD=inputs.text_BSD,
            speak_BAD=_joined(history.speak_BAD, inputs.speak_BAD, inputs.speak_start_row),
            listen_BAD=_joined(history.listen_BAD, inputs.listen_BAD, inputs.listen_start_row),
            speak_start_row=history.speak_start_row,
            listen_start_row=history.listen_start_row,
        )
        output: Tensor = self.model(whole)
        return ChunkOutput(output_BFCHW=output[:, history.latents_BFCHW.shape[1] :], layers=())


def _joined(history_BAD: Tensor, chunk_BAD: Tensor, chunk_start_row: int) -> Tensor:
    """History's rows, then the chunk's own: those that lie before the chunk are history's."""
    return torch.cat([history_BAD, chunk_BAD[:, max(-chunk_start_row, 0) :]], dim=1)


def repeated_rows(inputs: ChunkInputs, num_latents: int, like: ChunkInputs) -> ChunkInputs:
    """Conditions of a longer stretch made from a chunk's, for timing only: rows are repeated as often as it takes."""
    times = -(-num_latents // like.latents_BFCHW.shape[1])
    latents_BFCHW = like.latents_BFCHW.repeat(1, times, 1, 1, 1)[:, :num_latents]
    rows = num_latents / like.latents_BFCHW.shape[1]
    speak, listen = (
        rows_BAD.repeat(1, times + 1, 1)[:, : max(round(rows * rows_BAD.shape[1]), 1)]
        for rows_BAD in (like.speak_BAD, like.listen_BAD)
    )
    return replace(
        inputs,
        latents_BFCHW=latents_BFCHW,
        timestep_BF=torch.zeros(latents_BFCHW.shape[:2], device=latents_BFCHW.device),
        speak_BAD=speak,
        listen_BAD=listen,
        speak_start_row=0,
        listen_start_row=0,
    )
