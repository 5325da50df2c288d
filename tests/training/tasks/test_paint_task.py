"""The painting network's task on drawings of the actor: it learns, says how much better than the flow it is, exports and goes on."""

from dataclasses import replace
from pathlib import Path

import cv2
import pytest
import torch

from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from tests.training.tasks.short_runs import check_that_what_is_exported_starts_another_run
from training.data.painted_faces import PAINTED_CHANNELS, PaintedFaceSamples
from training.recipes import parts
from training.tasks.paint import SAMPLE_COLUMNS, PaintTask

SIZE_PX, SIDE_PX = 96, 48


def small_task(num_held_out: int = 4, spacing_px: int = 1) -> PaintTask:
    torch.manual_seed(0)
    config = replace(parts.PAINT, look_px=96, look_widths=(8, 12, 16), width=16, mixed_width=12, told_width=16)
    return PaintTask(
        paint=Paint(config),
        flow=PoseFlow(replace(parts.POSING, look_px=16, widths=(4, 6))),
        samples=PaintedFaceSamples(size_px=SIZE_PX, side_px=SIDE_PX // spacing_px, spacing_px=spacing_px, num_states=2),
        weights_file="paint.safetensors",
        num_held_out=num_held_out,
    )


def test_some_steps_paint_what_no_flow_moves() -> None:
    """On a few portraits that are met again and again."""
    task = small_task()
    few = dict(task.held_out())
    before = task.measure()
    optimizer = torch.optim.Adam(task.paint.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        task.loss(few, torch.Generator())["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    after = task.measure()
    assert after["moved_focus_psnr_db"] != before["moved_focus_psnr_db"], "what is under the paint is dragged"
    assert after["held_out_focus_psnr_db"] > before["moved_focus_psnr_db"] + 0.5
    assert not any(parameter.requires_grad for parameter in task.flow.parameters())


def test_what_is_painted_wholly_is_not_moved() -> None:
    task = small_task()
    torch.nn.init.normal_(task.flow.head.weight, std=0.3)
    face_BSK = torch.ones(1, 1, len(PAINTED_CHANNELS))
    pose_P = task._pose_of(face_BSK)[0, 0]
    columns = parts.POSING.pose_columns
    for column, told in zip(columns, pose_P.tolist(), strict=True):
        is_moved = column in parts.PAINT.face_columns and column not in parts.PAINT.hidden_columns
        assert told == float(is_moved)


@pytest.mark.parametrize("spacing_px", [1, 2, 4])
def test_where_nothing_is_told_squares_are_those_of_the_portrait(spacing_px: int) -> None:
    """All of their pixels, or one in every few."""
    task = small_task(spacing_px=spacing_px)
    batch = task.held_out()
    batch["face_SK"] = torch.zeros_like(batch["face_SK"])
    with torch.no_grad():
        faces = task._made(batch)
    assert torch.equal(faces.moved_BSCHW, faces.painted_BSCHW)
    for portrait, (y, x) in enumerate(batch["corner_2"].tolist()):
        square_HWC = batch["rest_HWC"][portrait, y : y + SIDE_PX : spacing_px, x : x + SIDE_PX : spacing_px]
        wanted_CHW = square_HWC.permute(2, 0, 1).float() / 127.5 - 1
        torch.testing.assert_close(faces.painted_BSCHW[portrait, 0], wanted_CHW, rtol=0, atol=1e-3)


def test_what_is_exported_starts_another_run_and_samples_can_be_seen(tmp_path: Path) -> None:
    task = small_task(num_held_out=SAMPLE_COLUMNS)
    check_that_what_is_exported_starts_another_run(task, small_task(), tmp_path)
    task.write_samples(tmp_path, 7)
    sheet_HWC = cv2.imread(str(tmp_path / "sample-000007.png"))
    assert sheet_HWC is not None and sheet_HWC.shape == (3 * SIDE_PX, 2 * SAMPLE_COLUMNS * SIDE_PX, 3)
