"""Films that are shown larger than they are decoded: of the very latents, with the anchor's own detail, alike however they come about."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.base.job import FilmPiece, PerformJob
from engine.base.performer import Performer, perform
from engine.base.window_store import WindowStore
from engine.codec.folded_vae import FoldedVae
from engine.errors import CancelledError
from engine.loaded_pack import LoadedPack, load_pack
from engine.motion.planner import MotionPlanner
from engine.pixels import as_pixels
from engine.precision import fast_autocast
from tests.engine.small_pack import (
    SIZE_PX,
    all_the_way,
    large_character,
    picture_of,
    with_film_px,
    write_small_painted_pack,
    write_small_retouch_pack,
)

NUM_FRAMES = 40
WRITERS = {"moved": write_small_retouch_pack, "painted": write_small_painted_pack}
Packs = Callable[[int], LoadedPack]


@pytest.fixture(scope="module", params=WRITERS)
def packs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Packs:
    """The same pack with films so many times as large as they are decoded."""
    found = {
        times: load_pack(with_film_px(WRITERS[request.param](tmp_path_factory.mktemp("packs")), times * SIZE_PX))
        for times in (1, 2, 4)
    }
    return found.__getitem__


def job(num_frames: int = NUM_FRAMES) -> PerformJob:
    speak_S = (0.3 * np.random.default_rng(0).standard_normal(num_frames * 1000)).astype(np.float32)
    return PerformJob(character=large_character(), num_frames=num_frames, speak_S=speak_S)


def film(pieces: Iterator[FilmPiece] | list[FilmPiece]) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in pieces])


def as_bytes(pixels_TCHW: Tensor) -> NDArray[np.uint8]:
    frames_THWC = rearrange((pixels_TCHW.clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
    return frames_THWC.round().to(torch.uint8).numpy()


def halved(frames_THWC: NDArray[np.uint8], times: int) -> NDArray[np.float64]:
    """Means over squares."""
    return rearrange(frames_THWC, "t (h m) (w n) c -> t h w c m n", m=times, n=times).mean(axis=(4, 5))


@pytest.mark.parametrize("times", [2, 4])
def test_the_whole_way_is_the_anchor_in_its_full_size_and_shrunk_it_is_near_the_small_film(
    packs: Packs, times: int
) -> None:
    whole, small = (replace(packs(each), retouch=all_the_way()) for each in (times, 1))
    performer = Performer(whole, job(), whole.base, lambda: False, None, None)
    assert whole.motion is not None
    performer.planner = MotionPlanner(whole.motion, slack_rows=NUM_FRAMES)  # that keeps all of the plan
    shown_THWC = film(performer.pieces())
    assert shown_THWC.shape == (NUM_FRAMES, times * SIZE_PX, times * SIZE_PX, 3)
    poser = whole.poser()
    assert poser is not None
    with fast_autocast(whole.device):
        moved = poser.moved(picture_of(whole, large_character().references[0]), performer.planner.rows(0))
    assert np.array_equal(shown_THWC, as_bytes(moved.pixels_BTCHW[0])[:NUM_FRAMES])
    small_THWC = film(perform(small, job()))
    away_THWC = np.abs(halved(shown_THWC, times) - small_THWC)
    steps_THWC = np.abs(np.diff(small_THWC.astype(float), axis=0))
    assert away_THWC.mean() < 0.2 * steps_THWC.mean(), "a fifth of what changes from frame to frame"


def test_what_is_drawn_does_not_depend_on_how_large_it_is_shown(packs: Packs) -> None:
    """Where a shrunk picture is the very picture that the codec takes."""
    drawn, small = (
        torch.cat(
            [window.final_FCHW for window in Performer(each, job(), each.base, lambda: False, None, None).windows()]
        )
        for each in (packs(2), packs(1))
    )
    assert (drawn - small).abs().mean() < 0.01 * small.abs().mean()


@torch.no_grad()
@pytest.mark.parametrize("times", [2, 4])
def test_what_the_network_says_is_laid_enlarged_upon_the_detail_of_the_anchor(packs: Packs, times: int) -> None:
    """By hand: decoded, retouched by the shrunk anchor but where it is painted, and what that differs from it by enlarged."""
    pack = packs(times)
    performer = Performer(pack, job(), pack.base, lambda: False, None, None)
    assert pack.motion is not None and pack.retouch is not None
    performer.planner = MotionPlanner(pack.motion, slack_rows=NUM_FRAMES)
    shown_THWC = film(performer.pieces())
    again = Performer(pack, job(), pack.base, lambda: False, None, None)
    latents_FCHW = torch.cat([window.final_FCHW for window in again.windows()])
    poser, rows_BFM = pack.poser(), performer.planner.rows(0)[:, : len(latents_FCHW)]
    assert poser is not None
    with fast_autocast(pack.device):
        fine = poser.moved(picture_of(pack, large_character().references[0]), rows_BFM)
        decoded_BTCHW = pack.codec.decode_chunk(latents_FCHW[None], again.decoder_state)
        coarse_TCHW, painted_TCHW = (
            functional.avg_pool2d(each_BTCHW[0], times) for each_BTCHW in (fine.pixels_BTCHW, fine.painted_BTCHW)
        )
        film_TCHW = pack.retouch(decoded_BTCHW, coarse_TCHW[None], poser.from_rest(rows_BFM))[0]
    differs_TCHW = (1 - painted_TCHW) * (film_TCHW.float() - coarse_TCHW)
    for _ in range({2: 1, 4: 2}[times]):
        differs_TCHW = functional.interpolate(differs_TCHW, scale_factor=2, mode="bilinear", align_corners=False)
    wanted_THWC = as_bytes(fine.pixels_BTCHW[0] + differs_TCHW)[:NUM_FRAMES]
    assert np.abs(shown_THWC.astype(int) - wanted_THWC).max() <= 2
    assert np.abs(shown_THWC.astype(int) - as_bytes(fine.pixels_BTCHW[0])[:NUM_FRAMES]).max() > 30, "it has its say"


@pytest.mark.parametrize("has_own", [False, True])
def test_before_a_film_stands_its_picture_at_the_size_of_the_codec(packs: Packs, has_own: bool) -> None:
    pack = packs(2)
    own_HWC = large_character().global_picture_HWC[::-1].copy()
    asked = replace(job(), first_frame_HWC=own_HWC) if has_own else job()
    smooth = replace(pack.codec.config, border_step_levels=40.0)  # type: ignore[attr-defined]
    codec = FoldedVae(smooth).eval().requires_grad_(False)
    codec.load_state_dict(pack.codec.state_dict())  # type: ignore[attr-defined]
    performer = Performer(replace(pack, codec=codec), asked, pack.base, lambda: False, None, None)
    next(performer.windows())
    wanted_BCHW = as_pixels(own_HWC if has_own else large_character().global_picture_HWC, SIZE_PX)
    before_B2CHW = performer.decoder_state.pictures_B2CHW  # type: ignore[attr-defined]
    torch.testing.assert_close(before_B2CHW, wanted_BCHW[:, None].expand_as(before_B2CHW), rtol=0, atol=1e-5)


def test_a_stopped_film_goes_on_to_the_same_pixels(packs: Packs, tmp_path: Path) -> None:
    plain, store, seen = list(perform(packs(2), job())), WindowStore(tmp_path), list[FilmPiece]()
    with pytest.raises(CancelledError):
        for piece in perform(packs(2), job(), lambda: len(seen) == 2, keep=store, reuse=store):
            seen.append(piece)
    resumed = list(perform(packs(2), job(), keep=store, reuse=store))
    assert [piece.is_reused for piece in resumed] == [place < 2 for place in range(len(plain))]
    assert np.array_equal(film(resumed), film(plain))


def test_windows_that_were_kept_of_films_of_another_size_are_made_anew(packs: Packs, tmp_path: Path) -> None:
    """Their anchors were other pixels."""
    store = WindowStore(tmp_path)
    list(perform(packs(1), job(24), keep=store))
    assert all(piece.is_reused for piece in perform(packs(1), job(24), reuse=store))
    assert not any(piece.is_reused for piece in perform(packs(2), job(24), reuse=store))
