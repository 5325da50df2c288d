"""The plan of a long film: every latent is made, once final, whatever the length."""

import pytest
import torch

from engine.base.continuation import blend, plan_windows
from engine.base.settings import BaseSettings

SETTINGS = BaseSettings(window_latents=9, history_latents=2, overlap_latents=1)


@pytest.mark.parametrize("total", [1, 5, 9, 10, 14, 15, 16, 60, 361])
def test_windows_make_every_latent_final_in_order(total: int) -> None:
    final, made = 0, 0
    for plan in plan_windows(total, SETTINGS):
        first_new = plan.start + plan.history
        assert first_new <= final <= plan.final_end
        assert plan.start + plan.num_latents >= plan.final_end
        if plan.overlap:
            assert first_new == final, "the overlap begins where the film was final"
            assert first_new + plan.overlap == made, "and ends where the window before ended"
        final, made = plan.final_end, plan.start + plan.num_latents
    assert final == total


def test_the_first_window_continues_from_the_frame_before_the_film() -> None:
    first = next(iter(plan_windows(30, SETTINGS)))
    assert (first.start, first.history, first.overlap) == (-1, 1, 0)


def test_blend_moves_from_the_earlier_to_the_later() -> None:
    weights = blend(torch.zeros(3, 1, 1, 1), torch.ones(3, 1, 1, 1)).flatten()
    assert torch.allclose(weights, torch.tensor([0.25, 0.5, 0.75]))


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        BaseSettings(window_latents=3, history_latents=2, overlap_latents=1)
