"""Samples for the codec, whole and cut."""

from dataclasses import replace

import torch

from training.data.portraits import PortraitSamples

WHOLE = PortraitSamples(size_px=96, num_frames=4, still_share=0.0)
CUT = replace(WHOLE, cut_px=48)
NUM_SAMPLES = 12


def test_a_cut_is_a_square_of_the_whole_with_its_focus() -> None:
    whole, cut = WHOLE(3), CUT(3)
    assert cut["pixels_THWC"].shape == (4, 48, 48, 3)
    assert cut["focus_THW"].shape == (4, 48, 48)
    places = [
        (top, left)
        for top in range(49)
        for left in range(49)
        if torch.equal(whole["pixels_THWC"][:, top : top + 48, left : left + 48], cut["pixels_THWC"])
        and torch.equal(whole["focus_THW"][:, top : top + 48, left : left + 48], cut["focus_THW"])
    ]
    assert len(places) == 1


def test_cuts_are_mostly_of_mouths_and_eyes_and_not_always() -> None:
    shares = {
        samples: [float(samples(number)["focus_THW"].float().mean()) for number in range(NUM_SAMPLES)]
        for samples in (WHOLE, CUT)
    }
    assert sum(shares[CUT]) > 2 * sum(shares[WHOLE])
    lefts = [cut_left(number) for number in range(NUM_SAMPLES)]
    assert len(set(lefts)) > NUM_SAMPLES // 2


def cut_left(number: int) -> int:
    """The first column of a sample's cut, or -1."""
    whole, cut = WHOLE(number), CUT(number)
    for left in range(49):
        columns = whole["pixels_THWC"][:, :, left : left + 48].unfold(1, 48, 1)
        if (columns == cut["pixels_THWC"].permute(0, 2, 3, 1)[:, None]).flatten(2).all(dim=2).any():
            return left
    return -1


def test_a_sample_is_a_function_of_its_number() -> None:
    assert all(torch.equal(CUT(7)[name], CUT(7)[name]) for name in ("pixels_THWC", "focus_THW"))
