"""Packs that pose, paint and retouch: found, fitted to the rest of the pack, refused in one line where they do not fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.loaded_pack import load_pack
from engine.model.transformer import Transformer
from engine.packs import file_sha256, fill_from_file, read_manifest, save_weights, write_pack
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.poser import Poser
from engine.posing.retouch import Retouch
from engine.shrinking import shrink_pack
from tests.engine.online.small_online_pack import with_causal_models, write_small_posed_pack
from tests.engine.posing.small_flow import random_picture, showing
from tests.engine.refusals import check_that_damage_is_noticed, describe, refusal, swap, without
from tests.engine.small_pack import (
    BASE,
    MATTE,
    PAINT,
    POSED_BASE,
    POSED_MOTION_SETTINGS,
    POSED_ROW_WIDTH,
    POSING,
    RETOUCH,
    SIZE_PX,
    write_small_matted_pack,
    write_small_motion_pack,
    write_small_pack,
    write_small_painted_pack,
    write_small_posing_pack,
    write_small_retouch_pack,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small_posing_pack(tmp_path / "small")


def test_a_pack_brings_its_pose_flow_and_a_poser_for_each_film(folder: Path) -> None:
    pack = load_pack(folder)
    assert pack.posing is not None and pack.motion is not None
    assert pack.posing.config == POSING
    assert pack.transformer.config == POSED_BASE
    assert not any(parameter.requires_grad for parameter in pack.posing.parameters())
    written = PoseFlow(POSING)
    fill_from_file(folder / "posing.safetensors", written)
    assert all(torch.equal(written.state_dict()[name], each) for name, each in pack.posing.state_dict().items())
    poser = pack.poser()
    assert poser is not None
    assert poser is not pack.poser()
    rest_BFM = torch.tensor(POSED_MOTION_SETTINGS.rest).view(1, 1, POSED_ROW_WIDTH)
    assert not poser.poses_from_rest(rest_BFM).any()
    assert poser.poses_from_rest(rest_BFM + 1.0).eq(1.0).all()


@pytest.mark.parametrize("write", [write_small_pack, write_small_motion_pack])
def test_a_pack_without_one_loads_as_before(write: Callable[[Path], Path], tmp_path: Path) -> None:
    pack = load_pack(write(tmp_path))
    assert pack.posing is None and pack.retouch is None
    assert pack.poser() is None and pack.retoucher(None) is None
    assert "posed_embedding" not in {name.split(".")[0] for name in pack.transformer.state_dict()}


def test_a_base_that_is_not_shown_its_posed_anchor_may_still_start_from_it(folder: Path) -> None:
    config = replace(POSED_BASE, is_shown_posed_anchor=False)
    swap(folder, "base", "transformer", Transformer(config), config)
    pack = load_pack(folder)
    assert pack.posing is not None
    assert pack.transformer.posed_embedding is None


def test_a_base_that_is_shown_a_posed_anchor_needs_the_flow(folder: Path) -> None:
    write_pack(folder, without(read_manifest(folder), "posing"))
    assert "the base model is shown its anchor in pose, and posing is missing" in refusal(folder)


def test_a_flow_needs_a_plan_of_motion(folder: Path) -> None:
    config = replace(BASE, motion_dim=0)
    swap(folder, "base", "transformer", Transformer(config), config)
    write_pack(folder, without(read_manifest(folder), "motion"))
    assert "posing needs a plan of motion, and the pack has no motion model" in refusal(folder)


def test_a_flow_that_reads_other_rows_is_refused(folder: Path) -> None:
    config = replace(POSING, frame_width=4)
    swap(folder, "posing", "pose_flow", PoseFlow(config), config)
    assert "posing reads 4 numbers a frame, a motion row holds 12 for 4 frames" in refusal(folder)


def test_a_component_that_is_no_pose_flow_is_refused(folder: Path) -> None:
    swap(folder, "posing", "transformer", Transformer(BASE), BASE)
    assert "posing is no pose flow" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"body_columns": [0, 3]}, "body_columns (0, 3) must lie within the 3 numbers"),
        ({"face_columns": []}, "face_columns () must lie within"),
        ({"num_crossed": 3}, "num_crossed is 3"),
        ({"look_px": 17}, "look_px is 17"),
        ({"look_px": "many"}, "posing"),
        ({"widths": [6]}, "posing"),
        ({"widths": []}, "widths are ()"),
        ({"widths": [6, 0]}, "widths are (6, 0)"),
        ({"widths": [6, -8]}, "widths are (6, -8)"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_garbled_config_is_refused(folder: Path, changes: dict[str, object], words: str) -> None:
    entry = read_manifest(folder).component("posing")
    describe(folder, replace(entry, config={**entry.config, **changes}))
    assert words in refusal(folder)


def test_a_damaged_or_missing_file_is_noticed(folder: Path) -> None:
    check_that_damage_is_noticed(folder, "posing.safetensors")


def test_a_flow_stored_in_eight_bits_moves_nearly_alike(folder: Path) -> None:
    whole, picture_BCHW = load_pack(folder), torch.rand(1, 3, 48, 48)
    assert whole.posing is not None
    path = folder / "posing.safetensors"
    save_weights(path, whole.posing, torch.int8)
    entry = read_manifest(folder).component("posing")
    describe(folder, replace(entry, dtype="int8", sha256=file_sha256(path)))
    coarse = load_pack(folder)
    assert coarse.posing is not None
    fields, coarse_fields = whole.posing(picture_BCHW), coarse.posing(picture_BCHW)
    assert not torch.equal(fields, coarse_fields)
    assert (fields - coarse_fields).abs().mean() < 0.05 * fields.abs().mean()
    assert np.isfinite(coarse_fields.numpy()).all()


@pytest.mark.parametrize("role", ["backbone", "refiner"])
def test_a_causal_model_that_is_shown_a_posed_anchor_needs_the_flow_too(role: str, tmp_path: Path) -> None:
    folder = write_small_posed_pack(tmp_path / "posed")
    loaded = load_pack(folder)
    assert loaded.online is not None
    assert loaded.online.backbone.posed_embedding is not None
    plain = replace(POSED_BASE, is_shown_posed_anchor=False)
    swap(folder, "base", "transformer", Transformer(plain), plain)
    other = "refiner" if role == "backbone" else "backbone"
    swap(folder, other, "transformer", Transformer(plain), plain)
    write_pack(folder, without(read_manifest(folder), "posing"))
    assert f"{role} is shown its anchor in pose, and posing is missing" in refusal(folder)


@pytest.mark.parametrize("role", ["backbone", "refiner"])
def test_a_causal_model_that_is_shown_a_posed_anchor_is_told_the_motion(role: str, tmp_path: Path) -> None:
    folder = write_small_posed_pack(tmp_path / "posed")
    untold = replace(POSED_BASE, motion_dim=0)
    swap(folder, role, "transformer", Transformer(untold), untold)
    assert f"{role} is shown its anchor in pose, but told no motion" in refusal(folder)


def test_causal_models_may_be_shown_nothing_of_it(folder: Path) -> None:
    plain = replace(POSED_BASE, is_shown_posed_anchor=False)
    pack = load_pack(with_causal_models(folder, plain))
    assert pack.online is not None
    assert pack.online.backbone.posed_embedding is None


@pytest.fixture
def retouched_folder(tmp_path: Path) -> Path:
    return write_small_retouch_pack(tmp_path / "retouched")


def test_a_pack_brings_its_retouching_network(retouched_folder: Path, folder: Path) -> None:
    pack = load_pack(retouched_folder)
    assert pack.retouch is not None and pack.retouch.config == RETOUCH
    assert not any(parameter.requires_grad for parameter in pack.retouch.parameters())
    written = Retouch(RETOUCH)
    fill_from_file(retouched_folder / "retouch.safetensors", written)
    assert all(torch.equal(written.state_dict()[name], each) for name, each in pack.retouch.state_dict().items())
    assert pack.retoucher(pack.poser()) is not None
    unretouched = load_pack(folder)
    assert unretouched.posing is not None and unretouched.retouch is None
    assert unretouched.retoucher(unretouched.poser()) is None


def test_retouching_needs_a_posed_anchor(retouched_folder: Path) -> None:
    config = replace(POSED_BASE, is_shown_posed_anchor=False)
    swap(retouched_folder, "base", "transformer", Transformer(config), config)
    write_pack(retouched_folder, without(read_manifest(retouched_folder), "posing"))
    assert "retouch needs a posed anchor, and posing is missing" in refusal(retouched_folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"frames_per_latent": 2}, "is for 2 frames a latent"), ({"cell_px": 5}, "cells of 5 px")],
)
def test_retouching_of_other_latents_or_pictures_is_refused(
    retouched_folder: Path, changes: dict[str, int], words: str
) -> None:
    config = replace(RETOUCH, **changes)
    swap(retouched_folder, "retouch", "retouch", Retouch(config), config)
    told = refusal(retouched_folder)
    assert words in told
    assert f"the pack has 4 frames a latent and pictures of {SIZE_PX} px" in told


def test_retouching_that_reads_other_rows_is_refused(retouched_folder: Path) -> None:
    config = replace(RETOUCH, frame_width=4)
    swap(retouched_folder, "retouch", "retouch", Retouch(config), config)
    assert "retouch reads 4 numbers a frame, posing 3" in refusal(retouched_folder)


def test_a_retouching_network_of_an_older_release_is_refused_by_what_it_lacks(retouched_folder: Path) -> None:
    """Up to lpm-tiny 0.9.0 it was told nothing."""
    entry = read_manifest(retouched_folder).component("retouch")
    describe(retouched_folder, replace(entry, config={k: v for k, v in entry.config.items() if k != "frame_width"}))
    assert "retouch lacks the settings frame_width; it is of an older release, fetch the pack again" in refusal(
        retouched_folder
    )


def test_a_component_that_does_not_retouch_is_refused(retouched_folder: Path) -> None:
    swap(retouched_folder, "retouch", "transformer", Transformer(BASE), BASE)
    assert "retouch is no retouching network" in refusal(retouched_folder)


@pytest.mark.parametrize("changes", [{"width": 0}, {"cell_px": -4}, {"num_blocks": "many"}, {"surprise": 1}])
def test_a_garbled_retouching_config_is_refused(retouched_folder: Path, changes: dict[str, object]) -> None:
    entry = read_manifest(retouched_folder).component("retouch")
    describe(retouched_folder, replace(entry, config={**entry.config, **changes}))
    assert "retouch" in refusal(retouched_folder)


def test_a_damaged_or_missing_retouching_file_is_noticed(retouched_folder: Path) -> None:
    check_that_damage_is_noticed(retouched_folder, "retouch.safetensors")


def test_a_shrunk_pack_retouches_nearly_alike(retouched_folder: Path, tmp_path: Path) -> None:
    found = {each.role: each for each in shrink_pack(retouched_folder, tmp_path / "shrunk", ["retouch"])}
    assert found["retouch"].bytes_after < found["retouch"].bytes_before
    assert 25 < found["retouch"].error_db < found["posing"].error_db == float("inf")
    decoded_BTCHW, moved_BTCHW = 2 * torch.rand(2, 1, 8, 3, SIZE_PX, SIZE_PX) - 1
    from_rest_BFM = torch.randn(1, 8 // RETOUCH.frames_per_latent, RETOUCH.row_width)
    films = []
    for each in (retouched_folder, tmp_path / "shrunk"):
        network = load_pack(each).retouch
        assert network is not None
        films.append(network(decoded_BTCHW, moved_BTCHW, from_rest_BFM))
    assert not torch.equal(films[0], films[1])
    assert (films[0] - films[1]).abs().mean() < 0.05 * (films[0] - decoded_BTCHW).abs().mean()


@pytest.fixture
def painted_folder(tmp_path: Path) -> Path:
    return write_small_painted_pack(tmp_path / "painted")


def test_a_pack_brings_its_painting_network_and_its_poser_paints(painted_folder: Path, folder: Path) -> None:
    pack, unpainted = load_pack(painted_folder), load_pack(folder)
    assert pack.paint is not None and pack.paint.config == PAINT
    assert not any(parameter.requires_grad for parameter in pack.paint.parameters())
    assert unpainted.paint is None
    painting, moving = pack.poser(), replace(pack, paint=None).poser()
    assert painting is not None and moving is not None
    rest_M = torch.tensor(POSED_MOTION_SETTINGS.rest)
    picture, rest_BFM = showing(rest_M, random_picture(side_px=SIZE_PX)), rest_M.view(1, 1, POSED_ROW_WIDTH)

    def made(poser: Poser, rows_BFM: Tensor) -> tuple[Tensor, Tensor]:
        return poser.latents(picture, rows_BFM), poser.moved(picture, rows_BFM).pixels_BTCHW

    for at_rest, plain in zip(made(painting, rest_BFM), made(moving, rest_BFM), strict=True):
        assert torch.equal(at_rest, plain)
    for painted, plain in zip(made(painting, rest_BFM + 2.0), made(moving, rest_BFM + 2.0), strict=True):
        assert not torch.equal(painted, plain)


def test_painting_needs_a_posed_anchor_and_reads_its_numbers(painted_folder: Path) -> None:
    config = replace(PAINT, frame_width=4)
    swap(painted_folder, "paint", "paint", Paint(config), config)
    assert "paint reads 4 numbers a frame, posing 3" in refusal(painted_folder)
    config = replace(POSED_BASE, is_shown_posed_anchor=False)
    swap(painted_folder, "base", "transformer", Transformer(config), config)
    write_pack(painted_folder, without(read_manifest(painted_folder), "posing", "retouch"))
    assert "paint needs a posed anchor, and posing is missing" in refusal(painted_folder)


def test_a_component_that_does_not_paint_is_refused(painted_folder: Path) -> None:
    swap(painted_folder, "paint", "transformer", Transformer(BASE), BASE)
    assert "paint is no painting network" in refusal(painted_folder)


@pytest.mark.parametrize("changes", [{"width": 0}, {"face_columns": [7]}, {"hidden_columns": [2]}, {"surprise": 1}])
def test_a_garbled_painting_config_is_refused(painted_folder: Path, changes: dict[str, object]) -> None:
    entry = read_manifest(painted_folder).component("paint")
    describe(painted_folder, replace(entry, config={**entry.config, **changes}))
    assert "paint" in refusal(painted_folder)


def test_a_damaged_or_missing_painting_file_is_noticed(painted_folder: Path) -> None:
    check_that_damage_is_noticed(painted_folder, "paint.safetensors")


@pytest.fixture
def matted_folder(tmp_path: Path) -> Path:
    return write_small_matted_pack(tmp_path / "matted")


def test_a_pack_brings_its_matting_network_and_its_poser_moves_the_character_alone(
    matted_folder: Path, painted_folder: Path
) -> None:
    pack, without_matte = load_pack(matted_folder), load_pack(painted_folder)
    assert pack.matte is not None and pack.matte.config == MATTE
    assert not any(parameter.requires_grad for parameter in pack.matte.parameters())
    assert without_matte.matte is None
    rest_M = torch.tensor(POSED_MOTION_SETTINGS.rest)
    picture, rest_BFM = showing(rest_M, random_picture(side_px=SIZE_PX)), rest_M.view(1, 1, POSED_ROW_WIDTH)
    posers = [each.poser() for each in (pack, replace(pack, matte=None))]
    still, moved = (
        [poser.moved(picture, rows_BFM).pixels_BTCHW for poser in posers if poser is not None]
        for rows_BFM in (rest_BFM, rest_BFM + 2.0)
    )
    torch.testing.assert_close(still[0], still[1], rtol=0, atol=1e-4)
    assert (moved[0] - moved[1]).abs().max() > 0.05


def test_a_matte_needs_a_posed_anchor_and_a_network_that_makes_mattes(matted_folder: Path) -> None:
    swap(matted_folder, "matte", "transformer", Transformer(BASE), BASE)
    assert "matte is no matting network" in refusal(matted_folder)
    swap(matted_folder, "matte", "matte", Matte(MATTE), MATTE)
    config = replace(POSED_BASE, is_shown_posed_anchor=False)
    swap(matted_folder, "base", "transformer", Transformer(config), config)
    write_pack(matted_folder, without(read_manifest(matted_folder), "posing", "paint", "retouch"))
    assert "matte needs a posed anchor, and posing is missing" in refusal(matted_folder)


def test_a_damaged_or_missing_matting_file_is_noticed(matted_folder: Path) -> None:
    check_that_damage_is_noticed(matted_folder, "matte.safetensors")
