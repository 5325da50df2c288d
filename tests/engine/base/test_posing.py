"""Performing with an anchor in pose: it follows the plan, begins at rest, reaches the model and what it starts from, and its way back."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.base.job import FilmPiece, PerformJob, PromptSpan
from engine.base.performer import Performer, perform
from engine.base.window_store import WindowStore
from engine.characters import Character, Reference, ReferenceKind
from engine.directed_references import DirectedReferences
from engine.loaded_pack import LoadedPack, load_pack
from engine.model.transformer import DitInputs, Transformer
from engine.motion.planner import MotionPlanner
from engine.pixels import as_pixels
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.poser import Poser
from tests.engine.small_pack import picture_of, small_character, striking_character, write_small_posing_pack

NUM_FRAMES = 40


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return load_pack(write_small_posing_pack(tmp_path_factory.mktemp("packs")))


def job(num_frames: int = NUM_FRAMES, character: Character | None = None) -> PerformJob:
    speak_S = (0.3 * np.random.default_rng(0).standard_normal(num_frames * 1000)).astype(np.float32)
    return PerformJob(character=character or striking_character(), num_frames=num_frames, speak_S=speak_S)


def film(pieces: list[FilmPiece]) -> NDArray[np.uint8]:
    return np.concatenate([piece.frames_THWC for piece in pieces])


def told_inputs(pack: LoadedPack, monkeypatch: pytest.MonkeyPatch) -> list[DitInputs]:
    """All that the base model is told from now on."""
    told: list[DitInputs] = []
    forward: Callable[[DitInputs], Tensor] = pack.transformer.forward

    def listening(inputs: DitInputs) -> Tensor:
        told.append(inputs)
        return forward(inputs)

    monkeypatch.setattr(pack.transformer, "forward", listening)
    return told


def posed_of(inputs: DitInputs) -> Tensor:
    assert inputs.references.posed_BFCHW is not None
    return inputs.references.posed_BFCHW


def test_the_model_is_shown_the_anchor_in_the_planned_pose_of_each_latent(
    pack: LoadedPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = told_inputs(pack, monkeypatch)
    performer = Performer(pack, job(), pack.base, lambda: False, None, None)
    pieces = list(performer.pieces())
    assert all("posing" in piece.stages_s for piece in pieces)
    poser, picture = pack.poser(), picture_of(pack, striking_character().references[0])
    assert poser is not None
    still_BCHW = pack.codec.encode_still(picture.pixels_BCHW)
    for inputs in told:
        assert inputs.motion_BFM is not None
        assert posed_of(inputs).shape == inputs.latents_BFCHW.shape
        wanted_BFCHW = poser.latents(picture, inputs.motion_BFM[:1])
        torch.testing.assert_close(posed_of(inputs)[:1], wanted_BFCHW, rtol=0, atol=4e-2)
        assert all(torch.equal(branch, posed_of(inputs)[0]) for branch in posed_of(inputs)), "every branch the same"
    moved_BFCHW = torch.cat([posed_of(inputs)[:1] for inputs in told], dim=1)
    assert (moved_BFCHW - still_BCHW[:, None]).abs().amax(dim=(2, 3, 4)).max() > 0.2, "the plan moves it"


def test_before_the_film_the_anchor_is_at_rest(pack: LoadedPack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first window's history is the portrait itself, of which no motion is told."""
    told = told_inputs(pack, monkeypatch)
    next(iter(perform(pack, job())))
    still_BCHW = pack.codec.encode_still(as_pixels(striking_character().global_picture_HWC, pack.size_px))
    num_history = int((told[0].timestep_BF[0] == 0).sum())
    assert num_history
    for place in range(num_history):
        torch.testing.assert_close(posed_of(told[0])[:1, place], still_BCHW, rtol=0, atol=4e-2)


class Still(MotionPlanner):
    """Plans as ever and tells of rest."""

    def rows(self, start: int) -> Tensor:
        return self.motion.rest()[:, None].expand_as(super().rows(start))


def unshown(pack: LoadedPack) -> LoadedPack:
    """With a base model that starts from posed anchors and does not see them."""
    blind = Transformer(replace(pack.transformer.config, is_shown_posed_anchor=False))
    blind.load_state_dict({name: each for name, each in pack.transformer.state_dict().items() if "posed" not in name})
    return replace(pack, transformer=blind.eval().requires_grad_(False))


def unguessed(pack: LoadedPack) -> LoadedPack:
    """With a base model that sees posed anchors and starts from nothing."""
    return replace(pack, base=replace(pack.base, preconditioning="identity"))


@pytest.mark.parametrize("only", [unshown, unguessed])
def test_what_is_posed_shows_whether_the_model_sees_it_or_starts_from_it(
    pack: LoadedPack, only: Callable[[LoadedPack], LoadedPack]
) -> None:
    posed, unposed = (film(list(perform(each, job(24)))) for each in (only(pack), replace(only(pack), posing=None)))
    assert not np.array_equal(posed, unposed)
    nothing = unshown(unguessed(pack))
    posed, unposed = (film(list(perform(each, job(24)))) for each in (nothing, replace(nothing, posing=None)))
    assert np.array_equal(posed, unposed), "one that does neither"


def test_a_plan_of_rest_is_a_film_that_starts_from_a_still(pack: LoadedPack) -> None:
    blind = unshown(pack)
    films = []
    for each in (blind, replace(blind, posing=None)):
        performer = Performer(each, job(24), each.base, lambda: False, None, None)
        assert each.motion is not None
        performer.planner = Still(each.motion, each.base.window_latents)
        films.append(film(list(performer.pieces())))
    assert np.abs(films[0].astype(int) - films[1]).max() <= 1


def test_a_picture_that_looks_the_same_wherever_it_is_moved_is_performed_as_ever(pack: LoadedPack) -> None:
    blind = unshown(pack)
    grey = job(24, small_character())
    posed, unposed = film(list(perform(blind, grey))), film(list(perform(replace(blind, posing=None), grey)))
    assert np.abs(posed.astype(int) - unposed).max() <= 1


def test_windows_that_were_kept_are_recalled_and_another_flow_makes_them_anew(pack: LoadedPack, tmp_path: Path) -> None:
    store = WindowStore(tmp_path / "kept")
    first = list(perform(pack, job(24), keep=store, reuse=store))
    again = list(perform(pack, job(24), keep=store, reuse=store))
    assert not any(piece.is_reused for piece in first)
    assert all(piece.is_reused for piece in again)
    assert np.array_equal(film(first), film(again))
    entries = tuple(
        replace(entry, sha256="0" * 64) if entry.role == "posing" else entry for entry in pack.manifest.components
    )
    other = replace(pack, manifest=replace(pack.manifest, components=entries))
    assert not any(piece.is_reused for piece in perform(other, job(24), keep=store, reuse=store))


def two_faced() -> Character:
    """With a picture at rest and one of happiness, which are nothing alike."""
    own = striking_character()
    other_HWC = np.ascontiguousarray(own.global_picture_HWC[::-1, ::-1])
    happy = Reference(kind=ReferenceKind.EXPRESSION, subtype="happy", picture_HWC=other_HWC, path=Path("happy.png"))
    return replace(own, references=(*own.references, happy))


class WordOfJoy:
    """A text encoder that knows one word, for whoever asks which expression is called for."""

    num_tokens, width = 1, 8

    def encode(self, texts: list[str]) -> Tensor:
        """[B, 1, 8]."""
        return torch.stack(
            [torch.full((1, 8), 0.1).index_fill(1, torch.tensor([2]), 5.0 * ("happy" in text)) for text in texts]
        )


def test_pictures_come_with_the_references_of_packs_that_pose_and_are_the_anchors(pack: LoadedPack) -> None:
    knowing = replace(pack, text_encoder=WordOfJoy())  # type: ignore[arg-type]
    references = DirectedReferences(knowing, two_faced(), 3)
    for text, reference in zip(("", "is happy"), two_faced().references, strict=True):
        shown = references.latents(text)
        assert shown.anchor_picture is not None
        pixels_BCHW = shown.anchor_picture.pixels_BCHW
        assert torch.equal(pixels_BCHW, as_pixels(reference.picture_HWC, pack.size_px))
        place = 0 if shown.anchor_B is None else int(shown.anchor_B)
        own_BCHW = pack.codec.encode_still(pixels_BCHW)
        torch.testing.assert_close(shown.latents_BRCHW[:, place], own_BCHW, rtol=0, atol=4e-2)
        again = references.latents(text).anchor_picture
        assert again is not None and again.pixels_BCHW is pixels_BCHW, "so that it is looked at once"
    plain = DirectedReferences(replace(knowing, posing=None), two_faced(), 3)
    assert plain.latents("is happy").anchor_picture is None


def test_history_is_posed_by_the_anchor_that_it_stayed_near(
    pack: LoadedPack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a direction calls for another anchor, and also where the window before is recalled and not made."""
    knowing = replace(pack, text_encoder=WordOfJoy())  # type: ignore[arg-type]
    happy = (PromptSpan(start_frame=12, end_frame=NUM_FRAMES, text="is happy"),)
    directed = replace(job(character=two_faced()), prompts=happy)
    calm = replace(directed, prompts=())
    told = told_inputs(knowing, monkeypatch)
    store = WindowStore(tmp_path / "kept")
    whole = film(list(perform(knowing, directed)))
    poser = knowing.poser()
    assert poser is not None
    windows = [inputs for inputs, next_one in zip(told, [*told[1:], None], strict=True) if _is_last(inputs, next_one)]
    faces = [picture_of(pack, each) for each in two_faced().references]
    changes = 0
    for before, after in pairwise(windows):
        num_history = int((after.timestep_BF[0] == 0).sum())
        assert after.motion_BFM is not None and before.motion_BFM is not None
        old, new = (
            [bool(torch.allclose(posed_of(each)[:1, -1], of_face, atol=4e-2)) for of_face in _last(poser, faces, each)]
            for each in (before, after)
        )
        behind = poser.latents(faces[old.index(True)], after.motion_BFM[:1, :num_history])
        torch.testing.assert_close(posed_of(after)[:1, :num_history], behind, rtol=0, atol=4e-2)
        changes += old != new
    assert changes == 1
    list(perform(knowing, calm, keep=store, reuse=store))
    resumed = list(perform(knowing, directed, keep=store, reuse=store))
    assert [resumed[0].is_reused, resumed[-1].is_reused] == [True, False]
    assert np.array_equal(film(resumed), whole)


def _is_last(inputs: DitInputs, following: DitInputs | None) -> bool:
    """Whether the model is asked about another window next: guidance asks about one more than once."""
    assert inputs.motion_BFM is not None
    return following is None or not torch.equal(inputs.motion_BFM[:1], following.motion_BFM[:1])  # type: ignore[index]


def _last(poser: Poser, faces: list[AnchorPicture], window: DitInputs) -> list[Tensor]:
    """Each face in the pose of a window's last row."""
    assert window.motion_BFM is not None
    return [poser.latents(face, window.motion_BFM[:1])[:, -1] for face in faces]
