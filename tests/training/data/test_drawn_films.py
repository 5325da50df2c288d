"""Films that a pack draws when it is told what the actor did: by the actor's motion, behind its own latents, near its own anchors."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.loaded_pack import LoadedPack, load_pack
from engine.model.transformer import Transformer
from engine.pixels import as_pixels
from engine.posing.anchor_picture import AnchorPicture
from tests.training.small_parts import write_small_parts
from training.actor.as_character import character_of
from training.data.clips import clip_identity
from training.data.drawn_films import Anchors, drawn_film
from training.data.motion_rows import FRAMES_PER_ROW, shown_row
from training.packing import build_pack
from training.recipes import parts

NUM_FRAMES = 48


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedPack:
    """A pack of small random parts."""
    build_pack([write_small_parts(tmp_path / "parts", monkeypatch)], tmp_path / "pack", "small", "1")
    return load_pack(tmp_path / "pack")


def test_a_film_is_drawn_by_what_the_actor_did_and_not_by_what_the_pack_plans(pack: LoadedPack) -> None:
    film = drawn_film(pack, 3, NUM_FRAMES)
    num_latents = NUM_FRAMES // FRAMES_PER_ROW
    assert film["state_TK"].shape[0] == NUM_FRAMES
    assert film["latents_FCHW"].shape == (num_latents, parts.CODEC.latent_channels, 2, 2)
    assert film["latents_FCHW"].dtype == torch.float16 and film["latents_FCHW"].isfinite().all()
    assert pack.motion is not None
    torch.manual_seed(5)
    planner = Transformer(parts.MOTION).eval().requires_grad_(False)
    planned_otherwise = replace(pack, motion=replace(pack.motion, transformer=planner))
    assert torch.equal(drawn_film(planned_otherwise, 3, NUM_FRAMES)["latents_FCHW"], film["latents_FCHW"])
    other = drawn_film(pack, 4, NUM_FRAMES)
    assert not torch.equal(other["latents_FCHW"], film["latents_FCHW"])
    assert not torch.equal(other["state_TK"], film["state_TK"])


def test_anchors_are_references_of_the_films_own_character(pack: LoadedPack) -> None:
    for number in range(3):
        film = drawn_film(pack, number, NUM_FRAMES)
        references = character_of(clip_identity(int(film["number"])), pack.film_px).references
        known = [as_pixels(reference.picture_HWC, pack.film_px)[0] for reference in references]
        assert len(film["anchor_rows_AM"]) == len(film["anchors_AHWC"])
        for anchor_HWC, row_M in zip(film["anchors_AHWC"], film["anchor_rows_AM"], strict=True):
            anchor_CHW = anchor_HWC.permute(2, 0, 1) / 127.5 - 1.0
            shown = {
                reference.subtype if reference.kind == "expression" else "neutral"
                for reference, known_CHW in zip(references, known, strict=True)
                if (anchor_CHW - known_CHW).abs().max() < 0.01
            }
            assert len(shown) == 1, "the global picture is that of no feeling"
            torch.testing.assert_close(row_M, shown_row(*shown), rtol=0, atol=1e-3)
        places = film["anchor_of_latent_F"]
        assert len(places) == NUM_FRAMES // FRAMES_PER_ROW
        assert sorted(set(places.tolist())) == list(range(len(film["anchors_AHWC"])))


def test_a_picture_that_was_there_before_is_the_same_anchor() -> None:
    anchors = Anchors()
    given = [
        AnchorPicture(pixels_BCHW=torch.full((1, 3, 4, 4), float(which)), row_BM=torch.full((1, 5), 7.0 + which))
        for which in (0, 1, 0, 1)
    ]
    assert [anchors.place_of(each) for each in given] == [0, 1, 0, 1]
    assert [int(each.unique()) for each in anchors.pictures_AHWC()] == [128, 255]
    assert anchors.rows_AM().tolist() == [[7.0] * 5, [8.0] * 5]
