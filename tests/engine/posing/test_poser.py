"""A picture in the poses of motion rows: the right numbers of each frame, rest where nothing is told, one look at each picture."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import MOST_LOOKS, Poser
from engine.references import ReferenceLatents
from tests.engine.posing.small_flow import CONFIG, ROW_WIDTH, PictureCodec, random_flow, random_picture, showing
from tests.engine.small_pack import CODEC, POSED_ROW_WIDTH, POSING

REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)


def small_poser(flow: PoseFlow | None = None) -> Poser:
    return Poser(flow or random_flow(), PictureCodec(), REST_M)  # type: ignore[arg-type]


def random_rows(num_rows: int, batch: int = 1) -> Tensor:
    return REST_M + torch.randn(batch, num_rows, ROW_WIDTH, generator=torch.Generator().manual_seed(3))


def test_rows_of_zeros_and_the_row_of_rest_are_the_still() -> None:
    """With a real codec: what is not told, and what is told to be at rest, is the picture as `encode_still` has it."""
    torch.manual_seed(0)
    codec = FoldedVae(CODEC).eval().requires_grad_(False)
    rest_M = torch.randn(POSED_ROW_WIDTH)
    poser, picture = Poser(random_flow(config=POSING), codec, rest_M), showing(rest_M, random_picture(side_px=24))
    rows_BFM = torch.stack([torch.zeros_like(rest_M), rest_M, rest_M + 2.0])[None]
    latents_BFCHW = poser.latents(picture, rows_BFM)
    still_BCHW = codec.encode_still(picture.pixels_BCHW)
    assert latents_BFCHW.shape == (1, 3, CODEC.latent_channels, 2, 2)
    for place in (0, 1):
        torch.testing.assert_close(latents_BFCHW[:, place], still_BCHW, rtol=0, atol=1e-4)
    assert (latents_BFCHW[:, 2] - still_BCHW).abs().mean() > 1e-2


def test_a_pose_is_the_columns_of_its_frame_from_rest_frame_after_frame() -> None:
    rows_BFM = random_rows(3)
    poses_BTP = small_poser().poses_from_rest(rows_BFM)
    assert poses_BTP.shape == (1, 6, len(CONFIG.pose_columns))
    for frame in range(6):
        row_M, first = rows_BFM[0, frame // 2] - REST_M, CONFIG.frame_width * (frame % 2)
        wanted_P = torch.stack([row_M[first + column] for column in CONFIG.pose_columns])
        torch.testing.assert_close(poses_BTP[0, frame], wanted_P)
    untold_BFM = rows_BFM.clone()
    untold_BFM[:, 1] = 0.0
    untold_BTP = small_poser().poses_from_rest(untold_BFM)
    assert not untold_BTP[:, 2:4].any(), "rest itself is not at zero"
    assert torch.equal(untold_BTP[:, [0, 1, 4, 5]], poses_BTP[:, [0, 1, 4, 5]])


def test_each_frame_is_moved_into_its_own_pose() -> None:
    flow, picture_BCHW, rows_BFM = random_flow(), random_picture(), random_rows(3)
    poser, picture = small_poser(flow), showing(REST_M, picture_BCHW)
    frames_BTCHW = PictureCodec().frames(poser.latents(picture, rows_BFM))
    fields_BNCHW, poses_BTP = flow(picture_BCHW), poser.poses_from_rest(rows_BFM)
    for frame in range(6):
        alone_BCHW = flow.moved(picture_BCHW, fields_BNCHW, flow.terms(poses_BTP[:, frame : frame + 1]))[:, 0]
        torch.testing.assert_close(frames_BTCHW[:, frame], alone_BCHW, rtol=0, atol=1e-5)
    changed_BFM = rows_BFM.clone()
    changed_BFM[0, 1, CONFIG.frame_width + CONFIG.pose_columns[0]] += 2.0  # the second frame of the second row
    changed_BFM[0, 0, 3] += 2.0  # a number that is no pose
    changed_BTCHW = PictureCodec().frames(poser.latents(picture, changed_BFM))
    is_changed_T = (changed_BTCHW != frames_BTCHW).flatten(2).any(dim=2)[0]
    assert is_changed_T.tolist() == [False, False, False, True, False, False]


class CountedFlow(PoseFlow):
    """Counts how often it looks."""

    num_looks = 0

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        """A look."""
        self.num_looks += 1
        return super().forward(picture_BCHW)


def test_a_picture_is_looked_at_once_while_it_is_among_the_last_few() -> None:
    flow = CountedFlow(CONFIG)
    flow.load_state_dict(random_flow().state_dict())
    poser, rows_BFM = small_poser(flow), random_rows(2)
    pictures = [showing(REST_M, random_picture(seed)) for seed in range(MOST_LOOKS + 1)]
    first = [poser.latents(picture, rows_BFM) for picture in pictures[:MOST_LOOKS]]
    again = [poser.latents(picture, rows_BFM) for picture in pictures[:MOST_LOOKS]]
    assert flow.num_looks == MOST_LOOKS
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True)), "each by its own fields"
    assert not torch.equal(first[0], first[1])
    poser.latents(pictures[-1], rows_BFM)
    assert flow.num_looks == MOST_LOOKS + 1
    assert len(poser._looks) == MOST_LOOKS
    assert torch.equal(poser.latents(pictures[0], rows_BFM), first[0]), "the oldest was forgotten and is looked at anew"
    assert flow.num_looks == MOST_LOOKS + 2
    assert not poser.latents(pictures[0], rows_BFM).requires_grad


def test_references_get_their_anchor_in_pose_and_keep_all_else() -> None:
    references = ReferenceLatents.of_names(torch.randn(2, 6, 24, 24), [("global", ""), ("expression", "sad")], anchor=1)
    shown = replace(references, anchor_picture=showing(REST_M, random_picture()))
    poser, rows_BFM = small_poser(), random_rows(2)
    behind_BFCHW = torch.randn(1, 1, 6, 24, 24)
    posed = poser.posed(shown, rows_BFM, behind_BFCHW)
    assert shown.anchor_picture is not None and posed.posed_BFCHW is not None
    assert torch.equal(posed.posed_BFCHW[:, :1], behind_BFCHW)
    assert torch.equal(posed.posed_BFCHW[:, 1:], poser.latents(shown.anchor_picture, rows_BFM))
    assert posed.posed_BFCHW.dtype == torch.float32
    assert shown.posed_BFCHW is None, "shared references stay as they are"
    assert torch.equal(posed.latents_BRCHW, shown.latents_BRCHW)
    assert posed.anchor_B is not None and posed.anchor_B.tolist() == [1]
    with pytest.raises(ValueError, match="need the anchor's picture"):
        poser.posed(references, rows_BFM, behind_BFCHW)


def test_what_stands_before_a_film_is_an_anchor_of_its_own() -> None:
    """Of history that nobody planned nobody knows the pose; of history that was planned it is known."""
    poser, rows_BFM, history_BFCHW = small_poser(), random_rows(2), torch.randn(1, 2, 6, 24, 24)
    rows_BFM[:, 0] = 0.0
    picture = showing(REST_M, random_picture())
    behind_BFCHW = poser.behind(picture, rows_BFM, history_BFCHW)
    assert torch.equal(behind_BFCHW[:, 0], history_BFCHW[:, 0])
    assert torch.equal(behind_BFCHW[:, 1:], poser.latents(picture, rows_BFM)[:, 1:])
