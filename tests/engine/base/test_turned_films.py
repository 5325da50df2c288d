"""Films in which the character is told to turn round: its back is shown where there is a picture of it, and its face is as ever before."""

from dataclasses import replace
from math import pi
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.base.job import FilmPiece, PerformJob, PromptSpan
from engine.base.performer import perform
from engine.base.window_store import WindowStore
from engine.called_views import called_view
from engine.carried_feelings import parts_for
from engine.characters import Character, Reference, ReferenceKind
from engine.directed_references import DirectedReferences
from engine.loaded_pack import LoadedPack, load_pack
from engine.posing.turning import FACING, TurnGoal
from tests.engine.small_pack import striking_character, write_small_matted_pack

NUM_FRAMES, TURNS_AT = 80, 24
BACK = "turns her back to us"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_matted_pack(tmp_path_factory.mktemp("packs")))


def with_views(*views: str, level: int = 0) -> Character:
    """The striking character, as dark as `level` from these sides."""
    plain = striking_character()
    picture_HWC = np.full_like(plain.global_picture_HWC, level)
    added = tuple(
        Reference(kind=ReferenceKind.VIEW, subtype=view, picture_HWC=picture_HWC, path=Path(f"{view}.png"))
        for view in views
    )
    return replace(plain, references=(*plain.references, *added))


def job(character: Character, then: str = BACK) -> PerformJob:
    prompts = (
        PromptSpan(start_frame=0, end_frame=TURNS_AT, text="is calm"),
        PromptSpan(start_frame=TURNS_AT, end_frame=NUM_FRAMES, text=then),
    )
    return PerformJob(character=character, num_frames=NUM_FRAMES, prompts=prompts, seed=1)


def film(pieces: list[FilmPiece]) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in pieces])


def test_a_back_is_shown_where_there_is_a_picture_of_it(pack: LoadedPack) -> None:
    turned, without = (film(list(perform(pack, job(with_views("rear"), then)))) for then in (BACK, "is calm"))
    assert np.array_equal(turned[: TURNS_AT - 8], without[: TURNS_AT - 8]), "nothing turns before it is told"
    darker = without[-1].astype(int).mean() - turned[-1].astype(int).mean()
    assert darker > 20, "the back is black"
    other = film(list(perform(pack, job(with_views("rear", level=255)))))
    assert (other[-1].astype(int) - turned[-1]).max() > 200, "and it is the picture's"


def test_a_direction_that_says_nothing_of_it_turns_back(pack: LoadedPack) -> None:
    back = PromptSpan(start_frame=0, end_frame=32, text=BACK)
    face = PromptSpan(start_frame=32, end_frame=96, text="is calm")
    character = with_views("rear")
    frames = film(list(perform(pack, replace(job(character), num_frames=96, prompts=(back, face)))))
    alone = film(list(perform(pack, replace(job(striking_character()), num_frames=96, prompts=(back, face)))))
    differences_T = np.abs(frames.astype(int) - alone).mean(axis=(1, 2, 3))
    assert differences_T[20:28].min() > 20 and differences_T[-8:].max() < 0.3 * differences_T[24]


def test_a_film_begins_as_its_first_direction_sees_the_character(pack: LoadedPack) -> None:
    def frames(first: str) -> NDArray[np.uint8]:
        whole = PromptSpan(start_frame=0, end_frame=32, text=first)
        return film(list(perform(pack, replace(job(with_views("rear")), num_frames=32, prompts=(whole,)))))

    seen, turning, facing = (frames(first) for first in ("seen from behind", BACK, "is calm"))
    from_face, seen_from_face = (np.abs(each[0].astype(int) - facing[0]).mean() for each in (turning, seen))
    assert from_face < 0.3 * seen_from_face, "who is told to turn begins with the face"
    darker_T = facing.mean(axis=(1, 2, 3)) - seen.mean(axis=(1, 2, 3))
    assert darker_T.min() > 15, "and who is seen from behind never shows it"


def test_windows_made_before_turn_as_they_did(pack: LoadedPack, tmp_path: Path) -> None:
    store = WindowStore(tmp_path / "kept")
    character = with_views("left", "rear")
    made = list(perform(pack, job(character), keep=store))
    again = list(perform(pack, job(character), reuse=store))
    assert all(piece.is_reused for piece in again)
    assert np.array_equal(film(made), film(again))


def test_windows_are_made_anew_for_other_views(pack: LoadedPack, tmp_path: Path) -> None:
    store = WindowStore(tmp_path / "kept")
    list(perform(pack, job(with_views("left", "rear")), keep=store))
    for other in (with_views("left", "rear", level=9), with_views("rear")):
        assert not any(piece.is_reused for piece in perform(pack, job(other), reuse=store))


def test_a_turn_leaves_the_feeling_and_its_picture_as_they_are(pack: LoadedPack) -> None:
    references = DirectedReferences(pack, with_views("left", "right", "rear"), 2)
    assert references.chosen("is calm, turns her back to us") == references.chosen("is calm")
    assert references.turn("is calm") == FACING
    assert references.turn("in profile, facing left") == TurnGoal(turn=-pi / 2)
    without_matte = DirectedReferences(replace(pack, matte=None), with_views("rear"), 2)
    assert without_matte.turn(BACK) == FACING, "its wall would turn too"
    first, again = (references.latents(text).anchor_picture for text in (BACK, "is calm"))
    assert first is again, "looked at once"


def test_who_has_turned_stays_so_within_a_direction(pack: LoadedPack) -> None:
    told = parts_for(pack)("turns her back to us, then nods, then faces the camera, then waves")
    assert [called_view(part) for part in told] == ["rear", "rear", "front", None]
    assert told[1].endswith("nods") and told[3].endswith("waves")
