"""Heads have mass: numbers of a plan that resist a change of their speed, each as much as the pack says.

A row that was drawn by lot trembles a little from frame to frame, where heads and shoulders do not. Each number's new frames x are put
where |x - planned|^2 + stiffness |second differences of x|^2 is least, going on from the two frames before them (Whittaker 1922), so
that a plan keeps its course and its speed from one part to the next. A stiffness of s lets movements faster than about
24 / (2 pi s^(1/4)) Hz fade. Called by the planner.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

NUM_BEFORE = 2  # frames that a second difference looks back


def smoothed(rows_BFM: Tensor, before_BM: Tensor, stiffness: Sequence[float]) -> Tensor:
    """New rows [B, F, M] behind the row before them; a row holds frame after frame of as many numbers as there are in `stiffness`.

    `ValueError` where a row is not whole frames, at least two.
    """
    width = len(stiffness)
    if rows_BFM.shape[-1] % width or rows_BFM.shape[-1] < NUM_BEFORE * width:
        raise ValueError(f"a row of {rows_BFM.shape[-1]} numbers is not two or more frames of {width}")
    stiffness_K = rows_BFM.new_tensor(list(stiffness))
    planned_BKT = rearrange(rows_BFM, "b f (t k) -> b k (f t)", k=width)
    before_BKT = rearrange(before_BM, "b (t k) -> b k t", k=width)[..., -NUM_BEFORE:]
    differences_TS = _second_differences(planned_BKT.shape[-1]).to(rows_BFM)
    of_before_TS, of_new_TT = differences_TS[:, :NUM_BEFORE], differences_TS[:, NUM_BEFORE:]
    system_KTT = torch.eye(len(of_new_TT)).to(rows_BFM) + stiffness_K[:, None, None] * (of_new_TT.T @ of_new_TT)
    # Autocast rounds products, and a speed is a small difference of places.
    with torch.autocast(rows_BFM.device.type, enabled=False):
        pull_BKT = before_BKT @ of_before_TS.T @ of_new_TT
        wanted_BKT = planned_BKT - stiffness_K[:, None] * pull_BKT
        new_BKT = torch.linalg.solve(system_KTT, wanted_BKT[..., None])[..., 0]
    smooth_BFM: Tensor = rearrange(new_BKT, "b k (f t) -> b f (t k)", f=rows_BFM.shape[1])
    return smooth_BFM


def _second_differences(num_frames: int) -> Tensor:
    """Of frames with two before them, [T, 2 + T]."""
    differences_TS = torch.zeros(num_frames, num_frames + NUM_BEFORE)
    for offset, factor in enumerate((1.0, -2.0, 1.0)):
        differences_TS.diagonal(offset).fill_(factor)
    return differences_TS
