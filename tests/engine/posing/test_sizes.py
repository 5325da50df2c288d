"""Pictures at other sizes, against what the library makes of them."""

import pytest
import torch
from torch.nn import functional

from engine.posing.sizes import enlarged, shrunk, smoothly_resized
from tests.engine.posing.small_flow import random_picture


@pytest.mark.parametrize("times", [1, 2, 4])
def test_shrunk_pictures_are_means_over_squares(times: int) -> None:
    pictures_NCHW = random_picture(side_px=24, batch=2)[..., :16, :]
    before_NCHW = pictures_NCHW.clone()
    torch.testing.assert_close(shrunk(pictures_NCHW, times), functional.avg_pool2d(pictures_NCHW, times))
    assert torch.equal(pictures_NCHW, before_NCHW), "others look at them too"


@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize(("height", "width"), [(6, 6), (3, 5), (1, 4), (1, 1)])
def test_enlarged_pictures_are_doubled_bilinearly_over_and_over(times: int, height: int, width: int) -> None:
    pictures_NCHW = random_picture(side_px=6, batch=2)[..., :height, :width]
    wanted_NCHW = pictures_NCHW
    for _ in range({1: 0, 2: 1, 4: 2}[times]):
        wanted_NCHW = functional.interpolate(wanted_NCHW, scale_factor=2, mode="bilinear", align_corners=False)
    before_NCHW = pictures_NCHW.clone()
    made_NCHW = enlarged(pictures_NCHW, times)
    assert made_NCHW.shape == (2, 3, times * height, times * width)
    torch.testing.assert_close(made_NCHW, wanted_NCHW)
    assert torch.equal(pictures_NCHW, before_NCHW)


@pytest.mark.parametrize("times", [2, 4])
def test_a_picture_of_one_colour_stays_of_that_colour(times: int) -> None:
    plain_NCHW = torch.full((1, 3, 8, 8), 0.3)
    for made_NCHW in (shrunk(plain_NCHW, times), enlarged(plain_NCHW, times)):
        torch.testing.assert_close(made_NCHW, torch.full_like(made_NCHW, 0.3))


@pytest.mark.parametrize("size_px", [(6, 6), (7, 9), (48, 30)])
def test_pictures_in_any_number_format_are_resized(size_px: tuple[int, int]) -> None:
    pictures_NCHW = random_picture(side_px=24, batch=2)
    wanted_NCHW = functional.interpolate(pictures_NCHW, size_px, mode="bilinear", antialias=True)
    torch.testing.assert_close(smoothly_resized(pictures_NCHW, size_px), wanted_NCHW)
    half_NCHW = smoothly_resized(pictures_NCHW.bfloat16(), size_px)
    assert half_NCHW.dtype == torch.bfloat16
    torch.testing.assert_close(half_NCHW.float(), wanted_NCHW, rtol=0, atol=0.02)
