"""Numbered samples for the codec: two latents' worth of film of a random character, or a still of one of its references.

Called by the codec's task, in worker processes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.actor.draw import draw_film
from training.actor.identity import sample_identity
from training.actor.keypoints import Box, eye_box, mouth_box
from training.actor.references import draw_references
from training.data.random_states import random_film_state

FOCUSED_SHARE = 0.75  # of cuts
SEED_STRIDE = 7919  # keeps the identities of neighbouring samples apart


@dataclass(frozen=True, kw_only=True)
class PortraitSamples:
    """Makes sample i: `pixels_THWC` uint8 and `focus_THW` bool, at `size_px`, or a square of `cut_px` of it.

    Three quarters of the squares lie around mouth and eyes, the others anywhere.
    """

    size_px: int
    num_frames: int
    first_identity: int = 0
    still_share: float = 0.12
    cut_px: int | None = None

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.first_identity, number])
        identity = sample_identity(self.first_identity + number * SEED_STRIDE % 999_983)
        if rng.random() < self.still_share:
            pictures = draw_references(identity, self.size_px)
            picture = pictures[sorted(pictures)[rng.integers(len(pictures))]]
            frames_THWC = np.repeat(picture[None], self.num_frames, axis=0)
            focus_THW = np.zeros(frames_THWC.shape[:3], dtype=bool)
        else:
            state_TK = random_film_state(rng, self.num_frames)
            frames_THWC = draw_film(identity, state_TK, self.size_px)
            boxes_T = [(mouth_box(identity, state_K), eye_box(identity, state_K)) for state_K in state_TK]
            focus_THW = np.stack([boxes_mask(boxes, self.size_px) for boxes in boxes_T])
        sample = {"pixels_THWC": torch.from_numpy(frames_THWC), "focus_THW": torch.from_numpy(focus_THW)}
        return sample if self.cut_px is None else _cut(sample, self.cut_px, rng)


def boxes_mask(boxes: tuple[Box, ...], size_px: int) -> NDArray[np.bool_]:
    """True inside any of the boxes (left, top, right, bottom, each 0..1 of the picture)."""
    mask_HW = np.zeros((size_px, size_px), dtype=bool)
    for box in boxes:
        left, top, right, bottom = np.clip(np.asarray(box) * size_px, 0, size_px).astype(int)
        mask_HW[top : bottom + 1, left : right + 1] = True
    return mask_HW


def _cut(sample: dict[str, Tensor], cut_px: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """A square of every frame, three times in four around a place in focus."""
    height, width = sample["focus_THW"].shape[1:]
    where_N2 = sample["focus_THW"].any(dim=0).nonzero()
    top, left = (int(rng.integers(side - cut_px + 1)) for side in (height, width))
    if len(where_N2) and rng.random() < FOCUSED_SHARE:
        row, column = where_N2[rng.integers(len(where_N2))].tolist()
        top = min(max(row - cut_px // 2, 0), height - cut_px)
        left = min(max(column - cut_px // 2, 0), width - cut_px)
    return {name: x[:, top : top + cut_px, left : left + cut_px].contiguous() for name, x in sample.items()}
