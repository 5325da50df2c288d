"""The pose flow: a pose at rest moves nothing, terms are what the config says, and pixels go where a field sends them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engine.posing.pose_flow import FIELD_UNIT, POSE_UNIT, PoseFlow, PoseFlowConfig
from tests.engine.posing.small_flow import CONFIG, random_flow, random_picture

SIDE = 24
INNER = (..., slice(5, SIDE - 5), slice(5, SIDE - 5))


def test_a_pose_at_rest_moves_nothing_whatever_the_weights() -> None:
    flow, picture_BCHW = random_flow(), random_picture(batch=2)
    fields_BNCHW = flow(picture_BCHW)
    assert fields_BNCHW.abs().amax(dim=(0, 2, 3, 4)).min() > 0.01, "every term has a field"
    poses_BTP = torch.zeros(2, 3, len(CONFIG.pose_columns))
    poses_BTP[:, 1] = 1.0
    frames_BTCHW = flow.moved(picture_BCHW, fields_BNCHW, flow.terms(poses_BTP))
    assert frames_BTCHW.shape == (2, 3, 3, SIDE, SIDE)
    for still in (0, 2):
        torch.testing.assert_close(frames_BTCHW[:, still], picture_BCHW, rtol=0, atol=1e-5)
    assert ((frames_BTCHW[:, 1] - picture_BCHW).abs().mean(dim=(1, 2, 3)) > 0.05).all()


def test_a_new_flow_moves_nothing_in_any_pose_and_yet_learns() -> None:
    torch.manual_seed(0)
    flow, picture_BCHW = PoseFlow(CONFIG), random_picture()
    poses_BTP = torch.randn(1, 2, len(CONFIG.pose_columns))
    frames_BTCHW = flow.moved(picture_BCHW, flow(picture_BCHW), flow.terms(poses_BTP))
    torch.testing.assert_close(frames_BTCHW, picture_BCHW[:, None].expand(-1, 2, -1, -1, -1), rtol=0, atol=1e-5)
    (frames_BTCHW - random_picture(1)[:, None]).square().mean().backward()
    gradient = flow.head.weight.grad
    assert gradient is not None
    assert (gradient.flatten(1).abs().sum(dim=1) > 0).all(), "every term's field, in x and in y"


@pytest.mark.parametrize(
    ("num_crossed", "body", "face"),
    [
        (0, [2.0, 3.0, 5.0], [7.0, 11.0]),
        (1, [2.0, 3.0, 5.0, 4.0], [7.0, 11.0, 49.0]),
        (2, [2.0, 3.0, 5.0, 4.0, 6.0, 9.0], [7.0, 11.0, 49.0, 77.0, 121.0]),
    ],
)
def test_terms_are_poses_and_squares_and_products_within_body_and_face(
    num_crossed: int, body: list[float], face: list[float]
) -> None:
    config = replace(CONFIG, num_crossed=num_crossed)
    flow = PoseFlow(config)
    terms_BTN = flow.terms(POSE_UNIT * torch.tensor([[[2.0, 3.0, 5.0, 7.0, 11.0]]]))
    assert terms_BTN[0, 0].tolist() == body + face
    assert (config.num_body_terms, config.num_terms) == (len(body), len(body) + len(face))
    assert flow(random_picture()).shape == (1, config.num_terms, 2, config.look_px // 2, config.look_px // 2)
    assert not flow.terms(torch.zeros(2, 4, 5)).any()


def test_curved_columns_add_their_squares_and_cubes_behind_all_other_terms() -> None:
    config = replace(CONFIG, num_crossed=0, curved_columns=(4, 2))
    flow = PoseFlow(config)
    terms_BTN = flow.terms(POSE_UNIT * torch.tensor([[[2.0, 3.0, 5.0, 7.0, -11.0]]]))
    assert terms_BTN[0, 0].tolist() == [2.0, 3.0, 5.0, 7.0, -11.0, 121.0, 49.0, -1331.0, 343.0]
    assert config.num_terms == 9 and config.num_body_terms == 3
    assert flow(random_picture()).shape[1] == 9
    assert not flow.terms(torch.zeros(2, 4, 5)).any()


def test_finer_fields_begin_as_the_coarse_ones_and_learn_what_lies_between_their_positions() -> None:
    coarse, picture_BCHW = random_flow(), random_picture()
    fine = PoseFlow(replace(CONFIG, field_scale=2))
    new = {name: tensor for name, tensor in fine.state_dict().items() if name.startswith("fine_head")}
    fine.load_state_dict(coarse.state_dict() | new)
    fields_BNCHW = fine(picture_BCHW)
    side = CONFIG.look_px
    assert fields_BNCHW.shape == (1, CONFIG.num_terms, 2, side, side)
    wanted_BCHW = functional.interpolate(coarse(picture_BCHW).flatten(1, 2), (side, side), mode="bilinear")
    torch.testing.assert_close(fields_BNCHW.flatten(1, 2), wanted_BCHW)
    checks_HW = torch.arange(side)[:, None].add(torch.arange(side)).div(2, rounding_mode="floor").remainder(2)
    (fields_BNCHW * checks_HW).sum().backward()
    assert fine.fine_head is not None
    gradient = fine.fine_head.weight.grad
    assert gradient is not None
    assert (gradient.flatten(1).abs().sum(dim=1) > 0).all()


# Two terms of the body, then two of the face.
SHIFTING = PoseFlow(
    PoseFlowConfig(frame_width=4, body_columns=(0, 1), face_columns=(2, 3), num_crossed=0, look_px=16, widths=(4,))
)


def constant_fields(*shifts_px: tuple[float, float]) -> Tensor:
    """A field of each term [1, N, 2, 4, 4]: where a pixel comes from, in pixels of a picture of `SIDE` px."""
    fields_N2 = torch.tensor(shifts_px) / (SIDE / 2)
    return fields_N2.view(1, -1, 2, 1, 1).expand(1, -1, 2, 4, 4)


def shifted(picture_BCHW: Tensor, x_px: int, y_px: int) -> Tensor:
    """Where a pixel comes from `x_px` to its right and `y_px` below, what is seen moves left and up."""
    return picture_BCHW.roll((-y_px, -x_px), dims=(2, 3))


@pytest.mark.parametrize("term", range(4))
@pytest.mark.parametrize(("x_px", "y_px"), [(3, 0), (0, 2), (-4, 1)])
def test_a_constant_field_shifts_a_picture_by_its_pixels_x_before_y(x_px: int, y_px: int, term: int) -> None:
    picture_BCHW = random_picture()
    shifts_px = [(0.0, 0.0)] * 4
    shifts_px[term] = (x_px, y_px)
    terms_BTN = torch.zeros(1, 3, 4)
    terms_BTN[0, :, term] = torch.tensor([1.0, 0.0, -1.0])
    frames_BTCHW = SHIFTING.moved(picture_BCHW, constant_fields(*shifts_px), terms_BTN)
    for place, sign in enumerate((1, 0, -1)):
        wanted_BCHW = shifted(picture_BCHW, sign * x_px, sign * y_px)
        torch.testing.assert_close(frames_BTCHW[:, place][INNER], wanted_BCHW[INNER], rtol=0, atol=1e-4)


def test_a_face_moves_on_the_body_that_carries_it() -> None:
    """A face's field is told of the picture at rest; where the body was moved to, its face moves, and nowhere else."""
    picture_BCHW = random_picture()
    body = constant_fields((6, 0), (0, 0))
    face = torch.zeros(1, 2, 2, SIDE, SIDE)
    face[0, 0, 1, :, 12:] = 2 / (SIDE / 2)  # the right half comes from two pixels below
    fields_BNCHW = torch.cat([functional.interpolate(body[0], (SIDE, SIDE))[None], face], dim=1)
    frame_BCHW = SHIFTING.moved(picture_BCHW, fields_BNCHW, torch.tensor([[[1.0, 0.0, 1.0, 0.0]]]))[:, 0]
    rows, left, right = slice(4, SIDE - 4), slice(0, 5), slice(7, 17)
    carried_BCHW = shifted(picture_BCHW, 6, 0)
    torch.testing.assert_close(frame_BCHW[..., rows, left], carried_BCHW[..., rows, left], rtol=0, atol=1e-4)
    moved_BCHW = shifted(carried_BCHW, 0, 2)
    torch.testing.assert_close(frame_BCHW[..., rows, right], moved_BCHW[..., rows, right], rtol=0, atol=1e-4)


def test_what_comes_from_beyond_the_border_is_the_border() -> None:
    picture_BCHW = random_picture()
    fields_BNCHW = constant_fields((4, 0), (0, 0), (0, 0), (0, 0))
    frames_BTCHW = SHIFTING.moved(picture_BCHW, fields_BNCHW, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    edge_BCHW = picture_BCHW[..., -1:].expand(-1, -1, -1, 4)
    torch.testing.assert_close(frames_BTCHW[:, 0, :, :, -4:], edge_BCHW, rtol=0, atol=1e-4)


def test_pictures_of_a_batch_are_moved_each_by_its_own_fields_and_terms() -> None:
    flow, picture_BCHW = random_flow(), random_picture(batch=2)
    fields_BNCHW, terms_BTN = flow(picture_BCHW), flow.terms(torch.randn(2, 3, len(CONFIG.pose_columns)))
    together = flow.moved(picture_BCHW, fields_BNCHW, terms_BTN)
    for sample in range(2):
        of_it = slice(sample, sample + 1)
        for frame in range(3):
            alone = flow.moved(picture_BCHW[of_it], fields_BNCHW[of_it], terms_BTN[of_it, frame : frame + 1])
            torch.testing.assert_close(together[of_it, frame], alone[:, 0], rtol=0, atol=1e-5)


def test_places_are_exact_whatever_autocast_says() -> None:
    """In bfloat16 a place in the picture's far half is a pixel off."""
    picture_BCHW, terms_BTN = random_picture(side_px=192), torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    fields_BNCHW = constant_fields((1, 0), (0, 0), (0, 0), (0, 0))
    plain_BTCHW = SHIFTING.moved(picture_BCHW, fields_BNCHW, terms_BTN)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within_BTCHW = SHIFTING.moved(picture_BCHW, fields_BNCHW, terms_BTN)
    assert torch.equal(plain_BTCHW, within_BTCHW)


def test_fields_are_in_their_unit_and_of_each_picture_alone() -> None:
    flow, picture_BCHW = random_flow(), random_picture(batch=2)
    torch.nn.init.zeros_(flow.head.weight)
    assert flow.head.bias is not None
    flow.head.bias.data.copy_(torch.arange(2.0 * CONFIG.num_terms))
    fields_N2 = flow(picture_BCHW)[0].mean(dim=(-2, -1))
    torch.testing.assert_close(fields_N2, FIELD_UNIT * torch.arange(2.0 * CONFIG.num_terms).view(-1, 2))
    flow = random_flow()
    torch.testing.assert_close(flow(picture_BCHW)[1:], flow(picture_BCHW[1:]), rtol=1e-4, atol=1e-4)


def test_a_picture_of_any_size_is_looked_at_alike() -> None:
    flow = random_flow()
    fields_of_16, fields_of_48, of_another = (
        flow(functional.interpolate(random_picture(seed, side_px=4), (side_px, side_px), mode="bilinear"))
        for seed, side_px in ((0, 16), (0, 48), (1, 16))
    )
    assert fields_of_16.shape == fields_of_48.shape
    assert (fields_of_48 - fields_of_16).abs().mean() < 0.2 * (of_another - fields_of_16).abs().mean()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"body_columns": ()}, r"body_columns \(\) must lie within the 6 numbers of a frame"),
        ({"face_columns": ()}, r"face_columns \(\) must lie within the 6 numbers of a frame"),
        ({"body_columns": (0, 6, 1)}, "body_columns .* must lie within"),
        ({"face_columns": (0, -1)}, "face_columns .* must lie within"),
        ({"num_crossed": 4}, "num_crossed is 4, there are 3 body_columns"),
        ({"num_crossed": 3}, "num_crossed is 3, there are 2 face_columns"),
        ({"num_crossed": -1}, "num_crossed is -1"),
        ({"curved_columns": (5,)}, r"curved_columns \(5,\) must be among the face_columns"),
        ({"field_scale": 0}, "field_scale is 0"),
        ({"field_scale": 10**6}, "must be from 1 to 8"),
        ({"look_px": 18}, "look_px is 18; it must be a multiple of 4"),
        ({"look_px": 0}, "look_px is 0"),
        ({"widths": ()}, r"widths are \(\)"),
        ({"widths": (6, 0)}, r"widths are \(6, 0\)"),
    ],
)
def test_configs_that_cannot_work_are_refused_by_name(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(CONFIG, **changes)  # type: ignore[arg-type]
    assert replace(CONFIG, num_crossed=0).pose_columns == (5, 0, 1, 2, 4)
