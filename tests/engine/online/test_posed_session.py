"""Live sessions on packs that pose their anchor: what is posed shows, survives interruptions, and is what offline performing poses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.loaded_pack import LoadedPack, load_pack
from engine.online.live import LiveConfig
from engine.online.opening import open_session, restore_session
from engine.online.session import LiveSession
from engine.pixels import as_pixels
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.poser import Poser
from tests.engine.online.small_online_pack import write_small_posed_pack
from tests.engine.online.small_sessions import CHUNK, NODDING, VOICE, in_short_windows, pictures, pull
from tests.engine.small_pack import small_character, striking_character, write_small_posing_pack

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=[write_small_posing_pack, write_small_posed_pack], ids=["base", "causal"])
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return in_short_windows(load_pack(request.param(tmp_path_factory.mktemp("packs") / "small")))


def opened(pack: LoadedPack, config: LiveConfig = NODDING) -> LiveSession:
    session = open_session(striking_character(), pack, config)
    session.push_speak(VOICE)
    return session


def posed_rows(monkeypatch: pytest.MonkeyPatch) -> list[tuple[AnchorPicture, Tensor]]:
    """Pictures and rows that are posed from now on."""
    told: list[tuple[AnchorPicture, Tensor]] = []
    latents: Callable[[Poser, AnchorPicture, Tensor, Tensor | None], Tensor] = Poser.latents

    def listening(poser: Poser, picture: AnchorPicture, rows_BFM: Tensor, turns_BFT: Tensor | None = None) -> Tensor:
        told.append((picture, rows_BFM))
        return latents(poser, picture, rows_BFM, turns_BFT)

    monkeypatch.setattr(Poser, "latents", listening)
    return told


def test_what_is_posed_shows_and_is_the_anchors_picture_by_the_plan(
    pack: LoadedPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = posed_rows(monkeypatch)
    with opened(pack) as session:
        posed = pictures(pull(session, 2 * CHUNK))
        motion = session._stages.generator.motion  # type: ignore[attr-defined]
        rows_BFM = motion.planner.rows(0)
    own_BCHW = as_pixels(striking_character().global_picture_HWC, pack.size_px)
    assert all(torch.equal(picture.pixels_BCHW, own_BCHW) for picture, _ in told)
    assert pack.motion is not None and all(torch.equal(picture.row_BM, pack.motion.rest()) for picture, _ in told)
    assert len({id(picture.pixels_BCHW) for picture, _ in told}) == 1, "one look for a session"
    posed_BFM = torch.cat([each_BFM for _, each_BFM in told], dim=1)
    assert torch.equal(posed_BFM[:, : 2 * CHUNK // 4], rows_BFM[:, : 2 * CHUNK // 4]), (
        "each latent once, as it is drawn"
    )
    with opened(replace(pack, posing=None)) as session:
        assert not np.array_equal(posed, pictures(pull(session, 2 * CHUNK)))


def test_a_session_that_is_interrupted_poses_its_new_plan(pack: LoadedPack, monkeypatch: pytest.MonkeyPatch) -> None:
    told = posed_rows(monkeypatch)
    with opened(pack) as session:
        pull(session, CHUNK + 2)
        for _ in range(20):
            session.work()
        withdrawn = told[-1][1].clone()
        session.set_prompt("shakes the head", withdraw=True)
        before = len(told)
        frames = pull(session, 3 * CHUNK)
        assert session.report().withdrawn_frames > 0
        motion = session._stages.generator.motion  # type: ignore[attr-defined]
        rows_BFM, length = motion.planner.rows(0), motion.planner.length
    again = [rows for _, rows in told[before:]]
    news = torch.cat(again, dim=1)
    assert torch.equal(news, rows_BFM[:, length - news.shape[1] :])
    assert not torch.equal(again[0], withdrawn)
    assert len(frames) == 3 * CHUNK


def test_a_session_from_a_file_goes_on_to_the_same_frames(pack: LoadedPack, tmp_path: Path) -> None:
    with opened(pack) as session:
        pull(session, CHUNK)
        session.snapshot(tmp_path / "kept")
        following = pictures(pull(session, CHUNK))
    with restore_session(tmp_path / "kept", striking_character(), pack, split="caller") as session:
        restored = pictures(pull(session, CHUNK))
    assert np.array_equal(following, restored)


def test_a_pipeline_of_threads_poses_as_one_thread_does(pack: LoadedPack) -> None:
    films = []
    for split in ("caller", "pipeline"):
        with open_session(striking_character(), pack, replace(NODDING, split=split)) as session:
            films.append(pictures(pull(session, 3 * CHUNK)))
    assert np.array_equal(films[0], films[1])


def test_a_character_that_looks_the_same_wherever_it_is_moved_may_be_posed(pack: LoadedPack) -> None:
    with open_session(small_character(), pack, NODDING) as session:
        assert len(pull(session, CHUNK)) == CHUNK
