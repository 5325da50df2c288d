"""What paints: nothing at rest, the same whether places are chosen or not, carried along with the head, gone where the flow would tear."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.posing.paint import DRAG_UNIT, FADING, TOLD_UNIT, Paint, PaintConfig, PaintedPlaces, painted
from engine.posing.portrait_look import coordinates
from engine.posing.poser import Poser, with_drags
from engine.posing.sizes import size_of
from tests.engine.posing.small_flow import CONFIG, ROW_WIDTH, PictureCodec, random_flow, random_picture, showing

PAINT = PaintConfig(
    frame_width=CONFIG.frame_width,
    face_columns=(2, 3, 4),
    face_least=(-9.0, -9.0, -9.0),
    face_most=(9.0, 9.0, 9.0),
    hidden_columns=(4,),
    look_px=16,
    look_widths=(4, 6),
    width=5,
    mixed_width=4,
    told_width=6,
)
REST_M = torch.linspace(-1.0, 1.0, ROW_WIDTH)
SIDE_PX = 24


def random_paint(seed: int = 0) -> Paint:
    torch.manual_seed(seed)
    paint = Paint(PAINT).eval().requires_grad_(False)
    for parameter in paint.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return paint


def random_faces(num_frames: int, batch: int = 1) -> Tensor:
    return 3 * torch.randn(batch, num_frames, 3, generator=torch.Generator().manual_seed(5))


def everywhere(paint: Paint, picture_BCHW: Tensor, face_BTK: Tensor) -> Tensor:
    """The layer with every pixel asked, [B, T, 4, H, W]."""
    xy_BP2 = coordinates(picture_BCHW).flatten(2).transpose(1, 2)
    layer_BTPC = paint.at(paint.kept_at(paint(picture_BCHW).kept_BCHW, xy_BP2), face_BTK)
    return layer_BTPC.transpose(2, 3).unflatten(3, picture_BCHW.shape[-2:])


def test_a_layer_is_what_all_its_places_are_asked_for() -> None:
    paint, picture_BCHW, face_BTK = random_paint(), random_picture(side_px=SIDE_PX, batch=2), random_faces(3, batch=2)
    places = paint.places(paint(picture_BCHW).kept_BCHW, size_of(picture_BCHW))
    layer_BTCHW = paint.layer(places, face_BTK)
    assert layer_BTCHW.shape == (2, 3, 4, SIDE_PX, SIDE_PX)
    whole_BTCHW = everywhere(paint, picture_BCHW, face_BTK)
    is_place_P = torch.zeros(SIDE_PX**2, dtype=torch.bool)
    is_place_P[places.places_P] = True
    is_place_HW = is_place_P.view(SIDE_PX, SIDE_PX)
    assert is_place_HW.any()
    torch.testing.assert_close(layer_BTCHW[..., is_place_HW], whole_BTCHW[..., is_place_HW])
    assert not layer_BTCHW[..., ~is_place_HW].any()
    assert whole_BTCHW[:, :, 3].max() > 0.3, "something is painted"
    assert whole_BTCHW[:, :, 3].min() >= 0 and whole_BTCHW[:, :, 3].max() <= 1


def test_a_layer_is_float32_whatever_autocast_says() -> None:
    paint, picture_BCHW, face_BTK = random_paint(), random_picture(side_px=SIDE_PX), random_faces(2)
    places = paint.places(paint(picture_BCHW).kept_BCHW, (SIDE_PX, SIDE_PX))
    exact_BTCHW = paint.layer(places, face_BTK)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(paint.layer(places, face_BTK), exact_BTCHW)


def test_pictures_may_be_wider_than_high() -> None:
    paint, picture_BCHW = random_paint(), random_picture(side_px=SIDE_PX)[..., : SIDE_PX // 2, :]
    poser = Poser(random_flow(), PictureCodec(), REST_M, paint)  # type: ignore[arg-type]
    rows_BFM = REST_M + torch.randn(1, 1, ROW_WIDTH, generator=torch.Generator().manual_seed(3))
    made_BTCHW = poser.moved(showing(REST_M, picture_BCHW), rows_BFM).pixels_BTCHW
    assert made_BTCHW.shape == (1, 2, 3, SIDE_PX // 2, SIDE_PX)
    places = paint.places(paint(picture_BCHW).kept_BCHW, size_of(picture_BCHW))
    left, top, right, bottom = places.reach()
    xy_P2 = coordinates(picture_BCHW)[0].flatten(1).T[places.places_P]
    assert left < xy_P2[:, 0].min() and xy_P2[:, 0].max() < right
    assert top < xy_P2[:, 1].min() and xy_P2[:, 1].max() < bottom


def test_places_that_no_face_paints_are_left_out() -> None:
    paint = random_paint()
    paint.show.bias.data[3] = -30.0
    places = paint.places(paint(random_picture(side_px=SIDE_PX)).kept_BCHW, (SIDE_PX, SIDE_PX))
    assert len(places.places_P) == 0
    assert not paint.layer(places, random_faces(2)).any()


def test_faces_that_are_searched_for_paint_show_one_feeling_at_a_time_and_each_its_turn() -> None:
    """All else by lot, as if there were no feelings; and each number at its ends."""
    bounds = {"face_least": (-2.0, -9.0, -1.0), "face_most": (2.0, 9.0, 3.0)}
    plain_TK, felt_TK = (
        Paint(replace(PAINT, felt_columns=columns, **bounds))._many_faces() for columns in ((), (2, 4))
    )
    ends_TK, lots_TK = felt_TK.split([6, len(felt_TK) - 6])
    assert torch.equal(ends_TK.sum(dim=0), torch.tensor([0.0, 0.0, 2.0]))
    assert ends_TK.count_nonzero(dim=1).eq(1).all() and torch.equal(ends_TK, plain_TK[:6])
    assert torch.equal(lots_TK[:, 1], plain_TK[6:, 1])
    is_felt_T2 = lots_TK[:, [0, 2]].abs() > 1e-6
    assert is_felt_T2.sum(dim=1).eq(1).all()
    assert is_felt_T2.sum(dim=0).tolist() == [len(lots_TK) // 2] * 2
    assert torch.equal(lots_TK[:, [0, 2]][is_felt_T2], plain_TK[6:, [0, 2]][is_felt_T2])
    assert (plain_TK[6:].abs() > 1e-6).all()


def test_a_poser_says_where_pictures_are_painted_at_rest_too() -> None:
    """All of a painted place and nothing far from one, and nothing at all without paint."""
    flow, paint, picture_BCHW = random_flow(), random_paint(), random_picture(side_px=SIDE_PX)
    picture, rows_BFM = showing(REST_M, picture_BCHW), REST_M.expand(1, 2, -1)
    plain = Poser(flow, PictureCodec(), REST_M).moved(picture, rows_BFM)  # type: ignore[arg-type]
    assert plain.painted_BTCHW.shape == (1, 4, 1, SIDE_PX, SIDE_PX) and not plain.painted_BTCHW.any()
    poser = Poser(flow, PictureCodec(), REST_M, paint)  # type: ignore[arg-type]
    moved = poser.moved(picture, rows_BFM)
    assert torch.equal(moved.pixels_BTCHW, plain.pixels_BTCHW)
    area_BCHW = paint.places(paint(picture_BCHW).kept_BCHW, (SIDE_PX, SIDE_PX)).area_BCHW
    torch.testing.assert_close(moved.painted_BTCHW[:, 3], area_BCHW, rtol=0, atol=1e-4)


def test_the_area_of_paint_fades_out_around_its_places() -> None:
    side_px = 2 * FADING
    is_place_HW = torch.zeros(side_px, side_px, dtype=torch.bool)
    is_place_HW[20:50, 30:70] = True
    places_P = is_place_HW.flatten().nonzero()[:, 0]
    kept_BPC = torch.zeros(1, len(places_P), 3)
    area_HW = PaintedPlaces(kept_BPC=kept_BPC, places_P=places_P, size_HW=(side_px, side_px)).area_BCHW[0, 0]
    assert area_HW[22:48, 32:68].min() == 1.0
    assert not area_HW[:18].any() and not area_HW[:, 72:].any()
    assert area_HW[35, 28:32].diff().min() > 0, "from nothing to all"


def test_faces_beyond_what_was_learned_are_painted_as_its_ends() -> None:
    paint, picture_BCHW = random_paint(), random_picture(side_px=SIDE_PX)
    places = paint.places(paint(picture_BCHW).kept_BCHW, size_of(picture_BCHW))
    far_BTK = torch.tensor([[[40.0, -40.0, 1.0]]])
    assert torch.equal(paint.layer(places, far_BTK), paint.layer(places, torch.tensor([[[9.0, -9.0, 1.0]]])))
    assert not torch.equal(paint.layer(places, far_BTK), paint.layer(places, torch.tensor([[[8.0, -9.0, 1.0]]])))


def test_nothing_is_painted_at_rest_and_it_fades_in() -> None:
    paint, picture_BCHW = random_paint(), random_picture(side_px=SIDE_PX)
    some_K = torch.tensor([0.0, 0.0, 1.0])
    faces_BTK = torch.stack([0.0 * some_K, 0.05 * some_K, 0.1 * some_K, 4.0 * some_K])[None]
    rest, little, more, much = everywhere(paint, picture_BCHW, faces_BTK)[0]
    assert not rest.any()
    assert little[3].mean() < 0.6 * more[3].mean() < 0.6 * much[3].mean()
    frames_BTCHW = torch.rand(1, 4, 3, SIDE_PX, SIDE_PX)
    under = painted(frames_BTCHW, everywhere(paint, picture_BCHW, faces_BTK))
    assert torch.equal(under[:, 0], frames_BTCHW[:, 0])
    opaque = torch.cat([torch.full((1, 1, 3, 2, 2), 0.25), torch.ones(1, 1, 1, 2, 2)], dim=2)
    assert painted(torch.rand(1, 1, 3, 2, 2), opaque).eq(0.25).all()


def test_a_poser_paints_on_the_head_wherever_it_is_and_does_not_move_what_is_painted() -> None:
    flow, paint, picture_BCHW = random_flow(), random_paint(), random_picture(side_px=SIDE_PX)
    poser = Poser(flow, PictureCodec(), REST_M, paint)  # type: ignore[arg-type]
    plain = Poser(flow, PictureCodec(), REST_M)  # type: ignore[arg-type]
    rows_BFM = REST_M + torch.randn(1, 2, ROW_WIDTH, generator=torch.Generator().manual_seed(3))
    column = CONFIG.pose_columns.index(4)
    assert plain.poses_from_rest(rows_BFM)[..., column].all()
    poses_BTP = poser.poses_from_rest(rows_BFM)
    assert not poses_BTP[..., column].any()
    kept = [place for place in range(len(CONFIG.pose_columns)) if place != column]
    assert torch.equal(poses_BTP[..., kept], plain.poses_from_rest(rows_BFM)[..., kept])

    picture = showing(REST_M, picture_BCHW)
    made_BTCHW = poser.moved(picture, rows_BFM).pixels_BTCHW
    fields_BNCHW, terms_BTN = flow(picture_BCHW), flow.terms(poses_BTP)
    moved_BTCHW = flow.moved(picture_BCHW, fields_BNCHW, terms_BTN, "bicubic")
    frames_BTK = poser.from_rest(rows_BFM).view(1, 4, CONFIG.frame_width)
    layer_BTCHW = paint.layer(
        paint.places(paint(picture_BCHW).kept_BCHW, size_of(picture_BCHW)), frames_BTK[..., list(PAINT.face_columns)]
    )
    on_head_NHWC = flow.places(fields_BNCHW, terms_BTN, (SIDE_PX, SIDE_PX)).on_head_NHWC
    for frame in range(4):
        carried_BCHW = torch.nn.functional.grid_sample(
            layer_BTCHW[:, frame], on_head_NHWC[frame : frame + 1], padding_mode="border", align_corners=False
        )
        wanted_BCHW = moved_BTCHW[:, frame] * (1 - carried_BCHW[:, 3:]) + carried_BCHW[:, :3]
        torch.testing.assert_close(made_BTCHW[:, frame], wanted_BCHW)
    assert (made_BTCHW - moved_BTCHW).abs().max() > 0.1
    latents_BTCHW = PictureCodec().frames(poser.latents(picture, rows_BFM))
    finely_BTCHW = (made_BTCHW - moved_BTCHW).flatten(0, 1)
    plain_BTCHW = PictureCodec().frames(
        PictureCodec().encode(flow.moved(picture_BCHW, fields_BNCHW, terms_BTN, "bilinear"))
    )
    coarsely_BTCHW = (latents_BTCHW - plain_BTCHW).flatten(0, 1)
    assert coarsely_BTCHW.abs().mean() > 0.5 * finely_BTCHW.abs().mean(), "latents are of painted pictures too"
    at_rest = [each.moved(picture, REST_M.expand(1, 1, -1)).pixels_BTCHW for each in (poser, plain)]
    assert torch.equal(*at_rest)


def test_pixels_are_dragged_under_the_paint_and_paint_stays() -> None:
    """Column 4 drags by whole pixels to the left; the pose flow knows nothing of it, and says nothing here at all."""
    torch.manual_seed(0)
    paint = Paint(replace(PAINT, dragged_columns=(2, 4))).eval().requires_grad_(False)
    paint.show.bias[3] = 0.0  # half as thick as can be
    assert paint.drag is not None
    picture_BCHW = random_picture(side_px=SIDE_PX)
    assert not paint(picture_BCHW).drags_BNCHW.any(), "before it learns it drags nothing"
    paint.drag.bias.copy_(torch.tensor([0.0, 0.0, 2 / SIDE_PX / DRAG_UNIT, 0.0]))
    flow = random_flow()
    flow.head.weight.zero_()
    flow.head.bias.zero_()  # type: ignore[union-attr]
    poser = Poser(flow, PictureCodec(), REST_M, paint)  # type: ignore[arg-type]
    frames_BTK = torch.zeros(1, 2, CONFIG.frame_width)
    frames_BTK[0, :, 4] = torch.tensor([0.0, 3 * TOLD_UNIT])
    rows_BFM = REST_M + frames_BTK.view(1, 1, ROW_WIDTH)
    face_BTK = frames_BTK[..., list(PAINT.face_columns)]
    dragged_CHW = torch.cat([picture_BCHW[0, ..., 3:], picture_BCHW[0, ..., -1:].expand(-1, -1, 3)], dim=-1)
    at_rest, moved = painted(
        torch.stack([picture_BCHW[0], dragged_CHW])[None], everywhere(paint, picture_BCHW, face_BTK)
    )[0]
    made_TCHW = poser.moved(showing(REST_M, picture_BCHW), rows_BFM).pixels_BTCHW[0]
    torch.testing.assert_close(made_TCHW[0], at_rest)
    inside = (..., slice(3, -6))
    torch.testing.assert_close(made_TCHW[1][inside], moved[inside], rtol=0, atol=1e-3)
    frames_BTK[0, :, 4] = torch.tensor([9.0, 40.0])
    within, beyond = paint.drag_terms(frames_BTK[..., list(PAINT.face_columns)])[0]
    assert torch.equal(within, beyond), "faces beyond what was learned are dragged as its ends"


@pytest.mark.parametrize("grid_px", [4, 8, 12])
def test_drags_come_to_the_grid_of_the_flow(grid_px: int) -> None:
    flow_BNCHW, drags_BNCHW = torch.rand(2, 3, 2, grid_px, grid_px), torch.full((2, 5, 2, 8, 8), 0.25)
    fields_BNCHW = with_drags(flow_BNCHW, drags_BNCHW)
    assert torch.equal(fields_BNCHW[:, :3], flow_BNCHW)
    torch.testing.assert_close(fields_BNCHW[:, 3:], torch.full((2, 5, 2, grid_px, grid_px), 0.25))
    assert torch.equal(with_drags(flow_BNCHW, drags_BNCHW[:, :0]), flow_BNCHW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"face_columns": (2, 6)}, "must lie within"),
        ({"face_columns": ()}, "must lie within"),
        ({"hidden_columns": (1,)}, "hidden_columns .* must be among the face_columns"),
        ({"dragged_columns": (1,)}, "dragged_columns .* must be among the face_columns"),
        ({"felt_columns": (1,)}, "felt_columns .* must be among the face_columns"),
        ({"look_px": 18}, "multiple of 4"),
        ({"look_widths": ()}, "at least one"),
        ({"width": 0}, "at least one of"),
        ({"face_least": (0.0, 0.0)}, "a number for each"),
        ({"face_most": (1.0, 1.0, -1.0)}, "able to rest"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(PAINT, **changes)
