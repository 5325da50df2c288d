"""Numbers of a plan that have mass keep their course, lose their trembling, and go on smoothly from the part before."""

import math

import pytest
import torch
from torch import Tensor

from engine.motion.smoothing import smoothed

WIDTH = 2  # numbers a frame: the first is stiff, the second is not
STIFFNESS = (8.0, 0.0)


def rows_of(frames_TK: Tensor) -> Tensor:
    """Rows [1, F, M] of four frames each."""
    return frames_TK.reshape(1, -1, 4 * WIDTH)


def frames_of(rows_BFM: Tensor) -> Tensor:
    return rows_BFM.reshape(-1, WIDTH)


def test_a_straight_course_is_left_alone() -> None:
    line_TK = torch.arange(16.0)[:, None] * torch.tensor([0.1, -0.3])
    rows_BFM = rows_of(line_TK)
    torch.testing.assert_close(
        smoothed(rows_BFM[:, 1:], rows_BFM[:, 0], STIFFNESS), rows_BFM[:, 1:], atol=1e-5, rtol=1e-5
    )


def test_trembling_goes_and_what_is_not_stiff_stays() -> None:
    noise_TK = torch.randn(64, WIDTH, generator=torch.Generator().manual_seed(0))
    rows_BFM = rows_of(noise_TK)
    smooth_TK = frames_of(smoothed(rows_BFM[:, 1:], rows_BFM[:, 0], STIFFNESS))
    torch.testing.assert_close(smooth_TK[:, 1], noise_TK[4:, 1])
    assert smooth_TK[:, 0].diff(n=2).abs().mean() < 0.1 * noise_TK[:, 0].diff(n=2).abs().mean()


def test_autocast_rounds_nothing() -> None:
    rows_BFM = rows_of(torch.randn(16, WIDTH, generator=torch.Generator().manual_seed(0)))
    exact_BFM = smoothed(rows_BFM[:, 1:], rows_BFM[:, 0], STIFFNESS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(smoothed(rows_BFM[:, 1:], rows_BFM[:, 0], STIFFNESS), exact_BFM)


def test_a_nod_of_half_a_second_stays() -> None:
    time_T = torch.arange(24.0)
    nod_T = 0.5 - 0.5 * torch.cos(2 * math.pi * time_T / 12)
    rows_BFM = rows_of(torch.stack([nod_T, nod_T], dim=1))
    smooth_TK = frames_of(smoothed(rows_BFM[:, 1:], rows_BFM[:, 0], (2.0, 0.0)))
    assert smooth_TK[4:16, 0].max() > 0.75, "as stiff as a head's pitch is"


def test_a_part_that_begins_elsewhere_is_reached_without_a_jump() -> None:
    before_BM, elsewhere_BFM = rows_of(torch.zeros(4, WIDTH))[:, 0], rows_of(torch.ones(12, WIDTH))
    course_T = torch.cat([torch.zeros(1), frames_of(smoothed(elsewhere_BFM, before_BM, STIFFNESS))[:, 0]])
    assert course_T.diff().abs().max() < 0.35
    assert abs(course_T[-1] - 1.0) < 0.05


def test_it_is_where_the_sum_is_least() -> None:
    rows_BFM = rows_of(torch.randn(12, WIDTH, generator=torch.Generator().manual_seed(2)))
    before_BM, new_BFM = rows_BFM[:, 0], rows_BFM[:, 1:]

    def cost(candidate_BFM: Tensor) -> float:
        away = (candidate_BFM - new_BFM).square().sum()
        course_TK = torch.cat([frames_of(before_BM[:, None])[-2:], frames_of(candidate_BFM)])
        return float(away + (course_TK.diff(n=2, dim=0).square() * torch.tensor(STIFFNESS)).sum())

    best_BFM = smoothed(new_BFM, before_BM, STIFFNESS)
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        assert cost(best_BFM) < cost(best_BFM + 0.01 * torch.randn(best_BFM.shape, generator=generator))


def test_rows_that_are_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more frames"):
        smoothed(torch.zeros(1, 2, 7), torch.zeros(1, 7), STIFFNESS)
