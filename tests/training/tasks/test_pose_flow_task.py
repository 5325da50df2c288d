"""The pose flow's task on constructed shifts: it learns them, says how much better than stillness it is, exports and goes on."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from engine.posing.pose_flow import POSE_UNIT, PoseFlow, PoseFlowConfig
from tests.training.tasks.short_runs import check_that_what_is_exported_starts_another_run, losses_of
from training.data.posed_pairs import PosedPairSamples
from training.parallel import World
from training.recipes import parts
from training.tasks.codec import HELD_OUT_IDENTITY
from training.tasks.pose_flow import FOCUS_WEIGHT, PoseFlowTask, as_pixels, picture_distance

SIDE_PX, FARTHEST_PX = 24, 3
ALONE = World(rank=0, size=1)
FLOW = PoseFlowConfig(frame_width=2, body_columns=(0,), face_columns=(1,), num_crossed=0, look_px=16, widths=(6, 8))


@dataclass(frozen=True, kw_only=True)
class ShiftedPatterns(PosedPairSamples):
    """Soft patterns, and the same shifted to the side by as many pixels as the first number of the pose says; focus is on the left."""

    size_px: int = SIDE_PX

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        rng = np.random.default_rng([self.first_identity, number])
        coarse_HWC = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        rest_HWC = torch.from_numpy(cv2.resize(coarse_HWC, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC))
        shift_px = int(rng.integers(-FARTHEST_PX, FARTHEST_PX + 1))
        focus_HW = torch.zeros(SIDE_PX, SIDE_PX, dtype=torch.bool)
        focus_HW[:, :8] = True
        return {
            "rest_HWC": rest_HWC,
            "posed_HWC": rest_HWC.roll(-shift_px, dims=1),
            "focus_HW": focus_HW,
            "pose_P": torch.tensor([POSE_UNIT * shift_px / FARTHEST_PX, 0.0]),
        }


def small_task(num_held_out: int = 8) -> PoseFlowTask:
    torch.manual_seed(0)
    return PoseFlowTask(
        flow=PoseFlow(FLOW), samples=ShiftedPatterns(), weights_file="posing.safetensors", num_held_out=num_held_out
    )


@torch.no_grad()
def measured(task: PoseFlowTask) -> dict[str, float]:
    """As a trainer measures."""
    return task.measure()


def test_some_steps_learn_a_shift() -> None:
    task = small_task()
    before = measured(task)
    assert before["held_out_psnr_db"] == pytest.approx(before["still_psnr_db"], abs=0.01), "a new flow moves nothing"
    losses = losses_of(task, num_steps=25, batch_samples=8, learning_rate=0.03)
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    after = measured(task)
    assert after["still_psnr_db"] == before["still_psnr_db"]
    assert after["held_out_psnr_db"] > before["held_out_psnr_db"] + 3.0, "on patterns that training never drew"
    with torch.no_grad():
        fields_BN2HW = task.flow(as_pixels(task.held_out()["rest_HWC"]))
    fields_N2 = fields_BN2HW.mean(dim=(0, 3, 4))
    assert float(fields_N2[0, 0]) == pytest.approx(FARTHEST_PX / (SIDE_PX / 2), rel=0.3), (
        "what is seen comes from the right"
    )
    assert abs(float(fields_N2[0, 1])) < 0.05


def psnr_db(made: Tensor, truth: Tensor, where: Tensor) -> float:
    """Of one picture, [H, W, 3] in 0..255."""
    error = ((made.float() - truth.float()).square().mean(dim=2)[where]).mean() / 255**2
    return float(-10 * torch.log10(error))


def test_it_is_measured_against_stillness_on_the_whole_picture_and_where_a_face_moves() -> None:
    task = small_task()
    held_out, measures = task.held_out(), measured(task)
    everywhere = torch.ones(SIDE_PX, SIDE_PX, dtype=torch.bool)
    moving = [number for number in range(8) if held_out["pose_P"][number, 0] != 0]
    assert len(moving) == 8, "a picture that does not move has no error to be put in decibels"
    for name, where in (("still_psnr_db", everywhere), ("still_focus_psnr_db", held_out["focus_HW"][0])):
        wanted = [psnr_db(held_out["rest_HWC"][number], held_out["posed_HWC"][number], where) for number in moving]
        assert measures[name] == pytest.approx(sum(wanted) / len(wanted), abs=0.05)
    own = {"held_out_psnr_db", "still_psnr_db", "held_out_focus_psnr_db", "still_focus_psnr_db"}
    assert measures.keys() == own | {f"strangers_{name}" for name in own}


def test_held_out_characters_are_none_that_training_draws() -> None:
    task = small_task(num_held_out=2)
    assert torch.equal(task.held_out()["rest_HWC"][1], ShiftedPatterns(first_identity=HELD_OUT_IDENTITY)(1)["rest_HWC"])
    assert not torch.equal(task.held_out()["rest_HWC"][1], ShiftedPatterns()(1)["rest_HWC"])
    assert task.held_out() is task.held_out()
    first, again = (next(task.batches(6, 3, ALONE, 0)) for _ in range(2))
    assert torch.equal(first["rest_HWC"], again["rest_HWC"])
    assert torch.equal(first["pose_P"][0], ShiftedPatterns()(6)["pose_P"])
    half = next(task.batches(6, 3, World(rank=1, size=2), 0))
    assert torch.equal(half["rest_HWC"][0], ShiftedPatterns()(7)["rest_HWC"])


def test_the_distance_counts_mouth_and_eyes_more_and_far_moves_from_afar() -> None:
    truth_BCHW, focus_BHW = torch.zeros(1, 3, 16, 16), torch.zeros(1, 16, 16)
    focus_BHW[:, :8, :8] = 1.0
    inside, outside = (truth_BCHW.clone() for _ in range(2))
    inside[..., :8, :8], outside[..., 8:, 8:] = 0.5, 0.5
    nothing = float(picture_distance(truth_BCHW, truth_BCHW, focus_BHW))
    distances = [float(picture_distance(each, truth_BCHW, focus_BHW)) for each in (inside, outside)]
    plain = float(picture_distance(outside, truth_BCHW, torch.zeros_like(focus_BHW)))
    assert distances[0] > distances[1] > nothing >= 0
    assert (distances[0] - distances[1]) / (plain - 0.01) == pytest.approx(FOCUS_WEIGHT - 1, rel=0.2)


@torch.no_grad()
def test_a_rough_field_costs() -> None:
    """Two flows that move nothing in the poses of a batch are told apart by how rough their fields are."""
    task = small_task()
    batch = next(task.batches(0, 4, ALONE, 0))
    batch["pose_P"] = torch.zeros_like(batch["pose_P"])
    smooth = float(task.loss(batch, torch.Generator())["loss"])
    torch.nn.init.normal_(task.flow.head.weight, std=0.5)
    rough = task.loss(batch, torch.Generator())
    assert float(rough["loss"]) > smooth
    assert float(rough["distance"]) == pytest.approx(smooth, rel=0.02)


def test_what_is_exported_starts_another_run_and_samples_can_be_seen(tmp_path: Path) -> None:
    task = small_task(num_held_out=3)
    torch.nn.init.normal_(task.flow.head.weight, std=0.1)
    check_that_what_is_exported_starts_another_run(task, small_task(), tmp_path)
    task.write_samples(tmp_path, 7)
    sheet_HWC = cv2.imread(str(tmp_path / "sample-000007.png"))[:, :, ::-1]  # type: ignore[index]
    assert sheet_HWC.shape == (3 * SIDE_PX, 3 * SIDE_PX, 3)
    assert np.abs(sheet_HWC[:SIDE_PX, :SIDE_PX].astype(int) - task.held_out()["rest_HWC"][0].numpy()).max() <= 1
    assert np.abs(sheet_HWC[-SIDE_PX:, -SIDE_PX:].astype(int) - task.held_out()["posed_HWC"][2].numpy()).max() <= 1
    assert task.adamw_names == ("head",)


def test_the_recipes_flow_learns_from_the_actors_own_pairs() -> None:
    """A step on two real pairs: every weight has a part in it, but for those that begin behind zeros."""
    samples = PosedPairSamples(size_px=48)
    task = PoseFlowTask(flow=PoseFlow(parts.POSING), samples=samples, weights_file="posing.safetensors")
    torch.nn.init.normal_(task.flow.head.weight, std=0.02)
    task.loss(next(task.batches(0, 2, ALONE, 0)), torch.Generator())["loss"].backward()  # type: ignore[no-untyped-call]
    without = {name for name, parameter in task.flow.named_parameters() if not parameter.grad.any()}  # type: ignore[union-attr]
    assert all(".conv_in." in name or ".norm." in name for name in without)
    assert any("head" in name for name, parameter in task.flow.named_parameters() if name not in without)
