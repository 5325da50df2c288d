"""Live sessions whose frames are larger than they are decoded: the portrait, all that is made, and made anew, and restored from a file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine import perform_online
from engine.base.job import PerformJob
from engine.errors import BadInputError
from engine.loaded_pack import LoadedPack, load_pack
from engine.online.live import LiveConfig
from engine.online.opening import open_session, restore_session
from engine.online.session import LiveSession
from engine.precision import fast_autocast
from tests.engine.online.small_online_pack import write_small_retouched_pack
from tests.engine.online.small_sessions import CHUNK, NODDING, VOICE, in_short_windows, pictures, pull
from tests.engine.online.test_retouched_session import planned_rows
from tests.engine.small_pack import (
    SIZE_PX,
    all_the_way,
    large_character,
    picture_of,
    with_film_px,
    write_small_retouch_pack,
)

pytestmark = pytest.mark.usefixtures("one_thread")

FILM_PX = 2 * SIZE_PX
WRITERS = {"base": write_small_retouch_pack, "causal": write_small_retouched_pack}


@pytest.fixture(scope="module", params=WRITERS)
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    folder = with_film_px(WRITERS[request.param](tmp_path_factory.mktemp("packs") / "small"), FILM_PX)
    return in_short_windows(load_pack(folder))


def opened(pack: LoadedPack, config: LiveConfig = NODDING) -> LiveSession:
    session = open_session(large_character(), pack, config)
    session.push_speak(VOICE)
    return session


def moved_anchor(pack: LoadedPack, rows_BFM: Tensor) -> NDArray[np.uint8]:
    """In its full size, in the pose of each frame."""
    poser = pack.poser()
    assert poser is not None
    with fast_autocast(pack.device):
        moved_BTCHW = poser.moved(picture_of(pack, large_character().references[0]), rows_BFM).pixels_BTCHW
    frames_THWC = rearrange((moved_BTCHW[0].clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
    return frames_THWC.round().to(torch.uint8).numpy()


def test_the_whole_way_is_the_anchor_in_its_full_size_also_of_what_is_made_anew(pack: LoadedPack) -> None:
    with opened(replace(pack, retouch=all_the_way())) as session:
        first = pull(session, CHUNK + 2)
        for _ in range(20):
            session.work()
        session.set_prompt("shakes the head", withdraw=True)
        shown_THWC = pictures(first + pull(session, 2 * CHUNK))
        assert session.report().withdrawn_frames > 0
        rows_BFM = planned_rows(session)
    assert shown_THWC.shape == (3 * CHUNK + 2, FILM_PX, FILM_PX, 3)
    assert np.array_equal(shown_THWC, moved_anchor(pack, rows_BFM)[: len(shown_THWC)])


def test_shrunk_it_is_near_the_session_of_the_same_pack_whose_frames_are_as_they_are_decoded(pack: LoadedPack) -> None:
    """A fifth of what changes from frame to frame."""
    films = []
    for each in (pack, replace(pack, film_px=SIZE_PX)):
        with opened(replace(each, retouch=all_the_way())) as session:
            films.append(pictures(pull(session, 2 * CHUNK)).astype(float))
    large_THWC, small_THWC = films
    assert small_THWC.shape[1:] == (SIZE_PX, SIZE_PX, 3)
    halved_THWC = rearrange(large_THWC, "t (h m) (w n) c -> t h w c m n", m=2, n=2).mean(axis=(4, 5))
    assert np.abs(halved_THWC - small_THWC).mean() < 0.2 * np.abs(np.diff(small_THWC, axis=0)).mean()


def test_the_portrait_that_is_shown_first_is_as_large_as_the_frames(pack: LoadedPack) -> None:
    """Also a first frame of one's own, whatever its size."""
    own_HWC = np.random.default_rng(1).integers(0, 255, (60, 50, 3), dtype=np.uint8)
    for first_frame_HWC in (None, own_HWC):
        with open_session(large_character(), pack, NODDING, first_frame_HWC=first_frame_HWC) as session:
            portrait = session.pull_now()
            frame = pull(session, 1)[0]
        assert portrait is not None and portrait.is_repeat, "nothing was ready"
        assert portrait.picture_HWC.shape == frame.picture_HWC.shape == (FILM_PX, FILM_PX, 3)
        if first_frame_HWC is None:
            assert np.array_equal(portrait.picture_HWC, large_character().global_picture_HWC)


def test_a_session_from_a_file_goes_on_to_the_same_frames(pack: LoadedPack, tmp_path: Path) -> None:
    with opened(pack) as session:
        pull(session, CHUNK)
        session.snapshot(tmp_path / "kept")
        following = pictures(pull(session, 2 * CHUNK))
    with restore_session(tmp_path / "kept", large_character(), pack, split="caller") as session:
        restored = pictures(pull(session, 2 * CHUNK))
    assert following.shape[1] == FILM_PX
    assert np.array_equal(following, restored)


def test_a_pipeline_of_threads_makes_the_same_frames(pack: LoadedPack) -> None:
    films = []
    for split in ("caller", "pipeline"):
        with open_session(large_character(), pack, replace(NODDING, split=split)) as session:
            films.append(pictures(pull(session, 3 * CHUNK)))
    assert films[0].shape[1] == FILM_PX
    assert np.array_equal(films[0], films[1])


def test_a_film_from_files_is_that_of_a_session(tmp_path: Path) -> None:
    pack = load_pack(with_film_px(write_small_retouched_pack(tmp_path / "small"), FILM_PX))
    num_frames = 2 * CHUNK + 5
    asked = PerformJob(character=large_character(), num_frames=num_frames, speak_S=VOICE[: num_frames * 1000], seed=4)
    film_THWC = np.concatenate([piece.frames_THWC for piece in perform_online(pack, asked)])
    with open_session(large_character(), pack, LiveConfig(seed=4, split="caller")) as session:
        session.push_speak(VOICE[: num_frames * 1000])
        shown_THWC = pictures(pull(session, num_frames))
    assert film_THWC.shape == (num_frames, FILM_PX, FILM_PX, 3)
    assert np.array_equal(film_THWC, shown_THWC)


def test_the_lighter_setting_shows_frames_of_the_same_size_without_their_details(pack: LoadedPack) -> None:
    """Enlarged, they have hardly any edges between neighbouring pixels."""
    guided = replace(pack, retouch=all_the_way(pack.retouch.config)) if pack.retouch is not None else pack
    films = []
    for effort in (0, 1):
        with opened(guided, replace(NODDING, effort=effort, can_degrade=False)) as session:
            films.append(pictures(pull(session, CHUNK)).astype(np.float32))
            assert {report.effort == session._conductor.layout.levels[0] for report in session.chunk_reports()} == {
                effort == 0
            }
    whole_THWC, soft_THWC = films
    assert whole_THWC.shape == soft_THWC.shape and soft_THWC.shape[1] == FILM_PX

    def finest(film_THWC: NDArray[np.float32]) -> float:
        return float(np.abs(np.diff(film_THWC, n=2, axis=2)).mean())

    assert finest(soft_THWC) < 0.7 * finest(whole_THWC)


def test_a_session_goes_on_in_the_size_that_it_was_shown_in_only(pack: LoadedPack, tmp_path: Path) -> None:
    """What it has ready is as large as that."""
    with opened(pack) as session:
        pull(session, CHUNK)
        session.snapshot(tmp_path / "session")
    with pytest.raises(BadInputError, match=r"another size of films \(96 px\)"):
        restore_session(tmp_path / "session", large_character(), replace(pack, film_px=pack.size_px))
