"""Performing with a plan of motion: another seed moves differently, guidance is the plan's, rows are kept and recalled with the windows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from engine.base.job import FilmPiece, PerformJob, PromptSpan
from engine.base.performer import Performer, perform
from engine.base.window_store import NAME, WindowStore
from engine.errors import CancelledError
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack, load_pack
from engine.motion.planner import MotionPlanner
from tests.engine.small_pack import ROW_WIDTH, small_character, write_small_motion_pack

NUM_FRAMES = 62
NUM_WINDOWS = 5


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_motion_pack(tmp_path_factory.mktemp("packs")))


def job(num_frames: int = NUM_FRAMES) -> PerformJob:
    speak_S, listen_S = (0.3 * np.random.default_rng(0).standard_normal((2, num_frames * 1000))).astype(np.float32)
    return PerformJob(character=small_character(), num_frames=num_frames, speak_S=speak_S, listen_S=listen_S)


def film(pieces: list[FilmPiece]) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in pieces])


class Watched(MotionPlanner):
    """Remembers every row."""

    def __init__(self, planner: MotionPlanner) -> None:
        super().__init__(planner.motion, slack_rows=100)

    @property
    def all_rows(self) -> Tensor:
        """[F, M]."""
        return self.planned(0)[0]


def planned(pack: LoadedPack, job: PerformJob, reuse: WindowStore | None = None) -> tuple[Tensor, list[FilmPiece]]:
    """Every row of a film's plan, and the film."""
    performer = Performer(pack, job, pack.base, lambda: False, reuse, reuse)
    assert performer.planner is not None
    performer.planner = watched = Watched(performer.planner)
    pieces = list(performer.pieces())
    return watched.all_rows, pieces


def test_the_plan_follows_from_the_job_and_the_pictures_from_the_plan(pack: LoadedPack) -> None:
    rows, pieces = planned(pack, job(30))
    again, same = planned(pack, job(30))
    moved, others = planned(pack, replace(job(30), seed=1))
    assert rows.shape == (5 + 3, ROW_WIDTH)
    assert torch.equal(rows, again)
    assert np.array_equal(film(pieces), film(same))
    assert (rows - moved).abs().mean() > 0.1
    assert not np.array_equal(film(pieces), film(others))
    assert all("motion" in piece.stages_s for piece in pieces)

    class Still(MotionPlanner):
        def rows(self, start: int) -> Tensor:
            return torch.zeros_like(super().rows(start))

    performer = Performer(pack, job(30), pack.base, lambda: False, None, None)
    assert pack.motion is not None
    performer.planner = Still(pack.motion, pack.base.window_latents)
    assert not np.array_equal(film(pieces), film(list(performer.pieces())))


def test_a_jobs_guidance_is_the_plans_and_the_packs_own_is_what_it_has_without(pack: LoadedPack) -> None:
    assert pack.motion is not None
    assert pack.guidance == pack.motion.settings.guidance
    rows, _ = planned(pack, job(30))
    same, _ = planned(pack, replace(job(30), guidance=pack.motion.settings.guidance))
    strong, _ = planned(pack, replace(job(30), guidance=GuidanceScales(text=1.0, speak=3.0, listen=3.0)))
    assert torch.equal(rows, same)
    assert not torch.allclose(rows, strong, atol=1e-3)

    plain = film(list(perform(pack, job(30))))
    drawn_with_guidance = replace(pack, base=replace(pack.base, guidance=GuidanceScales(speak=3.0)))
    assert not np.array_equal(plain, film(list(perform(drawn_with_guidance, job(30)))))
    assert np.array_equal(plain, film(list(perform(pack, replace(job(30), guidance=pack.guidance)))))
    assert not np.array_equal(plain, film(list(perform(pack, replace(job(30), guidance=GuidanceScales())))))


def test_rows_are_recalled_with_their_windows(pack: LoadedPack, tmp_path: Path) -> None:
    rows, pieces = planned(pack, job())
    store = WindowStore(tmp_path)
    shown: list[FilmPiece] = []
    with pytest.raises(CancelledError):
        for piece in perform(pack, job(), lambda: len(shown) == 2, keep=store, reuse=store):
            shown.append(piece)
    recalled, resumed = planned(pack, job(), WindowStore(tmp_path))
    assert [piece.is_reused for piece in resumed] == [True] * 2 + [False] * 3
    assert torch.equal(recalled, rows)
    assert np.array_equal(film(resumed), film(pieces))


def test_a_window_without_its_rows_is_made_again(pack: LoadedPack, tmp_path: Path) -> None:
    rows, pieces = planned(pack, job(), WindowStore(tmp_path))
    kept_rows = [path for path in tmp_path.glob("*") if load_file(path)[NAME].ndim == 2]
    assert len(kept_rows) == NUM_WINDOWS
    kept_rows[0].unlink()
    kept_rows[1].write_bytes(kept_rows[1].read_bytes()[:-4] + np.float32(np.nan).tobytes())
    kept_rows[2].write_bytes(kept_rows[2].read_bytes()[:-4])
    again, resumed = planned(pack, job(), WindowStore(tmp_path))
    assert sum(not piece.is_reused for piece in resumed) == 3
    assert torch.equal(again, rows)
    assert np.array_equal(film(resumed), film(pieces))


def test_a_change_in_the_middle_leaves_the_plan_before_it(pack: LoadedPack, tmp_path: Path) -> None:
    rows, _ = planned(pack, job(), WindowStore(tmp_path))
    directed = replace(job(), prompts=(PromptSpan(start_frame=40, end_frame=62, text="nods"),))
    changed, pieces = planned(pack, directed, WindowStore(tmp_path))
    assert [piece.is_reused for piece in pieces] == [True] * 3 + [False] * 2
    assert torch.equal(changed[:11], rows[:11])
    assert (changed[11:] != rows[11:]).any(dim=1).all()


@pytest.mark.parametrize("setting", ["history_rows", "num_steps", "shift", "limit"])
def test_another_way_to_plan_reuses_nothing(pack: LoadedPack, tmp_path: Path, setting: str) -> None:
    planned(pack, job(24), WindowStore(tmp_path))
    assert pack.motion is not None
    settings = replace(pack.motion.settings, **{setting: getattr(pack.motion.settings, setting) + 1})
    other = replace(pack, motion=replace(pack.motion, settings=settings))
    _, pieces = planned(other, job(24), WindowStore(tmp_path))
    assert not any(piece.is_reused for piece in pieces)
