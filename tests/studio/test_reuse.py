"""A timeline that was rendered once: an edit late in it makes anew only what it reaches, with the studio's own engine calls."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.loaded_pack import load_pack
from engine.locations import HOME_VARIABLE, windows_dir
from studio.app import engine_machinery
from studio.background.engine_thread import RenderProgress
from studio.commands import prompt_edits
from studio.project.document import Project
from studio.project.render_plan import plan_render, render_job
from studio.project.store import ProjectStore
from tests.engine.small_pack import write_small_pack


def test_a_late_edit_keeps_the_windows_before_it(
    store: ProjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    (tmp_path / "small").mkdir()
    pack = load_pack(write_small_pack(tmp_path / "small"))
    perform = engine_machinery().perform

    def render(project: Project) -> tuple[list[bool], NDArray[np.uint8]]:
        job = render_job(plan_render(project, store.media), store.media)
        pieces = list(perform(pack, job, lambda: False))
        return [piece.is_reused for piece in pieces], np.concatenate([piece.frames_THWC for piece in pieces])

    first, film_THWC = render(store.project)
    assert not any(first)
    assert list(windows_dir().glob("*.safetensors"))
    edited = prompt_edits.set_prompt_text(store.project, "p2", "laughs")  # frames 72..120
    second, edited_THWC = render(edited)
    num_kept = second.index(False)
    assert num_kept >= 4 and not any(second[num_kept:])
    assert np.array_equal(edited_THWC[:60], film_THWC[:60])
    assert not np.array_equal(edited_THWC, film_THWC)
    undone, film_again_THWC = render(store.project)
    assert all(undone), "an edit that is undone costs nothing"
    assert np.array_equal(film_again_THWC, film_THWC)


def test_the_speed_told_is_that_of_frames_made_anew() -> None:
    progress = RenderProgress(
        start_frame=48,
        num_frames=24,
        done_frames=72,
        total_frames=120,
        elapsed_s=5.0,
        reused_frames=48,
        reused_s=1.0,
    )
    assert progress.made_frames == 24
    assert progress.seconds_per_second == pytest.approx(4.0)
    assert progress.remaining_s == pytest.approx(8.0)
    only_kept = RenderProgress(
        start_frame=0, num_frames=24, done_frames=24, total_frames=48, elapsed_s=1.0, reused_frames=24, reused_s=1.0
    )
    assert only_kept.seconds_per_second is None and only_kept.remaining_s is None
