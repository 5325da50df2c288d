"""Films of packs that retouch: the plan's own anchor in every frame, alike however a film comes about, and nothing else is changed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from einops import rearrange
from numpy.typing import NDArray

from engine.base.job import FilmPiece, PerformJob, PromptSpan
from engine.base.performer import Performer, perform
from engine.base.window_store import WindowStore
from engine.characters import Character, Reference
from engine.codec.folded_vae import FoldedVae
from engine.errors import CancelledError
from engine.loaded_pack import LoadedPack, load_pack
from engine.motion.plan import MotionTold
from engine.motion.planner import MotionPlanner
from engine.online.live import LiveConfig
from engine.online.opening import open_session
from engine.pixels import as_pixels
from engine.precision import fast_autocast
from tests.engine.base.test_posing import WordOfJoy, two_faced
from tests.engine.small_pack import (
    all_the_way,
    picture_of,
    striking_character,
    write_small_posing_pack,
    write_small_retouch_pack,
)

NUM_FRAMES = 40


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    """With a codec that smooths borders, whose decoder has the most to carry from one window to the next."""
    pack = load_pack(write_small_retouch_pack(tmp_path_factory.mktemp("packs")))
    assert isinstance(pack.codec, FoldedVae)
    pack.codec.config = replace(pack.codec.config, border_step_levels=40.0)
    return pack


def job(num_frames: int = NUM_FRAMES, character: Character | None = None) -> PerformJob:
    speak_S = (0.3 * np.random.default_rng(0).standard_normal(num_frames * 1000)).astype(np.float32)
    return PerformJob(character=character or striking_character(), num_frames=num_frames, speak_S=speak_S)


def film(pieces: Iterator[FilmPiece] | list[FilmPiece]) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in pieces])


def moved_anchor(pack: LoadedPack, performer: Performer, reference: Reference) -> NDArray[np.uint8]:
    """A reference in the pose of each frame that was planned."""
    poser, planner = pack.poser(), performer.planner
    assert poser is not None and planner is not None
    with fast_autocast(pack.device):
        moved_BTCHW = poser.moved(picture_of(pack, reference), planner.rows(0)).pixels_BTCHW
    frames_THWC = rearrange((moved_BTCHW[0].clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
    return frames_THWC.round().to(torch.uint8).numpy()


@pytest.mark.parametrize("text", ["", "is happy"])
def test_the_whole_way_is_the_anchor_of_the_direction_in_the_pose_of_every_frame(
    pack: LoadedPack, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(pack, retouch=all_the_way(), text_encoder=WordOfJoy())  # type: ignore[arg-type]
    without_smoothing = replace(whole.codec.config, border_step_levels=0.0)  # type: ignore[attr-defined]
    monkeypatch.setattr(whole.codec, "config", without_smoothing)  # which goes over what was retouched
    prompts = (PromptSpan(start_frame=0, end_frame=NUM_FRAMES, text=text),) if text else ()
    asked = replace(job(character=two_faced()), prompts=prompts)
    performer = Performer(whole, asked, whole.base, lambda: False, None, None)
    assert whole.motion is not None
    performer.planner = MotionPlanner(whole.motion, slack_rows=NUM_FRAMES)  # that keeps all of the plan
    pieces = list(performer.pieces())
    assert len(pieces) > 1
    assert all("retouch" in piece.stages_s for piece in pieces)
    at_rest, happy = two_faced().references
    wanted_THWC = moved_anchor(whole, performer, happy if text else at_rest)
    assert np.array_equal(film(pieces), wanted_THWC[:NUM_FRAMES])
    assert (np.diff(wanted_THWC.astype(int), axis=0) != 0).any(axis=(1, 2, 3)).all(), "every frame is another pose"


@pytest.mark.parametrize("text", ["", "is happy"])
@pytest.mark.parametrize("has_own", [False, True])
def test_before_a_film_stands_the_picture_that_fits_and_it_is_not_blurred(
    pack: LoadedPack, text: str, has_own: bool
) -> None:
    knowing = replace(pack, text_encoder=WordOfJoy())  # type: ignore[arg-type]
    at_rest_HWC, happy_HWC = (each.picture_HWC for each in two_faced().references)
    own_HWC = at_rest_HWC[::-1].copy()
    prompts = (PromptSpan(start_frame=0, end_frame=NUM_FRAMES, text=text),) if text else ()
    asked = replace(job(character=two_faced()), prompts=prompts, first_frame_HWC=own_HWC if has_own else None)
    performer = Performer(knowing, asked, knowing.base, lambda: False, None, None)
    next(performer.windows())
    picture_HWC = own_HWC if has_own else happy_HWC if text else at_rest_HWC
    wanted_BCHW = as_pixels(picture_HWC, pack.size_px)
    before_B2CHW = performer.decoder_state.pictures_B2CHW  # type: ignore[attr-defined]
    assert torch.equal(before_B2CHW, wanted_BCHW[:, None].expand_as(before_B2CHW))


def test_without_its_network_a_pack_performs_as_ever(pack: LoadedPack, tmp_path: Path) -> None:
    never = load_pack(write_small_posing_pack(tmp_path))
    never.codec.config = replace(never.codec.config, border_step_levels=40.0)  # type: ignore[attr-defined]
    plain, unretouched, retouched = (film(perform(each, job())) for each in (never, replace(pack, retouch=None), pack))
    assert np.array_equal(plain, unretouched)
    assert not np.array_equal(plain, retouched)


def test_a_stopped_film_goes_on_to_the_same_pixels(pack: LoadedPack, tmp_path: Path) -> None:
    plain, store, seen = list(perform(pack, job())), WindowStore(tmp_path), list[FilmPiece]()
    with pytest.raises(CancelledError):
        for piece in perform(pack, job(), lambda: len(seen) == 2, keep=store, reuse=store):
            seen.append(piece)
    resumed = list(perform(pack, job(), keep=store, reuse=store))
    assert [piece.is_reused for piece in resumed] == [place < 2 for place in range(len(plain))]
    assert not all(piece.is_reused for piece in resumed)
    assert np.array_equal(film(resumed), film(plain))
    again = list(perform(pack, job(), keep=store, reuse=store))
    assert all(piece.is_reused for piece in again)
    assert np.array_equal(film(again), film(plain))


def test_a_direction_that_calls_for_another_picture_is_the_same_film_behind_kept_windows(
    pack: LoadedPack, tmp_path: Path
) -> None:
    knowing = replace(pack, text_encoder=WordOfJoy())  # type: ignore[arg-type]
    plain = job(character=two_faced())
    changed = replace(plain, prompts=(PromptSpan(start_frame=30, end_frame=NUM_FRAMES, text="is happy"),))
    store = WindowStore(tmp_path)
    list(perform(knowing, plain, keep=store))
    reusing = list(perform(knowing, changed, reuse=store))
    assert reusing[0].is_reused and not reusing[-1].is_reused
    assert np.array_equal(film(reusing), film(perform(knowing, changed)))
    assert not np.array_equal(film(reusing), film(perform(knowing, plain)))


def test_plans_are_told_which_feeling_is_called_for(pack: LoadedPack, monkeypatch: pytest.MonkeyPatch) -> None:
    knowing = replace(pack, text_encoder=WordOfJoy())  # type: ignore[arg-type]
    feelings: list[str | None] = []
    plan = MotionPlanner.plan

    def noted(self: MotionPlanner, told: MotionTold, *others: Any) -> None:
        feelings.append(told.feeling)
        plan(self, told, *others)

    monkeypatch.setattr(MotionPlanner, "plan", noted)
    prompts = (PromptSpan(start_frame=NUM_FRAMES // 2, end_frame=NUM_FRAMES, text="is happy"),)
    list(perform(knowing, replace(job(character=two_faced()), prompts=prompts)))
    assert feelings[0] == "neutral" and feelings[-1] == "happy"
    feelings.clear()
    config = LiveConfig(seed=1, prompt="is happy", split="caller")
    with open_session(two_faced(), knowing, config) as session:
        session.pull()
    assert feelings[0] == "happy"
