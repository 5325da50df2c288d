"""Films retouched by their plan: the moved anchor of each frame, with the fine edges that its latents need not have."""

from itertools import pairwise

import torch
from torch import Tensor

from engine.posing.poser import Poser
from engine.posing.retouch import Retouch, RetouchConfig
from engine.posing.retoucher import PlannedPose, Retoucher
from tests.engine.posing.small_flow import FRAMES_PER_LATENT, ROW_WIDTH, PictureCodec, random_flow, random_picture
from tests.engine.small_pack import all_the_way

SIDE_PX = 24
CONFIG = RetouchConfig(frames_per_latent=FRAMES_PER_LATENT, cell_px=4, width=8, num_blocks=1)
REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)


def small_poser() -> Poser:
    return Poser(random_flow(), PictureCodec(), REST_M)  # type: ignore[arg-type]


def random_rows(num_rows: int = 3) -> Tensor:
    return REST_M + torch.randn(1, num_rows, ROW_WIDTH, generator=torch.Generator().manual_seed(3))


def finest(films_BTCHW: Tensor) -> float:
    """Mean strength of the finest edges."""
    return float(sum(films_BTCHW.diff(n=2, dim=axis).abs().mean() for axis in (3, 4)))


def test_pictures_have_fine_edges_and_latents_stay_those_of_softer_ones() -> None:
    poser, picture_BCHW, rows_BFM = small_poser(), random_picture(side_px=SIDE_PX), random_rows()
    flow = random_flow()
    terms_BTN = flow.terms(poser.poses_from_rest(rows_BFM))
    pictures_BTCHW = poser.pictures(picture_BCHW, rows_BFM)
    encoded_BTCHW = PictureCodec().frames(poser.latents(picture_BCHW, rows_BFM))
    assert pictures_BTCHW.shape == encoded_BTCHW.shape == (1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    fields_BNCHW = flow(picture_BCHW)
    torch.testing.assert_close(pictures_BTCHW, flow.moved(picture_BCHW, fields_BNCHW, terms_BTN, "bicubic"))
    torch.testing.assert_close(encoded_BTCHW, flow.moved(picture_BCHW, fields_BNCHW, terms_BTN, "bilinear"))
    assert finest(pictures_BTCHW) > 1.15 * finest(encoded_BTCHW)


def test_at_rest_and_untold_pictures_are_the_anchor_itself() -> None:
    picture_BCHW = random_picture(side_px=SIDE_PX)
    rows_BFM = torch.stack([torch.zeros_like(REST_M), REST_M])[None]
    pictures_BTCHW = small_poser().pictures(picture_BCHW, rows_BFM)
    for frame in range(2 * FRAMES_PER_LATENT):
        torch.testing.assert_close(pictures_BTCHW[:, frame], picture_BCHW, rtol=0, atol=1e-5)


def test_each_frame_is_retouched_by_the_anchor_in_its_own_pose() -> None:
    picture_BCHW, rows_BFM = random_picture(side_px=SIDE_PX), random_rows()
    decoded_BTCHW = torch.zeros(1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    pose = PlannedPose(picture_BCHW=picture_BCHW, rows_BFM=rows_BFM)
    retouched_BTCHW = Retoucher(all_the_way(CONFIG), small_poser()).retouched(decoded_BTCHW, pose)
    assert torch.equal(retouched_BTCHW, small_poser().pictures(picture_BCHW, rows_BFM))
    frames = retouched_BTCHW[0].unbind()
    assert all((one - other).abs().max() > 1e-2 for one, other in pairwise(frames))


def test_nothing_is_learned_while_films_are_made() -> None:
    pose = PlannedPose(picture_BCHW=random_picture(side_px=SIDE_PX), rows_BFM=random_rows())
    decoded_BTCHW = torch.zeros(1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    assert not Retoucher(Retouch(CONFIG), small_poser()).retouched(decoded_BTCHW, pose).requires_grad
