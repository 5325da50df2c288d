"""Mattes: a single piece without holes, as large as the picture; and posers that move the character alone by them."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.posing.matte import Matte, MatteConfig, single_piece
from engine.posing.poser import Poser
from tests.engine.posing.small_flow import ROW_WIDTH, PictureCodec, random_flow, random_picture, showing

REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)
SIDE_PX = 48


def matte_with(*boxes: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Boxes (top, bottom, left, right) of a matte of 24 x 24."""
    matte_HW = np.zeros((24, 24), np.float32)
    for top, bottom, left, right in boxes:
        matte_HW[top:bottom, left:right] = 1.0
    return matte_HW


def test_the_largest_piece_is_kept() -> None:
    assert np.array_equal(single_piece(matte_with((6, 24, 6, 18), (0, 3, 0, 3))), matte_with((6, 24, 6, 18)))


def test_holes_are_filled_and_so_is_what_lies_between_arms_and_the_lower_edge() -> None:
    ring_HW = matte_with((6, 24, 6, 18))
    ring_HW[9:12, 9:12] = 0.0
    assert np.array_equal(single_piece(ring_HW), matte_with((6, 24, 6, 18)))
    ring_HW[20:, 9:12] = 0.0
    assert np.array_equal(single_piece(ring_HW), matte_with((6, 24, 6, 18)))


def test_soft_edges_stay_soft_and_doubts_elsewhere_go() -> None:
    matte_HW = matte_with((6, 24, 6, 18))
    matte_HW[5, 6:18], matte_HW[0, 0] = 0.3, 0.4
    found_HW = single_piece(matte_HW)
    assert found_HW[5, 8] == np.float32(0.3) and found_HW[0, 0] == 0.0


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_where_nobody_is_found_all_of_the_picture_moves(share: float) -> None:
    nobody_HW = np.full((24, 24), share, np.float32)
    nobody_HW[3:5, 3:6] = 1.0
    assert single_piece(nobody_HW).min() == 1.0


def random_matte() -> Matte:
    torch.manual_seed(0)
    matte = Matte(MatteConfig(look_px=16, widths=(6, 8))).eval().requires_grad_(False)
    for parameter in matte.parameters():
        nn.init.normal_(parameter, std=0.5)
    return matte


def test_a_matte_is_a_share_of_what_is_looked_at() -> None:
    matte, picture_BCHW = random_matte(), random_picture(side_px=SIDE_PX, batch=2)[..., :24, :]
    found_BCHW = matte.of(picture_BCHW)
    assert found_BCHW.shape == (2, 1, 16, 16)
    assert found_BCHW.min() >= 0.0 and found_BCHW.max() <= 1.0
    assert matte(picture_BCHW).shape == (2, 1, 16, 16)


class KnownMatte(Matte):
    """Says of every picture that its middle third is the character."""

    def __init__(self) -> None:
        super().__init__(MatteConfig(look_px=24, widths=(4, 4)))
        self.looks_taken = 0

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        self.looks_taken += 1
        shares_HW = torch.from_numpy(matte_with((8, 24, 8, 16)))
        return torch.logit(shares_HW, eps=1e-6).expand(len(picture_BCHW), 1, -1, -1)


@pytest.mark.parametrize("finer", [1, 2])
def test_what_stands_behind_stays_and_the_character_is_moved_as_before(finer: int) -> None:
    """Far from the matte the film is the still; deep within it, where the flow takes pixels of the character, it is as without a matte."""
    flow, known, side_px = random_flow(), KnownMatte(), SIDE_PX * finer
    picture = showing(REST_M, random_picture(side_px=side_px))
    rows_BFM = REST_M + 0.15 * torch.randn(1, 2, ROW_WIDTH, generator=torch.Generator().manual_seed(3))
    codec = PictureCodec()
    plain = Poser(flow, codec, REST_M, finer=finer).moved(picture, rows_BFM).pixels_BTCHW  # type: ignore[arg-type]
    poser = Poser(flow, codec, REST_M, finer=finer, matte=known)  # type: ignore[arg-type]
    made = poser.moved(picture, rows_BFM).pixels_BTCHW
    unit = side_px // 24
    behind = (..., slice(0, 3 * unit), slice(0, 3 * unit))
    still = picture.pixels_BCHW[:, None].expand_as(made)
    torch.testing.assert_close(made[behind], still[behind], rtol=0, atol=1e-5)
    assert (plain[behind] - still[behind]).abs().max() > 0.05, "without a matte the wall moves too"
    inside = (..., slice(14 * unit, 18 * unit), slice(11 * unit, 13 * unit))
    torch.testing.assert_close(made[inside], plain[inside], rtol=0, atol=1e-4)
    poser.latents(picture, rows_BFM), poser.moved_small(picture, rows_BFM)
    assert known.looks_taken == 1, "a film costs one look"


def test_at_rest_the_still_is_shown_whatever_the_matte() -> None:
    picture, poser = (
        showing(REST_M, random_picture(side_px=SIDE_PX)),
        Poser(
            random_flow(),
            PictureCodec(),  # type: ignore[arg-type]
            REST_M,
            matte=random_matte(),
        ),
    )
    made_BTCHW = poser.moved(picture, REST_M.expand(1, 1, -1)).pixels_BTCHW
    torch.testing.assert_close(made_BTCHW, picture.pixels_BCHW[:, None].expand_as(made_BTCHW), rtol=0, atol=1e-4)


@pytest.mark.parametrize("wrong", [{"look_px": 10}, {"widths": ()}, {"widths": (0,)}])
def test_impossible_shapes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        MatteConfig(**{"look_px": 16, "widths": (6, 8), **wrong})  # type: ignore[arg-type]
