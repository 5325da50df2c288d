"""Pictures that are shown larger than they are decoded: moved and painted at their full size, and laid under what is decoded."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engine.posing.paint import painted
from engine.posing.pose_flow import FIELD_UNIT, POSE_UNIT, PoseFlow
from engine.posing.poser import Moved, Poser
from engine.posing.retouch import RetouchConfig
from engine.posing.retoucher import MovedFilm, PlannedPose, Retoucher
from engine.posing.sizes import enlarged, shrunk
from tests.engine.posing.small_flow import (
    CONFIG,
    FRAMES_PER_LATENT,
    ROW_WIDTH,
    PictureCodec,
    random_flow,
    random_picture,
    showing,
)
from tests.engine.posing.test_paint import PAINT, everywhere, random_paint
from tests.engine.small_pack import all_the_way

SIDE_PX = 24  # as the codec takes them
REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)
RETOUCH = RetouchConfig(
    frame_width=CONFIG.frame_width, frames_per_latent=FRAMES_PER_LATENT, cell_px=4, width=8, num_blocks=1
)


def small_poser(finer: int, flow: PoseFlow | None = None, is_painting: bool = False) -> Poser:
    paint = random_paint() if is_painting else None
    return Poser(flow or random_flow(), PictureCodec(), REST_M, paint, finer)  # type: ignore[arg-type]


def random_rows(num_rows: int = 3) -> Tensor:
    return REST_M + torch.randn(1, num_rows, ROW_WIDTH, generator=torch.Generator().manual_seed(3))


def steady_flow() -> PoseFlow:
    """One that moves all of a picture alike, whatever it shows."""
    flow = random_flow()
    flow.head.weight.zero_()
    return flow


def smooth_picture(side_px: int) -> Tensor:
    """One that a look sees alike, whatever its size."""
    return functional.interpolate(random_picture(side_px=4), (side_px, side_px), mode="bicubic")


@pytest.mark.parametrize("finer", [2, 4])
def test_latents_are_those_of_the_shrunk_picture(finer: int) -> None:
    picture = showing(REST_M, random_picture(side_px=finer * SIDE_PX))
    own = showing(REST_M, shrunk(picture.pixels_BCHW, finer))
    rows_BFM = random_rows()
    rows_BFM[:, 1] = 0.0  # of which nothing is told
    latents_BFCHW, wanted_BFCHW = (
        small_poser(times, steady_flow()).latents(each, rows_BFM) for times, each in ((finer, picture), (1, own))
    )
    assert latents_BFCHW.shape[-2:] == (SIDE_PX, SIDE_PX)
    torch.testing.assert_close(latents_BFCHW, wanted_BFCHW)
    frames_BTCHW = PictureCodec().frames(latents_BFCHW)
    torch.testing.assert_close(frames_BTCHW[:, 2], own.pixels_BCHW, rtol=0, atol=1e-5)
    assert (frames_BTCHW[:, 0] - own.pixels_BCHW).abs().mean() > 0.03, "it moves"


def test_what_is_seen_of_a_large_picture_is_what_is_seen_of_it_when_it_is_shrunk() -> None:
    """Fields, and where it is painted."""
    picture = showing(REST_M, smooth_picture(2 * SIDE_PX))
    own = showing(REST_M, shrunk(picture.pixels_BCHW, 2))
    latents_BFCHW, wanted_BFCHW = (
        small_poser(times, is_painting=True).latents(each, random_rows()) for times, each in ((2, picture), (1, own))
    )
    assert (latents_BFCHW - wanted_BFCHW).abs().mean() < 0.005
    unpainted_BFCHW = small_poser(2).latents(picture, random_rows())
    assert (latents_BFCHW - unpainted_BFCHW).abs().mean() > 0.05


@pytest.mark.parametrize("finer", [2, 4])
@pytest.mark.parametrize("is_painting", [False, True])
def test_at_rest_a_moved_picture_is_itself_in_its_full_size(finer: int, is_painting: bool) -> None:
    """Every pixel of noise, also at the edges."""
    picture = showing(REST_M, random_picture(side_px=finer * SIDE_PX))
    rows_BFM = torch.stack([torch.zeros_like(REST_M), REST_M])[None]
    pixels_BTCHW = small_poser(finer, is_painting=is_painting).moved(picture, rows_BFM).pixels_BTCHW
    assert pixels_BTCHW.shape[1] == 2 * FRAMES_PER_LATENT
    for frame_BCHW in pixels_BTCHW.unbind(dim=1):
        torch.testing.assert_close(frame_BCHW, picture.pixels_BCHW, rtol=0, atol=1e-4)


@pytest.mark.parametrize("finer", [2, 4])
def test_a_picture_is_moved_as_far_as_its_smaller_self(finer: int) -> None:
    """Three pixels to the left are six of a picture twice as large."""
    flow = steady_flow()
    flow.head.bias.zero_()  # type: ignore[union-attr]
    flow.head.bias[2 * CONFIG.num_body_terms] = 3 * 2 / SIDE_PX / FIELD_UNIT  # type: ignore[index]
    poser, picture = small_poser(finer, flow), showing(REST_M, random_picture(side_px=finer * SIDE_PX))
    rows_BFM = REST_M.expand(1, 1, -1).clone()
    rows_BFM[..., CONFIG.face_columns[0]] += POSE_UNIT  # of the first frame
    moved_CHW, still_CHW = poser.moved(picture, rows_BFM).pixels_BTCHW[0]
    torch.testing.assert_close(still_CHW, picture.pixels_BCHW[0], rtol=0, atol=1e-4)
    shift_px = 3 * finer
    wanted_CHW = picture.pixels_BCHW[0, ..., shift_px:]
    torch.testing.assert_close(moved_CHW[..., :-shift_px], wanted_CHW, rtol=0, atol=1e-3)


@pytest.mark.parametrize("finer", [2, 4])
def test_a_picture_is_painted_in_its_full_size(finer: int) -> None:
    """Pixel by pixel, where nothing moves."""
    flow, paint, picture_BCHW = steady_flow(), random_paint(), random_picture(side_px=finer * SIDE_PX)
    flow.head.bias.zero_()  # type: ignore[union-attr]
    poser = Poser(flow, PictureCodec(), REST_M, paint, finer)  # type: ignore[arg-type]
    rows_BFM = REST_M + 3 * (random_rows() - REST_M)
    made = poser.moved(showing(REST_M, picture_BCHW), rows_BFM)
    face_BTK = (rows_BFM - REST_M).view(1, -1, CONFIG.frame_width)[..., list(PAINT.face_columns)]
    layer_BTCHW = everywhere(paint, picture_BCHW, face_BTK)
    is_place_HW = made.painted_BTCHW[0, 0, 0] > 0.999
    assert is_place_HW.any() and layer_BTCHW[:, :, 3, is_place_HW].max() > 0.3
    wanted_BTCHW = painted(picture_BCHW[:, None], layer_BTCHW)
    torch.testing.assert_close(made.pixels_BTCHW[..., is_place_HW], wanted_BTCHW[..., is_place_HW], rtol=0, atol=1e-3)


def test_a_shrunk_picture_is_painted_where_the_large_one_is() -> None:
    picture = showing(REST_M, smooth_picture(2 * SIDE_PX))
    own = showing(REST_M, shrunk(picture.pixels_BCHW, 2))
    fine, coarse = (
        small_poser(finer, is_painting=True).moved(each, random_rows()) for finer, each in ((2, picture), (1, own))
    )
    plain_BTCHW = small_poser(2).moved(picture, random_rows()).pixels_BTCHW
    assert fine.painted_BTCHW.shape == (1, 6, 1, 2 * SIDE_PX, 2 * SIDE_PX)
    assert (fine.pixels_BTCHW - plain_BTCHW).abs().max() > 0.1
    small = fine.shrunk(2)
    assert (small.pixels_BTCHW - coarse.pixels_BTCHW).abs().mean() < 0.02
    assert (small.painted_BTCHW - coarse.painted_BTCHW).abs().mean() < 0.05 < coarse.painted_BTCHW.mean()


@pytest.mark.parametrize("times", [1, 2, 4])
def test_what_was_moved_is_shrunk_frame_by_frame(times: int) -> None:
    pixels_BTCHW, painted_BTCHW = torch.rand(2, 3, 3, 8, 8), torch.rand(2, 3, 1, 8, 8)
    small = Moved(pixels_BTCHW=pixels_BTCHW, painted_BTCHW=painted_BTCHW).shrunk(times)
    for made_BTCHW, given_BTCHW in ((small.pixels_BTCHW, pixels_BTCHW), (small.painted_BTCHW, painted_BTCHW)):
        for film, frame in ((0, 0), (1, 2)):
            wanted_CHW = functional.avg_pool2d(given_BTCHW[film, frame], times)
            torch.testing.assert_close(made_BTCHW[film, frame], wanted_CHW)


def moved_film(times: int) -> MovedFilm:
    pixels_BTCHW = 2 * torch.rand(2, 4, 3, 8 * times, 8 * times, generator=torch.Generator().manual_seed(7)) - 1
    fine = Moved(pixels_BTCHW=pixels_BTCHW, painted_BTCHW=torch.zeros_like(pixels_BTCHW[:, :, :1]))
    return MovedFilm(fine=fine, coarse=fine.shrunk(times), finer=times, from_rest_BFM=torch.zeros(2, 2, ROW_WIDTH))


@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_film_that_is_the_moved_picture_is_shown_as_that_in_its_full_size(times: int) -> None:
    moved = moved_film(times)
    assert moved.fine is not None
    assert torch.equal(moved.with_details(moved.coarse.pixels_BTCHW.clone()), moved.fine.pixels_BTCHW)


@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_softer_film_is_only_enlarged(times: int) -> None:
    moved = replace(moved_film(times), fine=None)
    film_BTCHW = torch.rand(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(9))
    shown_BTCHW = moved.with_details(film_BTCHW)
    assert shown_BTCHW.shape == (2, 4, 3, 8 * times, 8 * times)
    torch.testing.assert_close(shown_BTCHW.flatten(0, 1), enlarged(film_BTCHW.flatten(0, 1), times))


def test_pictures_moved_small_are_those_of_a_poser_of_small_pictures() -> None:
    """With their finest edges, not as latents are made of them."""
    picture = showing(REST_M, random_picture(side_px=2 * SIDE_PX))
    own = showing(REST_M, shrunk(picture.pixels_BCHW, 2))
    moved = small_poser(2, steady_flow()).moved_small(picture, random_rows())
    alone = small_poser(1, steady_flow()).moved(own, random_rows())
    torch.testing.assert_close(moved.pixels_BTCHW, alone.pixels_BTCHW)


@pytest.mark.parametrize("times", [1, 2, 4])
def test_what_a_film_differs_by_is_laid_enlarged_upon_the_moved_picture(times: int) -> None:
    """In the frame and the film in which it does."""
    moved = moved_film(times)
    differs_BTCHW = torch.zeros_like(moved.coarse.pixels_BTCHW)
    differs_BTCHW[1, 2, :, 2:5, 3:7] = torch.rand(3, 3, 4, generator=torch.Generator().manual_seed(8))
    shown_BTCHW = moved.with_details(moved.coarse.pixels_BTCHW + differs_BTCHW)
    wanted_NCHW = differs_BTCHW.flatten(0, 1)
    for _ in range({1: 0, 2: 1, 4: 2}[times]):
        wanted_NCHW = functional.interpolate(wanted_NCHW, scale_factor=2, mode="bilinear", align_corners=False)
    laid_BTCHW = shown_BTCHW - moved.fine.pixels_BTCHW
    torch.testing.assert_close(laid_BTCHW.flatten(0, 1), wanted_NCHW, rtol=0, atol=1e-5)
    assert laid_BTCHW[1, 2].abs().max() > 0.5


@pytest.mark.parametrize("finer", [1, 2, 4])
def test_films_are_retouched_by_the_moved_picture_at_the_size_of_the_codec(finer: int) -> None:
    poser, picture = small_poser(finer, is_painting=True), showing(REST_M, random_picture(side_px=finer * SIDE_PX))
    retoucher, rows_BFM = Retoucher(all_the_way(RETOUCH), poser), random_rows()
    moved = retoucher.moved(PlannedPose(picture=picture, rows_BFM=rows_BFM))
    fine = poser.moved(picture, rows_BFM)
    assert torch.equal(moved.fine.pixels_BTCHW, fine.pixels_BTCHW)
    assert torch.equal(moved.coarse.painted_BTCHW, fine.shrunk(finer).painted_BTCHW)
    assert torch.equal(moved.from_rest_BFM, rows_BFM - REST_M)
    decoded_BTCHW = torch.zeros(1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    retouched_BTCHW = retoucher.retouched(decoded_BTCHW, moved)
    assert torch.equal(retouched_BTCHW, fine.shrunk(finer).pixels_BTCHW), "all the way"
    assert torch.equal(moved.with_details(retouched_BTCHW), fine.pixels_BTCHW)
