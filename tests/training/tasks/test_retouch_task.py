"""The retouching network's task on tiny films: it learns, is measured beside what it is given, exports and goes on."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.posing.pose_flow import PoseFlow
from engine.posing.retouch import Retouch, RetouchConfig
from tests.engine.small_pack import CODEC, all_the_way
from tests.training.tasks.short_runs import check_that_what_is_exported_starts_another_run, losses_of
from training.data.posed_films import PosedFilmSamples
from training.parallel import World
from training.recipes import parts
from training.tasks.codec import HELD_OUT_IDENTITY, to_pixels
from training.tasks.retouch import (
    MOST_TO_ANCHOR,
    MOST_TO_MEAN,
    STRENGTH_WEIGHT,
    UNSURE_SHARE,
    RetouchTask,
    Unsure,
    edge_distance,
)

SIZE_PX = 48
ALONE = World(rank=0, size=1)
RETOUCH = RetouchConfig(cell_px=4, width=16, num_blocks=1)


@dataclass(frozen=True, kw_only=True)
class FewFilms(PosedFilmSamples):
    """The first few films again and again, each drawn once."""

    size_px: int = SIZE_PX

    def __call__(self, number: int) -> dict[str, Tensor]:
        """A pure function of the sample's number."""
        return drawn(self.first_identity, number % 6)


@cache
def drawn(first_identity: int, number: int) -> dict[str, Tensor]:
    return PosedFilmSamples(size_px=SIZE_PX, first_identity=first_identity)(number)


def small_task(retouch: Retouch | None = None, num_held_out: int = 4) -> RetouchTask:
    torch.manual_seed(0)
    return RetouchTask(
        retouch=retouch or Retouch(RETOUCH),
        codec=FoldedVae(CODEC).eval().requires_grad_(False),
        flow=PoseFlow(replace(parts.POSING, look_px=16, widths=(6, 8))).eval().requires_grad_(False),
        samples=FewFilms(),
        weights_file="retouch.safetensors",
        num_held_out=num_held_out,
    )


@torch.no_grad()
def measured(task: RetouchTask) -> dict[str, float]:
    """As a trainer measures."""
    return task.measure()


def test_some_steps_learn_to_retouch() -> None:
    """Behind a codec that was not trained: all that is fine in a picture is to be had from the anchor."""
    task = small_task()
    before = measured(task)
    assert before["held_out_psnr_db"] == pytest.approx(before["decoded_psnr_db"], abs=0.3), "at first nearly nothing"
    losses = losses_of(task, num_steps=16, batch_samples=3, learning_rate=0.02)
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    after = measured(task)
    assert after["held_out_psnr_db"] > before["held_out_psnr_db"] + 2.0, "of characters that training never drew"
    assert after["held_out_focus_psnr_db"] > before["held_out_focus_psnr_db"]
    given = [name for name in before if not name.startswith("held_out")]
    assert [after[name] for name in given] == [before[name] for name in given], "codec and flow are left alone"


def test_it_is_measured_beside_what_it_is_given() -> None:
    """One that gives the moved anchor, which a new flow does not move."""
    task = small_task(all_the_way(RETOUCH))
    held_out, measures = task.held_out(), measured(task)
    assert measures.keys() == {
        f"{name}_{what}" for name in ("held_out", "decoded", "moved") for what in ("psnr_db", "focus_psnr_db", "edges")
    }
    for what in ("psnr_db", "focus_psnr_db", "edges"):
        assert measures[f"held_out_{what}"] == pytest.approx(measures[f"moved_{what}"])
        assert measures[f"held_out_{what}"] != pytest.approx(measures[f"decoded_{what}"])
    truth_BTHWC, still_BTHWC = held_out["pixels_THWC"].double(), held_out["anchor_HWC"][:, None].double()
    error_BTHW = ((truth_BTHWC - still_BTHWC) / 255).square().mean(dim=-1)
    for what, where in (("psnr_db", torch.ones_like(held_out["focus_THW"])), ("focus_psnr_db", held_out["focus_THW"])):
        wanted = float(-10 * torch.log10(error_BTHW[where].mean()))
        assert measures[f"moved_{what}"] == pytest.approx(wanted, abs=0.02)
    assert measures["moved_edges"] == pytest.approx(1.0, abs=0.25), "drawn as finely as the film"


def test_held_out_characters_are_none_that_training_draws() -> None:
    task = small_task(num_held_out=2)
    wanted = PosedFilmSamples(size_px=SIZE_PX, first_identity=HELD_OUT_IDENTITY)(1)
    assert torch.equal(task.held_out()["pixels_THWC"][1], wanted["pixels_THWC"])
    assert not torch.equal(task.held_out()["anchor_HWC"][1], FewFilms()(1)["anchor_HWC"])
    assert task.held_out() is task.held_out()
    half = next(task.batches(2, 2, World(rank=1, size=2), 0))
    assert torch.equal(half["pixels_THWC"][0], FewFilms()(3)["pixels_THWC"])


@torch.no_grad()
def test_unsure_latents_lie_towards_the_anchor_in_pose_or_the_mean_of_the_film() -> None:
    task, batch = small_task(), next(small_task().batches(0, 2, ALONE, 0))
    surely, no_B, first_B = task._before(batch)[0], torch.zeros(2), torch.tensor([1.0, 0.0])
    sure = task._before(batch, Unsure(to_anchor_B=no_B, to_mean_B=no_B))[0]
    torch.testing.assert_close(sure, surely, rtol=0, atol=1e-5)
    to_anchor = task._before(batch, Unsure(to_anchor_B=first_B, to_mean_B=no_B))[0]
    anchor_BTHWC = batch["anchor_HWC"][:, None].expand(-1, 8, -1, -1, -1)  # which a new flow does not move
    still = task._before({**batch, "pixels_THWC": anchor_BTHWC})[0]
    torch.testing.assert_close(to_anchor[0], still[0], rtol=0, atol=0.1)
    torch.testing.assert_close(to_anchor[1], surely[1], rtol=0, atol=1e-5)
    assert (to_anchor[0] - surely[0]).abs().max() > 0.2
    true_BFCHW, posed_BFCHW = torch.randn(2, 2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    drawn_BFCHW = Unsure(to_anchor_B=no_B, to_mean_B=first_B).drawing_of(true_BFCHW, posed_BFCHW)
    torch.testing.assert_close(drawn_BFCHW[0], true_BFCHW[0].mean(dim=0).expand(3, -1, -1, -1))
    assert torch.equal(drawn_BFCHW[1], true_BFCHW[1])


@torch.no_grad()
def test_films_are_unsure_by_lot_one_way_at_most_or_not_at_all() -> None:
    unsure = Unsure.drawn(2000, torch.Generator().manual_seed(0))
    for share_B, most in ((unsure.to_anchor_B, MOST_TO_ANCHOR), (unsure.to_mean_B, MOST_TO_MEAN)):
        assert (share_B > 0).float().mean() == pytest.approx(UNSURE_SHARE, abs=0.04)
        assert share_B.min() >= 0.0 and 0.95 * most < share_B.max() <= most
    assert not ((unsure.to_anchor_B > 0) & (unsure.to_mean_B > 0)).any()
    task, batch = small_task(), next(small_task().batches(0, 2, ALONE, 0))
    losses = [float(task.loss(batch, torch.Generator().manual_seed(seed))["loss"]) for seed in (0, 0, 1, 2, 3)]
    assert losses[0] == losses[1] and len(set(losses)) > 1, "by the generator's numbers and no others"


def test_edges_count_by_how_they_differ_and_not_by_where_the_picture_lies() -> None:
    truth_BCHW = to_pixels(drawn(0, 0)["pixels_THWC"])
    assert float(edge_distance(truth_BCHW, truth_BCHW)) == 0.0
    assert float(edge_distance(truth_BCHW + 0.3, truth_BCHW)) < 1e-6
    stripes_W, flat_BCHW = 0.1 * (torch.arange(SIZE_PX) % 2), torch.zeros(1, 3, SIZE_PX, SIZE_PX)
    across, along = (float(edge_distance(flat_BCHW + each, flat_BCHW)) for each in (stripes_W, stripes_W[:, None]))
    assert across == pytest.approx(along)
    assert across == pytest.approx(0.1 * (1 + STRENGTH_WEIGHT))


def test_an_edge_that_is_a_pixel_off_costs_less_than_none() -> None:
    def step_at(place: int) -> Tensor:
        step_W = (torch.arange(SIZE_PX) >= place).float()
        return step_W.expand(1, 3, SIZE_PX, SIZE_PX)

    truth_BCHW, none_BCHW = step_at(10), torch.full((1, 3, SIZE_PX, SIZE_PX), 0.5)
    assert edge_distance(step_at(11), truth_BCHW) < edge_distance(none_BCHW, truth_BCHW)
    assert edge_distance(step_at(30), truth_BCHW) > edge_distance(none_BCHW, truth_BCHW), "one somewhere else is worse"


def test_what_is_exported_starts_another_run_and_samples_can_be_seen(tmp_path: Path) -> None:
    task = small_task(num_held_out=3)
    torch.nn.init.normal_(task.retouch.touch.weight, std=0.1)
    check_that_what_is_exported_starts_another_run(task, small_task(), tmp_path)
    with torch.no_grad():
        task.write_samples(tmp_path, 7)
    sheet_HWC = cv2.imread(str(tmp_path / "sample-000007.png"))[:, :, ::-1]  # type: ignore[index]
    assert sheet_HWC.shape == (4 * SIZE_PX, 3 * SIZE_PX, 3)
    held_out = task.held_out()
    assert np.abs(sheet_HWC[:SIZE_PX, :SIZE_PX].astype(int) - held_out["anchor_HWC"][0].numpy()).max() <= 1
    assert np.abs(sheet_HWC[-SIZE_PX:, -SIZE_PX:].astype(int) - held_out["pixels_THWC"][2, 5].numpy()).max() <= 1


def test_every_weight_of_the_recipes_network_learns() -> None:
    torch.manual_seed(0)
    retouch = Retouch(parts.RETOUCH)
    for layer in (retouch.share, retouch.touch):
        torch.nn.init.normal_(layer.weight, std=0.02)
    task = small_task(retouch)
    task.loss(next(task.batches(0, 2, ALONE, 0)), torch.Generator().manual_seed(0))["loss"].backward()  # type: ignore[no-untyped-call]
    without = {name for name, parameter in retouch.named_parameters() if not parameter.grad.any()}  # type: ignore[union-attr]
    assert all("blocks." in name and (".conv_in." in name or ".norm." in name) for name in without)
    names = {name.split(".")[0] for name, _ in retouch.named_parameters()}
    assert set(task.adamw_names) < names
