"""Who sits for portraits: as many strangers as are asked for, and whole samples through one warp."""

import numpy as np
import torch

from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.references import expression_state
from training.actor.state import channel
from training.actor.strangers import sample_stranger
from training.data.painted_faces import PaintedFaceSamples
from training.data.portraits import SEED_STRIDE
from training.data.posed_pairs import PosedPairSamples
from training.data.sitters import WARPED_SHARE, Sitter, random_sitter
from training.data.warps import random_warp

SIZE_PX = 96
NEUTRAL_K = expression_state("neutral")


def sitter(number: int, share: float) -> Sitter:
    return random_sitter(number, first_identity=50, stranger_share=share, size_px=SIZE_PX)


def test_strangers_sit_as_often_as_they_are_asked_to() -> None:
    assert all(sitter(number, 0.0).identity == sample_identity(50 + number * SEED_STRIDE) for number in range(20))
    assert all(sitter(number, 0.0).warp is None for number in range(20))
    strangers = [sitter(number, 1.0) for number in range(60)]
    assert all(each.identity == sample_stranger(50 + number * SEED_STRIDE) for number, each in enumerate(strangers))
    assert abs(np.mean([each.warp is not None for each in strangers]) - WARPED_SHARE) < 0.2
    some = [sitter(number, 0.5).identity == sample_stranger(50 + number * SEED_STRIDE) for number in range(60)]
    assert 0.3 < np.mean(some) < 0.7


def test_a_sitter_is_a_function_of_its_number() -> None:
    number = next(number for number in range(20) if sitter(number, 1.0).warp is not None)
    first, again = (sitter(number, 1.0).drawn(NEUTRAL_K, SIZE_PX) for _ in range(2))
    assert np.array_equal(first, again)


def test_a_warp_moves_pictures_and_masks_alike() -> None:
    warp = random_warp(SIZE_PX, np.random.default_rng(3))
    dots_HWC = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    dots_HWC[30:60, 20:70] = 255
    warped_HW = warp.picture(dots_HWC)[..., 0]
    mask_HW = warp.mask(dots_HWC[..., 0] > 0)
    assert ((warped_HW > 127) != mask_HW).mean() < 0.02, "but for their rims"
    assert ((warped_HW > 127) != (dots_HWC[..., 0] > 127)).mean() > 0.02
    assert warp.picture(np.full((SIZE_PX, SIZE_PX, 3), 90, np.uint8)).min() >= 89, "there is no hole at the sides"


def test_what_moves_in_a_drawing_moves_in_the_warped_one() -> None:
    warped = next(each for each in (sitter(number, 1.0) for number in range(20)) if each.warp is not None)
    open_K = NEUTRAL_K.copy()
    open_K[channel("mouth_open")] = 1.0
    assert warped.warp is not None
    for state_K in (NEUTRAL_K, open_K):
        plain_HWC = draw_frame(warped.identity, state_K, SIZE_PX)
        assert np.array_equal(warped.drawn(state_K, SIZE_PX), warped.warp.picture(plain_HWC))


def test_samples_of_strangers_differ_from_the_actors_and_tell_the_same() -> None:
    for samples in (
        PaintedFaceSamples(size_px=SIZE_PX, side_px=48, num_states=2),
        PosedPairSamples(size_px=SIZE_PX),
    ):
        shared = type(samples)(**{**vars(samples), "stranger_share": 1.0})
        own, other = samples(3), shared(3)
        assert not torch.equal(own["rest_HWC"], other["rest_HWC"])
        told = "face_SK" if "face_SK" in own else "pose_P"
        assert torch.equal(own[told], other[told])
        focus = "focus_SHW" if "focus_SHW" in own else "focus_HW"
        assert other[focus].any()
