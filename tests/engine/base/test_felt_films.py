"""Films of packs that plan and paint feelings: each picture counts as what it shows, and films begin as their first one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine.base.job import FilmPiece, PerformJob, PromptSpan
from engine.base.performer import Performer
from engine.characters import Character, Reference
from engine.directed_references import DirectedReferences
from engine.loaded_pack import LoadedPack, load_pack
from engine.motion.planner import MotionPlanner
from engine.precision import fast_autocast
from tests.engine.base.test_posing import WordOfJoy, two_faced
from tests.engine.small_pack import (
    FELT_COLUMNS,
    FELT_ROW_WIDTH,
    FELT_WIDTH,
    POSING,
    picture_of,
    striking_character,
    write_small_feeling_pack,
)

NUM_FRAMES = 40
HAPPY = POSING.frame_width + 1


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    """That knows one word."""
    pack = load_pack(write_small_feeling_pack(tmp_path_factory.mktemp("packs")))
    return replace(pack, text_encoder=WordOfJoy())  # type: ignore[arg-type]


def performed(pack: LoadedPack, character: Character, *happy: int) -> tuple[Performer, list[FilmPiece]]:
    """A film that is told to be happy from a frame on, or never, with all of its plan."""
    prompts = tuple(PromptSpan(start_frame=first, end_frame=NUM_FRAMES, text="is happy") for first in happy)
    asked = PerformJob(character=character, num_frames=NUM_FRAMES, prompts=prompts, seed=1)
    performer = Performer(pack, asked, pack.base, lambda: False, None, None)
    assert pack.motion is not None
    performer.planner = MotionPlanner(pack.motion, slack_rows=NUM_FRAMES)
    return performer, list(performer.pieces())


def film(pieces: list[FilmPiece]) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in pieces])


def planned(performer: Performer) -> Tensor:
    """What is told of each frame, [T, K]."""
    assert performer.planner is not None
    return performer.planner.rows(0).view(-1, FELT_WIDTH)


def moved(pack: LoadedPack, reference: Reference, told_TK: Tensor) -> NDArray[np.uint8]:
    """A reference in the pose of each frame, painted by what is told beyond what it shows."""
    poser, rows_BFM = pack.poser(), told_TK.reshape(1, -1, FELT_ROW_WIDTH)
    assert poser is not None
    with fast_autocast(pack.device):
        pixels_BTCHW = poser.moved(picture_of(pack, reference), rows_BFM).pixels_BTCHW
    frames_THWC = rearrange((pixels_BTCHW[0].clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
    return frames_THWC.round().to(torch.uint8).numpy()[:NUM_FRAMES]


def test_anchors_show_what_their_references_show(pack: LoadedPack) -> None:
    references = DirectedReferences(pack, two_faced(), 3)
    for text, reference in zip(("", "is happy"), two_faced().references, strict=True):
        picture = references.latents(text).anchor_picture
        assert picture is not None
        wanted = picture_of(pack, reference)
        assert torch.equal(picture.pixels_BCHW, wanted.pixels_BCHW)
        assert torch.equal(picture.row_BM, wanted.row_BM)
    alone = DirectedReferences(pack, striking_character(), 3).latents("is happy").anchor_picture
    assert alone is not None and pack.motion is not None
    assert torch.equal(alone.row_BM, pack.motion.rest()), "who has no picture of it is painted"


@pytest.mark.parametrize("is_happy", [False, True])
def test_a_film_begins_as_the_picture_of_the_feeling_that_it_is_told(pack: LoadedPack, is_happy: bool) -> None:
    """Its first frame is that picture, and no smile is wiped from it or painted over it before it moves."""
    reference = two_faced().references[is_happy]
    performer, pieces = performed(pack, two_faced(), *([0] if is_happy else []))
    assert np.array_equal(film(pieces), moved(pack, reference, planned(performer)))
    away_T = np.abs(film(pieces).astype(int) - reference.picture_HWC).mean(axis=(1, 2, 3))
    assert away_T[0] < 0.1 * away_T[12:].mean()
    assert abs(planned(performer)[0, HAPPY] - float(is_happy)) < 0.02


def test_a_direction_changes_the_picture_at_once_and_the_feeling_smoothly(pack: LoadedPack) -> None:
    """Each frame is the picture of its window, painted by what that lacks of what is told."""
    performer, pieces = performed(pack, two_faced(), 16)
    at_rest, happy = (moved(pack, each, planned(performer)) for each in two_faced().references)
    is_happy = []
    for frame_HWC, at_rest_HWC, happy_HWC in zip(film(pieces), at_rest, happy, strict=True):
        is_happy.append(np.array_equal(frame_HWC, happy_HWC))
        assert is_happy[-1] != np.array_equal(frame_HWC, at_rest_HWC)
    assert not is_happy[0] and is_happy[-1] and is_happy == sorted(is_happy), "once, and for good"
    happy_T = planned(performer)[:, HAPPY]
    assert not happy_T[:16].any() and happy_T.max() > 0.3
    assert happy_T.diff().abs().max() < 0.3, "from one frame to the next"


def test_a_feeling_without_a_picture_is_painted_over_the_one_at_rest(pack: LoadedPack) -> None:
    performer, pieces = performed(pack, striking_character(), 0)
    (own,) = striking_character().references
    told_TK = planned(performer)
    assert np.array_equal(film(pieces), moved(pack, own, told_TK))
    assert told_TK[0, HAPPY] < 0.1 < 0.3 < told_TK[:, HAPPY].max()
    calm_TK = told_TK.clone()
    calm_TK[:, FELT_COLUMNS] = 0.0
    calm_THWC = moved(pack, own, calm_TK)
    painted_T = np.abs(film(pieces).astype(int) - calm_THWC).mean(axis=(1, 2, 3))
    assert painted_T[0] < 0.1 * painted_T[10:20].mean()
