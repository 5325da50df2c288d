"""The retouching network's task on tiny cuts: it learns, also what it is told, is measured beside what it is given, exports and goes on."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.codec.folded_vae import FoldedVae
from engine.posing.pose_flow import PoseFlow
from engine.posing.retouch import Retouch, RetouchConfig
from tests.engine.small_pack import CODEC, all_the_way
from tests.training.tasks.short_runs import check_that_what_is_exported_starts_another_run, losses_of
from training.actor.state import STATE_CHANNELS
from training.data.posed_films import PosedFilmSamples
from training.data.retouch_cuts import HELD_OUT_EACH, SUFFIX, CutMaker, Unsure, cuts_apart, whole_cuts
from training.parallel import World
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import NothingToLearn
from training.recipes.tiny_retouch import tiny_retouch
from training.tasks.codec import to_pixels
from training.tasks.retouch import STRENGTH_WEIGHT, RetouchTask, edge_distance

SIZE_PX = 48
ALONE = World(rank=0, size=1)
RETOUCH = RetouchConfig(frame_width=len(STATE_CHANNELS), cell_px=4, width=16, num_blocks=1, told_width=16)


@cache
def cut(number: int) -> dict[str, Tensor]:
    """Behind a codec that was not trained: all that is fine in a picture is to be had from the anchor, which a new flow does not move."""
    torch.manual_seed(0)
    maker = CutMaker(
        codec=FoldedVae(CODEC).eval().requires_grad_(False),
        flow=PoseFlow(replace(parts.POSING, look_px=16, widths=(6, 8))).eval().requires_grad_(False),
        size_px=SIZE_PX,
        film_px=SIZE_PX,
    )
    sample = PosedFilmSamples(size_px=SIZE_PX, anchor_px=SIZE_PX)(number)
    return maker.of_posed(sample, Unsure(to_anchor=0.0, to_mean=0.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file that is held out and two that are not, each with a cut that counts as drawn and one of a random film."""
    folder = tmp_path_factory.mktemp("cuts")
    for number in range(HELD_OUT_EACH + 1):
        cuts = [{**cut(2 * (number % 3) + kind), "is_drawn": torch.tensor(kind == 0)} for kind in (0, 1)]
        save_file(
            {name: torch.stack([each[name] for each in cuts]) for name in cuts[0]}, folder / f"{number:06d}{SUFFIX}"
        )
    return folder


def small_task(folder: Path, retouch: Retouch | None = None) -> RetouchTask:
    torch.manual_seed(0)
    learned, kept_back = cuts_apart(folder)
    return RetouchTask(
        retouch=retouch or Retouch(RETOUCH),
        learned=learned,
        kept_back=kept_back,
        weights_file="retouch.safetensors",
        side_px=24,
    )


@torch.no_grad()
def measured(task: RetouchTask) -> dict[str, float]:
    """As a trainer measures."""
    return task.measure()


def test_some_steps_learn_to_retouch(folder: Path) -> None:
    task = small_task(folder)
    before = measured(task)
    assert before["decoded_psnr_db"] + 2.0 < before["held_out_psnr_db"] < before["moved_psnr_db"], (
        "at first nearly all the way"
    )
    losses = losses_of(task, num_steps=30, batch_samples=6, learning_rate=0.02)
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    after = measured(task)
    assert after["held_out_psnr_db"] > before["held_out_psnr_db"] + 2.0, "of files that training never opens"
    assert after["random_held_out_psnr_db"] > before["random_held_out_psnr_db"] + 2.0
    assert after["held_out_focus_psnr_db"] > before["held_out_focus_psnr_db"]
    given = [name for name in before if "held_out" not in name]
    assert [after[name] for name in given] == [before[name] for name in given]


def test_it_learns_from_squares_of_the_files_that_are_not_held_out(folder: Path) -> None:
    task = small_task(folder)
    batch = next(task.batches(0, 4, ALONE, 0))
    assert batch["decoded_TCHW"].shape == (4, 8, 3, 24, 24) and batch["from_rest_FM"].shape == (4, 2, RETOUCH.row_width)
    half = next(task.batches(2, 2, World(rank=1, size=2), 0))
    assert torch.equal(half["truth_TCHW"][0], batch["truth_TCHW"][3])
    wanted = whole_cuts((folder / f"000000{SUFFIX}", folder / f"{HELD_OUT_EACH:06d}{SUFFIX}"), are_drawn=True)
    assert torch.equal(task.held_out("drawn")["truth_TCHW"], wanted["truth_TCHW"])
    assert task.held_out("drawn") is task.held_out("drawn")


def test_several_held_out_files_can_be_measured_where_training_computes_in_bfloat16(folder: Path) -> None:
    """As the trainer measures on processors with bf16 units: autocast refuses to join the float16 that decoded pictures are kept in."""
    learned, kept_back = cuts_apart(folder)
    assert len(kept_back) > 1
    task = RetouchTask(
        retouch=Retouch(RETOUCH), learned=learned, kept_back=kept_back, weights_file=parts.RETOUCH_FILE, side_px=24
    )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        measures = task.measure()
    assert task.held_out("drawn")["decoded_TCHW"].dtype == torch.float32
    assert measures["held_out_psnr_db"] > 10.0


def test_without_cuts_there_is_nothing_to_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.recipes.tiny_retouch.DRAWN_BY", ())
    with pytest.raises(NothingToLearn, match=r"holds too few cuts.*lpm train tiny-retouching"):
        tiny_retouch(Places(parts=tmp_path, clips=tmp_path))


def test_what_is_told_can_be_learned_frame_by_frame() -> None:
    """Pictures that are all alike, and frames that should be as bright as one number says that is told of each."""
    torch.manual_seed(0)
    retouch = Retouch(replace(RETOUCH, width=32, told_width=32))
    fold = RETOUCH.frames_per_latent
    optimizer = torch.optim.Adam(retouch.parameters(), 0.005)
    grey_BTCHW = torch.zeros(8, fold, 3, 12, 12)

    def error(rows_BFM: Tensor) -> Tensor:
        wanted_BT = torch.tanh(rows_BFM[:, 0].unflatten(-1, (fold, -1))[..., 5])
        made_BTCHW = retouch(grey_BTCHW, grey_BTCHW, rows_BFM)
        return (made_BTCHW - wanted_BT[..., None, None, None]).square().mean()

    def rows() -> Tensor:
        rows_BFTK = torch.zeros(8, 1, fold, RETOUCH.frame_width)
        rows_BFTK[..., 5] = 2 * torch.randn(8, 1, fold)
        return rows_BFTK.flatten(2)

    before = float(error(rows()).detach())
    for _ in range(150):
        optimizer.zero_grad()
        error(rows()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(error(rows()).detach()) < 0.3 * before


def test_it_is_measured_beside_what_it_is_given(folder: Path) -> None:
    """One that gives the moved anchor, which a new flow does not move."""
    task = small_task(folder, all_the_way(RETOUCH))
    held_out, measures = task.held_out("drawn"), measured(task)
    assert measures.keys() == {
        f"{kind}{name}_{what}"
        for kind in ("", "random_")
        for name in ("held_out", "decoded", "moved")
        for what in ("psnr_db", "focus_psnr_db", "edges")
    }
    for what in ("psnr_db", "focus_psnr_db", "edges"):
        assert measures[f"held_out_{what}"] == pytest.approx(measures[f"moved_{what}"])
        assert measures[f"held_out_{what}"] != pytest.approx(measures[f"decoded_{what}"])
    error_BTHW = ((held_out["truth_TCHW"] - held_out["moved_TCHW"]).double() / 2).square().mean(dim=2)
    for what, where in (("psnr_db", torch.ones_like(error_BTHW) > 0), ("focus_psnr_db", held_out["focus_THW"] > 0)):
        wanted = float(-10 * torch.log10(error_BTHW[where].mean()))
        assert measures[f"moved_{what}"] == pytest.approx(wanted, abs=0.02)
    assert measures["moved_edges"] == pytest.approx(1.0, abs=0.25), "drawn as finely as the film"


def test_edges_count_by_how_they_differ_and_not_by_where_the_picture_lies() -> None:
    truth_BCHW = to_pixels(PosedFilmSamples(size_px=SIZE_PX, anchor_px=SIZE_PX)(0)["pixels_THWC"])
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


def test_what_is_exported_starts_another_run_and_samples_can_be_seen(folder: Path, tmp_path: Path) -> None:
    task = small_task(folder)
    torch.nn.init.normal_(task.retouch.touch.weight, std=0.1)
    check_that_what_is_exported_starts_another_run(task, small_task(folder), tmp_path)
    with torch.no_grad():
        task.write_samples(tmp_path, 7)
    sheet_HWC = cv2.imread(str(tmp_path / "sample-000007.png"))[:, :, ::-1]  # type: ignore[index]
    assert sheet_HWC.shape == (4 * SIZE_PX, 2 * SIZE_PX, 3)
    held_out = task.held_out("drawn")
    for row, name in ((0, "moved_TCHW"), (3, "truth_TCHW")):
        wanted_HWC = 127.5 * (held_out[name][0, 5].permute(1, 2, 0).numpy() + 1)
        assert np.abs(sheet_HWC[row * SIZE_PX : (row + 1) * SIZE_PX, :SIZE_PX] - wanted_HWC).max() <= 1


def test_every_weight_of_the_recipes_network_learns(folder: Path) -> None:
    torch.manual_seed(0)
    retouch = Retouch(parts.RETOUCH)
    for layer in (retouch.share, retouch.touch, retouch.tell):
        torch.nn.init.normal_(layer.weight, std=0.02)
    task = small_task(folder, retouch)
    task.loss(next(task.batches(0, 2, ALONE, 0)), torch.Generator().manual_seed(0))["loss"].backward()  # type: ignore[no-untyped-call]
    without = {name for name, parameter in retouch.named_parameters() if not parameter.grad.any()}  # type: ignore[union-attr]
    assert all("blocks." in name and (".conv_in." in name or ".norm." in name) for name in without)
    names = {name.split(".")[0] for name, _ in retouch.named_parameters()}
    assert set(task.adamw_names) < names
