"""Clips' anchors in the poses of their performances, as latents: drawn, moved and encoded once, and kept beside the clips.

The processes of a run share the shards between them, as with sounds and captions (`training.data.encoded`). What a clip's film may stay
near is its global reference, or that of the expression which it shows (`training.data.windows.shown_references`). Called by the recipes.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import Poser
from engine.precision import fast_autocast
from training.actor.draw import draw_frame
from training.actor.references import expression_state
from training.actor.state import EXPRESSION_CHANNELS, EXPRESSIONS, channel
from training.data.clips import REFERENCE_NAMES, clip_identity
from training.data.encoded import POLL_S, is_kept_of, keep_rows, kept_rows
from training.data.motion_rows import motion_rows, rest_row, shown_row
from training.data.shards import NUMBER, load_shard, shard_paths, stacked

POSED: Final = "posed_NAFCHW"
POSED_ANCHORS: Final = "posed-*/*.posed"  # all that is kept in a folder of clips
NEUTRAL: Final = "neutral"
LEAST_SHOWN: Final = (
    0.05  # of its greatest strength: from here on a latent may lie in a window that stays near this expression
)
FROM: Final = (
    "what each picture shows"  # what poses are told from; up to 0.13.0 it was rest, whatever the picture showed
)
READ_OF_CLIPS: Final = ("state_TK", "reference_indices_R")


@dataclass(frozen=True, kw_only=True)
class ClipPosing:
    """What poses clips; `name` tells it from all others, by what it holds."""

    flow: PoseFlow
    codec: FoldedVae
    size_px: int
    name: str
    paint: Paint | None = None
    matte: Matte | None = None

    @classmethod
    def of(
        cls, flow: PoseFlow, codec: FoldedVae, size_px: int, paint: Paint | None = None, matte: Matte | None = None
    ) -> "ClipPosing":
        """Named by the weights of all of them."""
        mark = hashlib.sha256(f"{flow.config} {codec.config} {size_px} {FROM}".encode())
        for module in filter(None, (flow, codec, paint, matte)):
            for name, tensor in sorted(module.state_dict().items()):
                mark.update(name.encode())
                mark.update(tensor.float().numpy().tobytes())
        return cls(flow=flow, codec=codec, size_px=size_px, name=mark.hexdigest()[:12], paint=paint, matte=matte)


def posed_clips(folder: Path, posing: ClipPosing) -> Tensor:
    """All clips' anchors in pose, float16 [N, A, F, C, h, w], in the order of the shards: A is the global one, and an expression's.

    This process poses its share of what is missing and waits for the others'.
    """
    kept = folder / f"posed-{posing.name}"
    kept.mkdir(exist_ok=True)
    shards = {path: kept / f"{path.name}.posed" for path in shard_paths(folder)}
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    for path in list(shards)[rank::size]:
        if not is_kept_of(shards[path], path):
            keep_rows({POSED: posed_shard(load_shard(path, names=READ_OF_CLIPS), posing)}, path, shards[path])
    while not all(is_kept_of(posed, path) for path, posed in shards.items()):
        time.sleep(POLL_S)
    return stacked({posed: kept_rows(posed) for posed in shards.values()})[POSED]


@torch.inference_mode()
def posed_shard(clips: Mapping[str, Tensor], posing: ClipPosing) -> Tensor:
    """One shard's clips, float16 [N, A, F, C, h, w]."""
    return torch.stack(
        [
            _posed_clip(int(number), state_TK.float(), indices_R, posing)
            for number, state_TK, indices_R in zip(
                clips[NUMBER], clips["state_TK"], clips["reference_indices_R"], strict=True
            )
        ]
    )


def _posed_clip(number: int, state_TK: Tensor, indices_R: Tensor, posing: ClipPosing) -> Tensor:
    """One clip's anchors [A, F, C, h, w]; where it shows no expression that it has a picture of, both are the global one."""
    poser = Poser(posing.flow, posing.codec, rest_row(), posing.paint, matte=posing.matte)
    rows_BFM = motion_rows(state_TK)[None]
    posed_FCHW = _posed(poser, number, NEUTRAL, rows_BFM, posing.size_px)
    by_expression_FCHW = posed_FCHW.clone()
    shown_FE = _shown(state_TK, rows_BFM.shape[1])
    for name in _expressions_of(indices_R):
        of_this_F = shown_FE.argmax(dim=1) == EXPRESSIONS.index(name)
        of_this_F &= shown_FE[:, EXPRESSIONS.index(name)] > LEAST_SHOWN
        if of_this_F.any():
            by_expression_FCHW[of_this_F] = _posed(poser, number, name, rows_BFM[:, of_this_F], posing.size_px)
    return torch.stack([posed_FCHW, by_expression_FCHW]).half()


def _posed(poser: Poser, number: int, expression: str, rows_BFM: Tensor, size_px: int) -> Tensor:
    """A reference of a clip's character in the poses of these rows, [F, C, h, w]."""
    picture_HWC = _reference(number, expression, size_px)
    picture_BCHW = rearrange(torch.from_numpy(picture_HWC), "h w c -> 1 c h w").float() / 127.5 - 1.0
    with fast_autocast(torch.device("cpu")):
        return poser.latents(AnchorPicture(pixels_BCHW=picture_BCHW, row_BM=shown_row(expression)[None]), rows_BFM)[0]


def _reference(number: int, expression: str, size_px: int) -> NDArray[np.uint8]:
    cv2.setNumThreads(1)
    return draw_frame(clip_identity(number), expression_state(expression), size_px)


def _expressions_of(indices_R: Tensor) -> list[str]:
    """The expressions that a clip has references of."""
    names = [REFERENCE_NAMES[int(index)] for index in indices_R]
    return [name.removeprefix("expression_") for name in names if name.startswith("expression_")]


def _shown(state_TK: Tensor, num_latents: int) -> Tensor:
    """How strongly each latent shows each expression, [F, E]; the neutral one counts as nothing."""
    columns = [channel(name) for name in EXPRESSION_CHANNELS]
    shown_FE = rearrange(state_TK[:, columns], "(f t) e -> f t e", f=num_latents).mean(dim=1)
    shown_FE[:, EXPRESSIONS.index(NEUTRAL)] = 0.0
    return shown_FE
