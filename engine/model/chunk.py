"""What a chunk-causal forward is given and gives back: the frozen border between the transformer and the caches (paper 4.2).

Made by `engine.online`, read by the transformer and its blocks. It must not know rings, eviction or how a chunk came about.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class KeysValues:
    """Keys and values of the same tokens in one layer, [B, S, N, K]; whether the keys are rotated says who hands them out."""

    k_BSNK: Tensor
    v_BSNK: Tensor


@dataclass(frozen=True, kw_only=True)
class ChunkInputs:
    """One chunk of the film, as `DitInputs` but without references: those are in the context.

    Rows of sound are those that the chunk's windows reach: `speak_start_row` = -2 says that row 0 is 2 rows before its first
    latent. Rows after the chunk's end are as yet unheard and need not be there. `grid_step` is 2 for latents at half the
    resolution of their context. `posed_BFCHW` is the anchor in the pose of each latent, for models that are shown it.
    """

    latents_BFCHW: Tensor
    timestep_BF: Tensor
    text_BSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor
    speak_start_row: int = 0
    listen_start_row: int = 0
    grid_step: int = 1
    motion_BFM: Tensor | None = None
    posed_BFCHW: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class ChunkContext:
    """What a chunk may attend to besides itself.

    layers: per layer the keys, already rotated to their place in the present window, and the values.
    allowed_BS: False where a sample lacks a reference; None allows all.
    first_time: RoPE time of the chunk's first latent.
    """

    layers: tuple[KeysValues, ...]
    allowed_BS: Tensor | None
    first_time: int


@dataclass(frozen=True, kw_only=True)
class ChunkOutput:
    """The network's output float32 [B, F, C, H, W], and per layer the chunk's own keys before RoPE with their values."""

    output_BFCHW: Tensor
    layers: tuple[KeysValues, ...]


@dataclass(frozen=True, kw_only=True)
class ReferenceContext:
    """A character's references in every layer: keys already rotated, since references never move, and values.

    allowed_BS: False for tokens of references that a sample lacks; None allows all.
    """

    layers: tuple[KeysValues, ...]
    allowed_BS: Tensor | None
