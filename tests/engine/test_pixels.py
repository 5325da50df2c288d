"""Pictures as a codec takes them, and frames as a film does."""

import numpy as np
import pytest
import torch

from engine.pixels import as_bytes, as_pixels


def test_a_picture_comes_back_to_the_last_level() -> None:
    picture_HWC = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(as_bytes(as_pixels(picture_HWC, 8))[0], picture_HWC)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_brighter_than_white_is_white_and_nothing_is_changed_where_it_lies(dtype: torch.dtype) -> None:
    pixels_TCHW = torch.tensor([-3.0, -1.0, 0.0, 1.0, 1.5], dtype=dtype).view(1, 1, 1, 5).expand(2, 3, 1, 5)
    before_TCHW = pixels_TCHW.clone()
    frames_THWC = as_bytes(pixels_TCHW)
    assert frames_THWC.shape == (2, 1, 5, 3) and frames_THWC.flags["C_CONTIGUOUS"]
    assert frames_THWC[1, 0, :, 2].tolist() == [0, 0, 128, 255, 255]
    assert torch.equal(pixels_TCHW, before_TCHW)
