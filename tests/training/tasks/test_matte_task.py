"""The matting network's task on bright discs before dark noise: it learns where they are, says how well, exports and goes on."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from engine.posing.matte import Matte, MatteConfig
from tests.training.tasks.short_runs import check_that_what_is_exported_starts_another_run, losses_of
from training.data.mattes import MatteSamples
from training.parallel import World
from training.tasks.codec import HELD_OUT_IDENTITY
from training.tasks.matte import MatteTask

SIDE_PX = 24
ALONE = World(rank=0, size=1)


@dataclass(frozen=True, kw_only=True)
class Discs(MatteSamples):
    """A bright disc somewhere before dark noise."""

    size_px: int = SIDE_PX

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        rng = np.random.default_rng([self.first_identity, number])
        x, y = rng.uniform(9.0, SIDE_PX - 9.0, 2)
        axis = np.arange(SIDE_PX)
        is_in_HW = (axis - x) ** 2 + (axis[:, None] - y) ** 2 < 49.0
        noise_HWC = rng.integers(0, 90, (SIDE_PX, SIDE_PX, 3))
        picture_HWC = np.where(is_in_HW[..., None], 160 + noise_HWC, noise_HWC).astype(np.uint8)
        return {
            "picture_HWC": torch.from_numpy(picture_HWC),
            "matte_HW": torch.from_numpy(is_in_HW.astype(np.float32)),
        }


def small_task(num_held_out: int = 8) -> MatteTask:
    torch.manual_seed(0)
    return MatteTask(
        matte=Matte(MatteConfig(look_px=SIDE_PX, widths=(6, 8))),
        samples=Discs(),
        weights_file="matte.safetensors",
        num_held_out=num_held_out,
    )


def test_some_steps_find_the_discs() -> None:
    task = small_task()
    begun = task.measure()
    losses = losses_of(task, num_steps=120, batch_samples=8, learning_rate=5e-3)
    assert losses[-1] < 0.25 * losses[0]
    found = task.measure()
    assert begun["held_out_overlap"] < 0.3 and begun["lost_share"] == 0.0, "to a silent network all is the character"
    assert found["held_out_overlap"] > 0.9
    assert found["lost_share"] < 0.1
    assert found["worst_overlap"] <= found["held_out_overlap"] and found["most_lost_share"] >= found["lost_share"]


def test_held_out_discs_are_others_and_always_the_same() -> None:
    task = small_task(num_held_out=2)
    held_out = task.held_out()
    assert torch.equal(held_out["picture_HWC"][0], Discs(first_identity=HELD_OUT_IDENTITY)(0)["picture_HWC"])
    assert not torch.equal(held_out["picture_HWC"], next(task.batches(0, 2, ALONE, 0))["picture_HWC"])


def test_a_sheet_shows_pictures_what_is_found_and_the_truth(tmp_path: Path) -> None:
    small_task(num_held_out=3).write_samples(tmp_path, 7)
    sheet_HWC = cv2.imread(str(tmp_path / "sample-000007.png"))
    assert sheet_HWC is not None and sheet_HWC.shape == (3 * SIDE_PX, 3 * SIDE_PX, 3)


def test_what_is_exported_starts_another_run(tmp_path: Path) -> None:
    check_that_what_is_exported_starts_another_run(small_task(), small_task(), tmp_path)
