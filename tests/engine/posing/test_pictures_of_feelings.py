"""Pictures that show a feeling: moved and painted by what is told beyond what they show, retouched by what is told from rest."""

import torch
from torch import Tensor

from engine.posing.anchor_picture import AnchorPicture
from engine.posing.poser import Poser
from engine.posing.retouch import RetouchConfig
from engine.posing.retoucher import PlannedPose, Retoucher
from tests.engine.posing.small_flow import (
    CONFIG,
    FRAMES_PER_LATENT,
    ROW_WIDTH,
    PictureCodec,
    random_flow,
    random_picture,
    showing,
)
from tests.engine.posing.test_paint import PAINT, random_paint
from tests.engine.small_pack import all_the_way

SIDE_PX, FELT = 24, 3  # a number of each frame that paint is told, and no flow
REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)
RETOUCH = RetouchConfig(
    frame_width=CONFIG.frame_width, frames_per_latent=FRAMES_PER_LATENT, cell_px=4, width=8, num_blocks=1
)


def small_poser() -> Poser:
    """What paints is told three numbers of a frame; the flow knows one of them."""
    assert FELT in PAINT.face_columns and FELT not in CONFIG.pose_columns
    return Poser(random_flow(), PictureCodec(), REST_M, random_paint())  # type: ignore[arg-type]


def feeling(strength: float) -> Tensor:
    """The row of somebody at rest who feels something."""
    row_M = REST_M.clone()
    row_M[FELT :: CONFIG.frame_width] += strength
    return row_M


def random_rows() -> Tensor:
    return REST_M + torch.randn(1, 2, ROW_WIDTH, generator=torch.Generator().manual_seed(3))


def test_a_picture_that_is_told_what_it_shows_is_itself() -> None:
    """And so is one of which nothing is told."""
    poser, picture = small_poser(), showing(feeling(5.0), random_picture(side_px=SIDE_PX))
    rows_BFM = torch.stack([feeling(5.0), torch.zeros_like(REST_M)])[None]
    for made_BTCHW in (
        poser.moved(picture, rows_BFM).pixels_BTCHW,
        PictureCodec().frames(poser.latents(picture, rows_BFM)),
    ):
        for frame_BCHW in made_BTCHW.unbind(dim=1):
            torch.testing.assert_close(frame_BCHW, picture.pixels_BCHW, rtol=0, atol=1e-5)


def test_a_feeling_that_a_picture_lacks_or_has_too_much_of_is_painted() -> None:
    pixels_BCHW = random_picture(side_px=SIDE_PX)
    neutral, felt = showing(REST_M, pixels_BCHW), showing(feeling(5.0), pixels_BCHW)
    calm_BTCHW, less_BTCHW, more_BTCHW = (
        small_poser().moved(felt, feeling(strength).view(1, 1, -1)).pixels_BTCHW for strength in (0.0, 2.0, 8.0)
    )
    for made_BTCHW, told in ((calm_BTCHW, -5.0), (less_BTCHW, -3.0), (more_BTCHW, 3.0)):
        assert (made_BTCHW - pixels_BCHW[:, None]).abs().max() > 0.1
        wanted_BTCHW = small_poser().moved(neutral, feeling(told).view(1, 1, -1)).pixels_BTCHW
        torch.testing.assert_close(made_BTCHW, wanted_BTCHW, rtol=0, atol=1e-4)
    assert not torch.allclose(calm_BTCHW, less_BTCHW, atol=1e-2)


def test_whatever_else_is_told_goes_by_the_difference_from_what_a_picture_shows() -> None:
    """Of each sample from its own picture."""
    pixels_BCHW, rows_BFM, shown_BM = random_picture(side_px=SIDE_PX), random_rows(), random_rows()[:, 1]
    beyond_BFM = REST_M + rows_BFM - shown_BM[:, None]
    shown, neutral = showing(shown_BM[0], pixels_BCHW), showing(REST_M, pixels_BCHW)
    made, wanted = small_poser().moved(shown, rows_BFM), small_poser().moved(neutral, beyond_BFM)
    torch.testing.assert_close(made.pixels_BTCHW, wanted.pixels_BTCHW, rtol=0, atol=1e-4)
    torch.testing.assert_close(made.painted_BTCHW, wanted.painted_BTCHW, rtol=0, atol=1e-4)
    latents_BFCHW = small_poser().latents(shown, rows_BFM)
    torch.testing.assert_close(latents_BFCHW, small_poser().latents(neutral, beyond_BFM), rtol=0, atol=1e-4)
    assert not torch.allclose(latents_BFCHW, small_poser().latents(neutral, rows_BFM), atol=1e-2)


def test_pixels_that_are_taken_to_show_something_else_are_moved_by_that() -> None:
    """By a poser that has seen them before."""
    poser, pixels_BCHW, rows_BFM = small_poser(), random_picture(side_px=SIDE_PX), random_rows()
    for shown_M in (REST_M, feeling(5.0)):
        made_BTCHW = poser.moved(showing(shown_M, pixels_BCHW), rows_BFM).pixels_BTCHW
        wanted_BTCHW = small_poser().moved(showing(shown_M, pixels_BCHW), rows_BFM).pixels_BTCHW
        assert torch.equal(made_BTCHW, wanted_BTCHW)


def test_what_retouches_is_told_what_a_frame_shows_whatever_its_anchor_shows() -> None:
    retoucher, picture = Retoucher(all_the_way(RETOUCH), small_poser()), random_picture(side_px=SIDE_PX)
    for shown_M in (REST_M, feeling(5.0)):
        pose = PlannedPose(picture=showing(shown_M, picture), rows_BFM=random_rows())
        assert torch.equal(retoucher.moved(pose).from_rest_BFM, random_rows() - REST_M)


def test_pictures_of_several_films_are_moved_and_painted_each_by_its_own_row() -> None:
    """Together as each by itself."""
    pixels_BCHW, rows_BFM = random_picture(side_px=SIDE_PX, batch=2), random_rows().expand(2, -1, -1)
    shown = (feeling(5.0), REST_M)
    together = small_poser().moved(
        AnchorPicture(pixels_BCHW=pixels_BCHW, row_BM=torch.stack(shown)),
        rows_BFM,
    )
    for film, row_M in enumerate(shown):
        alone = small_poser().moved(showing(row_M, pixels_BCHW[film : film + 1]), rows_BFM[film : film + 1])
        torch.testing.assert_close(together.pixels_BTCHW[film], alone.pixels_BTCHW[0], rtol=0, atol=1e-4)
