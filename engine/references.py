"""References of a character: their latents, their kinds and their segment of RoPE time (paper 3.1, Eq. 4).

Called by `perform` and the trainers to build `ReferenceLatents`, and by the transformer for the positions. It must not
know picture files or codecs: whoever calls has encoded the pictures already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from engine.model_config import ReferencePositions
from engine.posing.anchor_picture import AnchorPicture

VIEW_NAMES = ("front", "left", "right", "rear")
EXPRESSION_NAMES = ("neutral", "happy", "sad", "angry", "surprised", "afraid", "disgusted", "contemptuous")


class ReferenceKind(IntEnum):
    """The reference type i of Eq. 4."""

    GLOBAL = 0
    VIEW = 1
    EXPRESSION = 2


@dataclass(frozen=True, kw_only=True)
class ReferenceLatents:
    """A variable number R of clean reference latents per sample, in any order.

    latents_BRCHW: one latent frame each, on a grid of their own; R may be 0.
    kinds_BR, subtypes_BR: integers, `ReferenceKind` and the index within the kind.
    present_BR: False where a sample lacks this reference; None means that all are present (and is faster).
    anchor_B: the place of the reference that a film stays near, for packs that start from one; None means the global one.
    anchor_picture: that reference's picture, for packs that pose it (`engine.posing`).
    posed_BFCHW: the anchor in the pose of each latent of a window; None where a pack poses nothing.
    """

    latents_BRCHW: Tensor
    kinds_BR: Tensor
    subtypes_BR: Tensor
    present_BR: Tensor | None = None
    anchor_B: Tensor | None = None
    anchor_picture: AnchorPicture | None = None
    posed_BFCHW: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that the four parts describe the same references."""
        shape = self.latents_BRCHW.shape[:2]
        if self.latents_BRCHW.ndim != 5 or self.kinds_BR.shape != shape or self.subtypes_BR.shape != shape:
            raise ValueError(
                f"reference latents {tuple(self.latents_BRCHW.shape)} (batch, references, channels, rows, columns) need "
                f"kinds and subtypes {tuple(shape)}, not {tuple(self.kinds_BR.shape)}, {tuple(self.subtypes_BR.shape)}"
            )
        if self.present_BR is not None and self.present_BR.shape != shape:
            raise ValueError(f"present_BR has shape {tuple(self.present_BR.shape)}, it must be {tuple(shape)}")
        if self.anchor_B is not None and self.anchor_B.shape != shape[:1]:
            raise ValueError(f"anchor_B has shape {tuple(self.anchor_B.shape)}, it must be {tuple(shape[:1])}")

    @classmethod
    def none_for(cls, latents_BFCHW: Tensor) -> "ReferenceLatents":
        """No reference at all, beside these video latents."""
        nothing_BR = torch.zeros(latents_BFCHW.shape[0], 0, dtype=torch.long, device=latents_BFCHW.device)
        return cls(latents_BRCHW=latents_BFCHW[:, :0], kinds_BR=nothing_BR, subtypes_BR=nothing_BR)

    @classmethod
    def of_names(
        cls, latents_RCHW: Tensor, names: Sequence[tuple[str, str]], batch: int = 1, anchor: int | None = None
    ) -> "ReferenceLatents":
        """The same character's references for each of `batch` samples; `names` are (kind, subtype) as in its folder."""
        if len(names) != latents_RCHW.shape[0]:
            raise ValueError(f"{latents_RCHW.shape[0]} reference latents came with {len(names)} names")
        ids_R2 = torch.tensor([reference_ids(*name) for name in names], dtype=torch.long).reshape(-1, 2)
        ids_BR2 = ids_R2.to(latents_RCHW.device).expand(batch, -1, -1)
        return cls(
            latents_BRCHW=latents_RCHW.expand(batch, -1, -1, -1, -1),
            kinds_BR=ids_BR2[..., 0],
            subtypes_BR=ids_BR2[..., 1],
            anchor_B=None if anchor is None else torch.full((batch,), anchor, device=latents_RCHW.device),
        )

    def repeated(self, count: int) -> "ReferenceLatents":
        """All samples again and again, `count` times in all."""
        return ReferenceLatents(
            latents_BRCHW=self.latents_BRCHW.repeat(count, 1, 1, 1, 1),
            kinds_BR=self.kinds_BR.repeat(count, 1),
            subtypes_BR=self.subtypes_BR.repeat(count, 1),
            present_BR=_repeated(self.present_BR, count),
            anchor_B=_repeated(self.anchor_B, count),
            anchor_picture=None if self.anchor_picture is None else self.anchor_picture.repeated(count),
            posed_BFCHW=_repeated(self.posed_BFCHW, count),
        )


def _repeated(tensor: Tensor | None, count: int) -> Tensor | None:
    return None if tensor is None else tensor.repeat(count, *(1 for _ in tensor.shape[1:]))


def reference_ids(kind: str, subtype: str) -> tuple[int, int]:
    """Numbers of a reference named in a character folder, e.g. ("view", "left") -> (1, 1); `ValueError` if unknown."""
    subtypes = {"global": None, "view": VIEW_NAMES, "expression": EXPRESSION_NAMES}
    if kind not in subtypes:
        raise ValueError(f"a reference's kind is global, view or expression, not {kind!r}")
    known = subtypes[kind]
    if known is None:
        return int(ReferenceKind.GLOBAL), 0
    if subtype not in known:
        raise ValueError(f"there is no {kind} reference called {subtype!r}; known: {', '.join(known)}")
    return int(ReferenceKind[kind.upper()]), known.index(subtype)


def reference_times(kinds_BR: Tensor, subtypes_BR: Tensor, positions: ReferencePositions) -> Tensor:
    """RoPE time of each reference, `origin + o_i + so_j` of Eq. 4, as integers [B, R]."""
    offsets = torch.tensor(positions.type_offsets, device=kinds_BR.device)
    return positions.origin + offsets[kinds_BR] + positions.subtype_step * subtypes_BR
