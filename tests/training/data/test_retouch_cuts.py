"""Cuts for retouching: the pack's own latents beside the truth of their frames, kept whole, and squares of them around mouth and eyes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from engine.codec.folded_vae import FoldedVae
from engine.loaded_pack import LoadedPack, load_pack
from engine.posing.anchor_picture import AnchorPicture
from engine.posing.poser import Poser
from engine.precision import FORMAT_VARIABLE
from tests.training.small_parts import write_small_parts
from training.actor.draw import draw_film
from training.actor.state import channel, resting_state
from training.data.clips import clip_identity
from training.data.drawn_films import drawn_film
from training.data.motion_rows import motion_rows, rest_row
from training.data.posed_films import PosedFilmSamples
from training.data.retouch_cuts import (
    DRAWN_CUTS,
    HELD_OUT_EACH,
    MOST_TO_ANCHOR,
    MOST_TO_MEAN,
    NUM_LATENTS,
    POSED_CUTS,
    SUFFIX,
    UNSURE_SHARE,
    CroppedCuts,
    CutMaker,
    Unsure,
    _liveliness,
    as_bytes,
    as_floats,
    build_cuts,
    cuts_apart,
    starts_of,
    whole_cuts,
)
from training.data.shifted_truth import shifted_truth
from training.packing import build_pack
from training.recipes import parts

FOLD, SURE = 4, Unsure(to_anchor=0.0, to_mean=0.0)


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedPack:
    """A pack of small random parts, whose films last two seconds, computed in float32, as what is done again here beside it."""
    monkeypatch.setenv(FORMAT_VARIABLE, "float32")
    monkeypatch.setattr("training.data.retouch_cuts.DRAWN_FRAMES", 48)
    build_pack([write_small_parts(tmp_path / "parts", monkeypatch)], tmp_path / "pack", "small", "1")
    return load_pack(tmp_path / "pack")


def test_a_cut_of_a_drawn_film_is_its_own_latents_beside_the_truth(pack: LoadedPack) -> None:
    film, start = drawn_film(pack, 2, 48), 3
    film["anchor_of_latent_F"][:] = 0
    cut = CutMaker.of(pack).of_drawn(film, start)
    frames = slice(FOLD * start, FOLD * (start + NUM_LATENTS))
    state_TK = film["state_TK"][frames]
    truth_THWC = draw_film(clip_identity(int(film["number"])), state_TK.numpy(), pack.size_px)
    codec = pack.codec
    assert isinstance(codec, FoldedVae)
    raw_BFCHW = (film["latents_FCHW"][None].float() * codec._per_channel("latent_std")) + codec._per_channel(
        "latent_mean"
    )
    with torch.no_grad():
        decoded_BTCHW = codec.reconstruct(raw_BFCHW[:, 1:], raw_BFCHW[:, :-1])[:, FOLD * (start - 1) :]
    torch.testing.assert_close(cut["decoded_TCHW"].float(), decoded_BTCHW[0, : NUM_LATENTS * FOLD], rtol=0, atol=0.02)
    assert pack.posing is not None
    finer, rows_BFM = pack.film_px // pack.size_px, motion_rows(state_TK)[None]
    assert finer > 1
    poser = Poser(pack.posing, codec, rest_row(), pack.paint, finer, pack.matte)
    pixels_BCHW = film["anchors_AHWC"][:1].permute(0, 3, 1, 2) / 127.5 - 1.0
    anchor = AnchorPicture(pixels_BCHW=pixels_BCHW, row_BM=film["anchor_rows_AM"][:1])
    moved_BTCHW = poser.moved(anchor, rows_BFM).pixels_BTCHW
    small_TCHW = as_bytes(avg_pool2d(moved_BTCHW[0], finer))
    assert (cut["moved_TCHW"].int() - small_TCHW.int()).abs().max() <= 1
    moved_THWC = cut["moved_TCHW"].permute(0, 2, 3, 1).numpy()
    shifted_THWC = np.stack([shifted_truth(*frames) for frames in zip(truth_THWC, moved_THWC, strict=True)])
    assert torch.equal(cut["truth_TCHW"], torch.from_numpy(shifted_THWC).permute(0, 3, 1, 2))
    assert torch.equal(cut["from_rest_FM"], poser.from_rest(rows_BFM)[0])
    assert cut["is_drawn"] and cut["focus_THW"].any()


def test_a_cut_of_a_random_film_is_encoded_from_the_truth_and_pulled_as_it_is_asked(pack: LoadedPack) -> None:
    maker, sample = CutMaker.of(pack), PosedFilmSamples(size_px=pack.size_px, anchor_px=pack.film_px)(4)
    sure = maker.of_posed(sample, SURE)
    pixels_BTCHW = as_floats(sample["pixels_THWC"].permute(0, 3, 1, 2))[None]
    assert isinstance(pack.codec, FoldedVae)
    with torch.no_grad():
        wanted_BTCHW = replace_smoothing(pack.codec).decode(pack.codec.encode(pixels_BTCHW))
    torch.testing.assert_close(sure["decoded_TCHW"].float(), wanted_BTCHW[0], rtol=0, atol=0.02)
    assert not sure["is_drawn"]
    for unsure in (replace(SURE, to_anchor=0.5), replace(SURE, to_mean=0.9)):
        cut = maker.of_posed(sample, unsure)
        assert (cut["decoded_TCHW"] - sure["decoded_TCHW"]).abs().max() > 0.01
        assert all(torch.equal(cut[name], sure[name]) for name in cut if name != "decoded_TCHW")


def test_a_cut_near_the_picture_of_a_feeling_is_painted_by_what_that_lacks(pack: LoadedPack) -> None:
    samples = PosedFilmSamples(size_px=pack.size_px, anchor_px=pack.film_px, own_expression_share=1.0)
    sample = next(each for each in map(samples, range(20)) if not torch.equal(each["anchor_row_M"], rest_row()))
    pixels_BCHW = sample["anchor_HWC"].permute(2, 0, 1)[None] / 127.5 - 1.0
    poser, rows_BFM = pack.poser(), motion_rows(sample["state_TK"])[None]
    assert poser is not None and pack.paint is not None

    def away(row_M: Tensor) -> int:
        """How far from the cut the picture is that is taken to show a row."""
        picture = AnchorPicture(pixels_BCHW=pixels_BCHW.clone(), row_BM=row_M[None])
        pixels_BTCHW = poser.moved(picture, rows_BFM).pixels_BTCHW
        return int((cut["moved_TCHW"].int() - as_bytes(avg_pool2d(pixels_BTCHW[0], poser.finer)).int()).abs().max())

    cut = CutMaker.of(pack).of_posed(sample, SURE)
    assert away(sample["anchor_row_M"]) <= 1
    assert away(rest_row()) > 5


def replace_smoothing(codec: FoldedVae) -> FoldedVae:
    """The codec, but for the smoothing of borders."""
    plain = FoldedVae(replace(codec.config, border_step_levels=0.0)).eval().requires_grad_(False)
    plain.load_state_dict(codec.state_dict())
    return plain


def test_unsure_latents_lie_towards_the_anchor_in_pose_or_the_mean_of_the_film() -> None:
    true_FCHW, posed_FCHW = torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(SURE.drawing_of(true_FCHW, posed_FCHW), true_FCHW)
    half = replace(SURE, to_anchor=0.5).drawing_of(true_FCHW, posed_FCHW)
    torch.testing.assert_close(half, (true_FCHW + posed_FCHW) / 2)
    mean = replace(SURE, to_mean=1.0).drawing_of(true_FCHW, posed_FCHW)
    torch.testing.assert_close(mean, true_FCHW.mean(dim=0).expand(3, -1, -1, -1))


def test_films_are_unsure_by_lot_one_way_at_most_or_not_at_all() -> None:
    rng = np.random.default_rng(0)
    lots = [Unsure.drawn(rng) for _ in range(2000)]
    for shares, most in (
        ([each.to_anchor for each in lots], MOST_TO_ANCHOR),
        ([each.to_mean for each in lots], MOST_TO_MEAN),
    ):
        assert np.mean(np.array(shares) > 0) == pytest.approx(UNSURE_SHARE, abs=0.04)
        assert min(shares) >= 0.0 and 0.95 * most < max(shares) <= most
    assert not any(each.to_anchor and each.to_mean for each in lots)


def test_starts_stay_behind_the_opening_and_off_changes_of_the_picture() -> None:
    assert starts_of(np.array([0, 0, 0, 1, 1, 1, 1])).tolist() == [3, 4, 5]
    assert starts_of(np.zeros(5, np.int64)).tolist() == [2, 3]


def test_a_cut_where_something_happens_is_likelier() -> None:
    state_TK = torch.from_numpy(resting_state(32))
    state_TK[9, channel("blink")] = 1.0
    state_TK[17, channel("lip_press")] = 1.0
    state_TK[24:, channel("mouth_open")] = torch.linspace(0.0, 0.3, 8)
    assert [round(_liveliness(state_TK, start, FOLD), 2) for start in (0, 2, 4, 6)] == [0.05, 0.85, 0.75, 0.65]


def test_cuts_are_built_once_and_whole(pack: LoadedPack, tmp_path: Path) -> None:
    folder = tmp_path / "cuts"
    assert build_cuts(folder, 0, pack)
    assert [path.name for path in folder.iterdir()] == [f"000000{SUFFIX}"]
    assert not build_cuts(folder, 0, pack), "what is there stays"
    kinds = {are_drawn: whole_cuts(tuple(folder.iterdir()), are_drawn=are_drawn) for are_drawn in (True, False)}
    assert [len(cuts["decoded_TCHW"]) for cuts in kinds.values()] == [DRAWN_CUTS, POSED_CUTS]
    for cuts in kinds.values():
        assert cuts["truth_TCHW"].min() >= -1.0 and cuts["truth_TCHW"].max() <= 1.0
        assert cuts["from_rest_FM"].shape[1:] == (NUM_LATENTS, parts.RETOUCH.row_width)
    first = tuple(folder.iterdir())
    for number in range(1, HELD_OUT_EACH + 2):
        (folder / f"{number:06d}{SUFFIX}").write_bytes(b"")
    learned, held_out = cuts_apart(folder)
    assert held_out == (first[0], folder / f"{HELD_OUT_EACH:06d}{SUFFIX}") and not set(learned) & set(held_out)


def test_squares_lie_around_mouth_and_eyes_or_anywhere(pack: LoadedPack, tmp_path: Path) -> None:
    build_cuts(tmp_path / "cuts", 1, pack)
    paths = tuple((tmp_path / "cuts").iterdir())
    whole = torch.cat([whole_cuts(paths, are_drawn=each)["truth_TCHW"] for each in (True, False)])
    around = CroppedCuts(paths=paths, side_px=24, step_px=4, focus_share=1.0, shift_px=2.0)
    anywhere = replace(around, focus_share=0.0)

    def corner(square: dict[str, Tensor]) -> tuple[int, int, int]:
        found = [
            (place, y, x)
            for place in range(len(whole))
            for y in range(0, 25, 4)
            for x in range(0, 25, 4)
            if torch.equal(whole[place, ..., y : y + 24, x : x + 24], square["truth_TCHW"])
        ]
        assert found, "a square of one of the cuts, on whole steps"
        return found[0]

    shares = []
    for squares in (around, anywhere):
        made = [squares(number) for number in range(24)]
        assert all(square["decoded_TCHW"].shape == (NUM_LATENTS * FOLD, 3, 24, 24) for square in made)
        shares.append(np.mean([float(square["focus_THW"].mean()) for square in made]))
        assert len({corner(square) for square in made}) > 4
        assert all(torch.equal(squares(3)[name], made[3][name]) for name in made[3]), "a pure function of its number"
    assert shares[0] > 1.3 * shares[1]
