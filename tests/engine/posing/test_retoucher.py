"""Films retouched by their plan: the moved anchor of each frame, with the fine edges that its latents need not have."""

from itertools import pairwise

import torch
from torch import Tensor

from engine.posing.anchor_picture import AnchorPicture
from engine.posing.poser import Moved, Poser
from engine.posing.retouch import Retouch, RetouchConfig
from engine.posing.retoucher import PlannedPose, Retoucher
from tests.engine.posing.small_flow import (
    FRAMES_PER_LATENT,
    ROW_WIDTH,
    PictureCodec,
    random_flow,
    random_picture,
    showing,
)
from tests.engine.small_pack import all_the_way

SIDE_PX = 24
CONFIG = RetouchConfig(
    frame_width=ROW_WIDTH // FRAMES_PER_LATENT, frames_per_latent=FRAMES_PER_LATENT, cell_px=4, width=8, num_blocks=1
)
REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)


def small_poser() -> Poser:
    return Poser(random_flow(), PictureCodec(), REST_M)  # type: ignore[arg-type]


def small_picture() -> AnchorPicture:
    return showing(REST_M, random_picture(side_px=SIDE_PX))


def random_rows(num_rows: int = 3) -> Tensor:
    return REST_M + torch.randn(1, num_rows, ROW_WIDTH, generator=torch.Generator().manual_seed(3))


def finest(films_BTCHW: Tensor) -> float:
    """Mean strength of the finest edges."""
    return float(sum(films_BTCHW.diff(n=2, dim=axis).abs().mean() for axis in (3, 4)))


def test_pictures_have_fine_edges_and_latents_stay_those_of_softer_ones() -> None:
    poser, picture, rows_BFM = small_poser(), small_picture(), random_rows()
    flow, picture_BCHW = random_flow(), picture.pixels_BCHW
    terms_BTN = flow.terms(poser.poses_from_rest(rows_BFM))
    pictures_BTCHW = poser.moved(picture, rows_BFM).pixels_BTCHW
    encoded_BTCHW = PictureCodec().frames(poser.latents(picture, rows_BFM))
    assert pictures_BTCHW.shape == encoded_BTCHW.shape == (1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    fields_BNCHW = flow(picture_BCHW)
    torch.testing.assert_close(pictures_BTCHW, flow.moved(picture_BCHW, fields_BNCHW, terms_BTN, "bicubic"))
    torch.testing.assert_close(encoded_BTCHW, flow.moved(picture_BCHW, fields_BNCHW, terms_BTN, "bilinear"))
    assert finest(pictures_BTCHW) > 1.15 * finest(encoded_BTCHW)


def test_at_rest_and_untold_pictures_are_the_anchor_itself() -> None:
    picture, rows_BFM = small_picture(), torch.stack([torch.zeros_like(REST_M), REST_M])[None]
    pictures_BTCHW = small_poser().moved(picture, rows_BFM).pixels_BTCHW
    for frame in range(2 * FRAMES_PER_LATENT):
        torch.testing.assert_close(pictures_BTCHW[:, frame], picture.pixels_BCHW, rtol=0, atol=1e-5)


def test_each_frame_is_retouched_by_the_anchor_in_its_own_pose() -> None:
    picture, rows_BFM = small_picture(), random_rows()
    decoded_BTCHW = torch.zeros(1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    retoucher = Retoucher(all_the_way(CONFIG), small_poser())
    moved = retoucher.moved(PlannedPose(picture=picture, rows_BFM=rows_BFM))
    retouched_BTCHW = retoucher.retouched(decoded_BTCHW, moved)
    assert torch.equal(retouched_BTCHW, small_poser().moved(picture, rows_BFM).pixels_BTCHW)
    assert torch.equal(moved.with_details(retouched_BTCHW), retouched_BTCHW), "which is shown as large as it is decoded"
    frames = retouched_BTCHW[0].unbind()
    assert all((one - other).abs().max() > 1e-2 for one, other in pairwise(frames))


def test_what_is_painted_stays_as_it_is_painted_whatever_the_network_says() -> None:
    picture, rows_BFM = small_picture(), random_rows()
    decoded_BTCHW = torch.zeros(1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    poser, stays = small_poser(), all_the_way(CONFIG)
    torch.nn.init.constant_(stays.share.bias, -100.0)  # type: ignore[arg-type]
    plain = poser.moved(picture, rows_BFM)
    is_left_BTCHW = torch.zeros_like(plain.painted_BTCHW)
    is_left_BTCHW[..., : SIDE_PX // 2] = 1.0

    class HalfPainted(Poser):
        def moved(self, picture: AnchorPicture, rows_BFM: Tensor, turns_BFT: Tensor | None = None) -> Moved:
            return Moved(pixels_BTCHW=plain.pixels_BTCHW, painted_BTCHW=is_left_BTCHW)

    retoucher = Retoucher(stays, HalfPainted(random_flow(), PictureCodec(), REST_M))  # type: ignore[arg-type]
    moved = retoucher.moved(PlannedPose(picture=picture, rows_BFM=rows_BFM))
    retouched_BTCHW = retoucher.retouched(decoded_BTCHW, moved)
    left, right = retouched_BTCHW.split(SIDE_PX // 2, dim=4)
    assert torch.equal(left, plain.pixels_BTCHW[..., : SIDE_PX // 2])
    assert torch.equal(right, decoded_BTCHW[..., SIDE_PX // 2 :])


def test_it_is_told_what_each_frame_shows_and_nothing_of_frames_of_which_nothing_is_told() -> None:
    """Of rows at rest, and of rows that tell nothing, the anchor stays as it is: what differs is what the network was told."""
    torch.manual_seed(0)
    network = Retouch(CONFIG).eval().requires_grad_(False)
    torch.nn.init.normal_(network.tell.weight)
    torch.nn.init.normal_(network.touch.weight)
    picture, poser = small_picture(), small_poser()
    decoded_BTCHW = picture.pixels_BCHW[:, None].expand(-1, FRAMES_PER_LATENT, -1, -1, -1)
    retoucher = Retoucher(network, poser)

    def retouched(row_M: Tensor) -> Tensor:
        return retoucher.retouched(
            decoded_BTCHW, retoucher.moved(PlannedPose(picture=picture, rows_BFM=row_M.view(1, 1, -1)))
        )

    at_rest, untold = retouched(REST_M), retouched(torch.zeros_like(REST_M))
    torch.testing.assert_close(at_rest, untold, rtol=0, atol=1e-4)
    of_nothing_posed = REST_M.clone()
    of_nothing_posed[-1] += 3.0  # told of the last frame alone
    from_rest_BFM = poser.from_rest(of_nothing_posed.view(1, 1, -1))
    assert from_rest_BFM.nonzero().tolist() == [[0, 0, ROW_WIDTH - 1]]
    moved_BTCHW = poser.moved(picture, of_nothing_posed.view(1, 1, -1)).pixels_BTCHW
    assert torch.equal(retouched(of_nothing_posed), network(decoded_BTCHW, moved_BTCHW, from_rest_BFM))
    silent_BTCHW = network(decoded_BTCHW, moved_BTCHW, torch.zeros_like(from_rest_BFM))
    assert (retouched(of_nothing_posed) - silent_BTCHW).abs().max() > 1e-2


def test_nothing_is_learned_while_films_are_made() -> None:
    retoucher = Retoucher(Retouch(CONFIG), small_poser())
    moved = retoucher.moved(PlannedPose(picture=small_picture(), rows_BFM=random_rows()))
    decoded_BTCHW = torch.zeros(1, 3 * FRAMES_PER_LATENT, 3, SIDE_PX, SIDE_PX)
    assert not retoucher.retouched(decoded_BTCHW, moved).requires_grad
