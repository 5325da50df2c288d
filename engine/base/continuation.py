"""The plan of a long film in windows, and the blend where two of them overlap (paper 3.3). Pure arithmetic and one mix."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.base.settings import BaseSettings


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """One window on the film's latents: [start, start + num_latents), of which the first `history` are clean.

    Latent -1, before the film, stands for the first frame that the film continues from. `final_end` is how far the film is
    final afterwards.
    """

    start: int
    num_latents: int
    history: int
    overlap: int
    final_end: int

    @property
    def join_latents(self) -> tuple[int, ...]:
        """Latents that begin where this window takes over from the one before: both ends of each step of the blend."""
        first = self.start + self.history
        return () if self.start < 0 else tuple(range(first, first + self.overlap + 1))


def plan_windows(total_latents: int, settings: BaseSettings) -> Iterator[WindowPlan]:
    """Windows in order until `total_latents` are final; each is whole, so the last may reach past the end."""
    length = settings.window_latents
    start, history, overlap = -1, 1, 0
    while True:
        end = start + length
        is_last = end >= total_latents
        final_end = total_latents if is_last else end - settings.overlap_latents
        yield WindowPlan(start=start, num_latents=length, history=history, overlap=overlap, final_end=final_end)
        if is_last:
            return
        history, overlap = settings.history_latents, settings.overlap_latents
        start = end - history - overlap


def blend(earlier_FCHW: Tensor, later_FCHW: Tensor) -> Tensor:
    """Two windows' versions of the same latents, from the earlier to the later along a straight ramp without its ends."""
    num_latents = len(earlier_FCHW)
    ramp_F = torch.linspace(0, 1, num_latents + 2, device=earlier_FCHW.device)[1:-1]
    weight_F111 = ramp_F[:, None, None, None]
    return (1 - weight_F111) * earlier_FCHW + weight_F111 * later_FCHW
