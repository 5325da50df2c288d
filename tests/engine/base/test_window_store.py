"""What was finished is found again, under exactly its own inputs, and the film is the same to the last pixel."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from engine.base.job import FilmPiece, MuteSpan, PerformJob, PromptSpan
from engine.base.performer import perform
from engine.base.window_store import NAME, WindowStore
from engine.codec.folded_vae import FoldedVae
from engine.errors import BadInputError, CancelledError
from engine.flow.guidance import GuidanceScales
from engine.loaded_pack import LoadedPack, load_pack
from tests.engine.small_pack import small_character, write_small_motion_pack, write_small_pack

NUM_FRAMES = 62
STARTS = (0, 16, 28, 40, 52)


@pytest.fixture(scope="module", params=[write_small_pack, write_small_motion_pack], ids=["without", "with motion"])
def pack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    """With a codec that smooths borders, whose decoder has the most to carry from one window to the next."""
    pack = load_pack(request.param(tmp_path_factory.mktemp("packs")))
    assert isinstance(pack.codec, FoldedVae)
    pack.codec.config = replace(pack.codec.config, border_step_levels=40.0)
    return pack


def job() -> PerformJob:
    generator = np.random.default_rng(0)
    speak_S, listen_S = (0.3 * generator.standard_normal((2, NUM_FRAMES * 1000))).astype(np.float32)
    return PerformJob(character=small_character(), num_frames=NUM_FRAMES, speak_S=speak_S, listen_S=listen_S)


def pieces(pack: LoadedPack, job: PerformJob, store: WindowStore | None = None) -> list[FilmPiece]:
    return list(perform(pack, job, keep=store, reuse=store))


def film(found: list[FilmPiece]) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in found])


def test_a_stopped_film_goes_on_to_the_same_pixels(pack: LoadedPack, tmp_path: Path) -> None:
    plain = pieces(pack, job())
    assert tuple(piece.start_frame for piece in plain) == STARTS
    seen: list[FilmPiece] = []
    store = WindowStore(tmp_path)
    with pytest.raises(CancelledError):
        for piece in perform(pack, job(), lambda: len(seen) == 3, keep=store, reuse=store):
            seen.append(piece)
    resumed = pieces(pack, job(), WindowStore(tmp_path))
    assert [piece.is_reused for piece in resumed] == [True] * 3 + [False] * 2
    assert np.array_equal(film(resumed), film(plain))


def test_without_leave_to_reuse_everything_is_made_again(pack: LoadedPack, tmp_path: Path) -> None:
    store = WindowStore(tmp_path)
    pieces(pack, job(), store)
    again = list(perform(pack, job(), keep=store))
    assert not any(piece.is_reused for piece in again)


def changed_sound(plain: PerformJob) -> PerformJob:
    assert plain.speak_S is not None
    louder_S = plain.speak_S[:].copy()
    louder_S[55_000:55_500] *= 2
    return replace(plain, speak_S=louder_S)


CHANGES: dict[str, tuple[Callable[[PerformJob], PerformJob], int]] = {
    "a later direction": (lambda j: replace(j, prompts=(PromptSpan(start_frame=40, end_frame=62, text="nods"),)), 3),
    "a sound": (changed_sound, 3),
    "a mute": (lambda j: replace(j, mutes=(MuteSpan(track="listen", start_frame=50, end_frame=62),)), 3),
    "a longer film": (lambda j: replace(j, num_frames=NUM_FRAMES + 8), 5),
    "the seed": (lambda j: replace(j, seed=1), 0),
    "steps": (lambda j: replace(j, num_steps=3), 0),
    "guidance": (lambda j: replace(j, guidance=GuidanceScales(speak=2.0)), 0),
    "the first frame": (lambda j: replace(j, first_frame_HWC=np.zeros((48, 48, 3), np.uint8)), 0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_makes_anew_what_it_reaches_and_what_follows_and_nothing_before(
    pack: LoadedPack, tmp_path: Path, change: str
) -> None:
    edit, num_kept = CHANGES[change]
    store = WindowStore(tmp_path)
    pieces(pack, job(), store)
    edited = edit(job())
    found = pieces(pack, edited, store)
    assert [piece.is_reused for piece in found] == [place < num_kept for place in range(len(found))]
    assert np.array_equal(film(found), film(pieces(pack, edited)))
    assert all(piece.is_reused for piece in pieces(pack, job(), store)), "and what was before the change is still there"


def test_another_pack_or_setting_reuses_nothing(pack: LoadedPack, tmp_path: Path) -> None:
    store = WindowStore(tmp_path)
    pieces(pack, job(), store)
    entries = pack.manifest.components
    other_weights = replace(entries[1], sha256="0" * 64)
    others = [
        replace(pack, base=replace(pack.base, history_keep=0.5)),
        replace(pack, manifest=replace(pack.manifest, components=(entries[0], other_weights, *entries[2:]))),
    ]
    for other in others:
        assert not any(piece.is_reused for piece in pieces(other, job(), store))


def test_a_damaged_window_is_made_again(pack: LoadedPack, tmp_path: Path) -> None:
    plain = pieces(pack, job(), WindowStore(tmp_path))
    first, second, third, *_ = (path for path in sorted(tmp_path.glob("*")) if load_file(path)[NAME].ndim == 4)
    first.write_bytes(first.read_bytes()[:-8])
    second.write_bytes(b"")
    third.write_bytes(third.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    found = pieces(pack, job(), WindowStore(tmp_path))
    assert sum(not piece.is_reused for piece in found) == 3
    assert np.array_equal(film(found), film(plain))
    assert all(piece.is_reused for piece in pieces(pack, job(), WindowStore(tmp_path)))


def test_a_store_is_bounded_and_drops_what_was_not_used_for_longest(tmp_path: Path) -> None:
    latents = torch.randn(2, 4, 8, 8)
    size = 2 * 4 * 8 * 8 * 4
    foreign = tmp_path / "mine.safetensors"
    foreign.write_bytes(bytes(50 * size))
    store = WindowStore(tmp_path, max_bytes=6 * size)
    names = [f"{number:064x}" for number in range(12)]
    for number, name in enumerate(names):
        store.keep(name, latents)
        path = tmp_path / f"{name}.safetensors"
        os.utime(path, (number, number))
        if number:  # the first is used again and again
            assert store.recall(names[0], tuple(latents.shape)) is not None
    left = [name for name in names if store.recall(name, tuple(latents.shape)) is not None]
    assert names[0] in left and names[-1] in left and 3 <= len(left) <= 6
    assert names[1] not in left
    assert foreign.exists(), "what is not ours is not counted and not touched"


def test_latents_come_back_bit_for_bit_and_only_in_their_shape(tmp_path: Path) -> None:
    store, latents = WindowStore(tmp_path), torch.randn(2, 4, 8, 8)
    store.keep("a" * 64, latents)
    found = store.recall("a" * 64, (2, 4, 8, 8))
    assert found is not None and torch.equal(found, latents)
    assert store.recall("a" * 64, (3, 4, 8, 8)) is None
    assert store.recall("b" * 64, (2, 4, 8, 8)) is None


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="choose another folder"):
        WindowStore(tmp_path / "file" / "windows")
