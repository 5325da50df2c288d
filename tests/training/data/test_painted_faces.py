"""Portraits beside squares of them whose faces move and feel: the right states, squares around the focus, the same each time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.references import expression_state
from training.actor.state import EXPRESSION_CHANNELS, EXPRESSIONS, channel
from training.data.motion_rows import MEAN_AND_SPREAD
from training.data.painted_faces import (
    FACE_RANGES,
    FELT_CHANNELS,
    GOING_OVER,
    HAPPY_AS_OFTEN_AS,
    HIDDEN_CHANNELS,
    MOVED_CHANNELS,
    PAINTED_CHANNELS,
    PAINTED_RANGES,
    UNCHANGED,
    WIDE_OPEN,
    PaintedFaceSamples,
    random_face,
    random_feelings,
)
from training.data.portraits import SEED_STRIDE
from training.recipes import parts

SIZE_PX, SIDE_PX = 96, 48
SAMPLES = PaintedFaceSamples(size_px=SIZE_PX, side_px=SIDE_PX, num_states=3)
NEUTRAL, HAPPY = (EXPRESSIONS.index(name) for name in ("neutral", "happy"))


def state_of(face_K: NDArray[np.float32], shown: str) -> NDArray[np.float32]:
    """The actor's, of a face that is told as its difference from a portrait's."""
    state_K = expression_state(shown)
    for name, told in zip(PAINTED_CHANNELS, face_K, strict=True):
        state_K[channel(name)] += told * MEAN_AND_SPREAD[name][1]
    state_K[channel("expression_neutral")] = 1.0 - sum(state_K[channel(name)] for name in FELT_CHANNELS)
    return state_K


@pytest.mark.parametrize("expression_share", [0.0, 1.0])
@pytest.mark.parametrize(("spacing_px", "side_px"), [(1, SIDE_PX), (2, SIDE_PX // 2), (4, SIDE_PX // 4)])
def test_a_square_is_the_drawing_of_its_state(expression_share: float, spacing_px: int, side_px: int) -> None:
    """Of a portrait at rest, and of one that shows something; all of its pixels, or one in every few."""
    samples = replace(SAMPLES, expression_share=expression_share, spacing_px=spacing_px, side_px=side_px)
    sample, identity = samples(7), sample_identity(7 * SEED_STRIDE % 999_983)
    assert sample["rest_HWC"].shape == (SIZE_PX, SIZE_PX, 3)
    assert sample["truth_SHWC"].shape == (3, side_px, side_px, 3) and sample["truth_SHWC"].dtype == torch.uint8
    assert sample["focus_SHW"].shape == (3, side_px, side_px)
    assert sample["face_SK"].shape == (3, len(PAINTED_CHANNELS)) and sample["face_SK"].dtype == torch.float32
    (shown,) = (
        name
        for name in EXPRESSIONS
        if np.array_equal(draw_frame(identity, expression_state(name), SIZE_PX), sample["rest_HWC"].numpy())
    )
    assert (shown != "neutral") is bool(expression_share)
    y, x = sample["corner_2"].tolist()
    for face_K, truth_HWC in zip(sample["face_SK"].numpy(), sample["truth_SHWC"].numpy(), strict=True):
        drawn_HWC = draw_frame(identity, state_of(face_K, shown), SIZE_PX)
        square_HWC = drawn_HWC[y : y + SIDE_PX : spacing_px, x : x + SIDE_PX : spacing_px]
        assert np.abs(square_HWC.astype(int) - truth_HWC).mean() < 0.05
    assert torch.equal(sample["truth_SHWC"], samples(7)["truth_SHWC"])


def test_a_square_of_every_second_pixel_reaches_as_far_as_one_of_all() -> None:
    """And lies within its portrait."""
    all_of_it = replace(SAMPLES, focus_share=0.0)
    every_second = replace(all_of_it, side_px=SIDE_PX // 2, spacing_px=2)
    for number in range(12):
        whole, thin = all_of_it(number), every_second(number)
        assert torch.equal(whole["corner_2"], thin["corner_2"])
        assert torch.equal(whole["truth_SHWC"][:, ::2, ::2], thin["truth_SHWC"])
        assert torch.equal(whole["focus_SHW"][:, ::2, ::2], thin["focus_SHW"])
        assert torch.equal(whole["face_SK"], thin["face_SK"])
        assert thin["corner_2"].max() <= SIZE_PX - SIDE_PX


def test_squares_lie_around_mouth_and_eyes_by_their_share() -> None:
    in_focus, anywhere = (
        PaintedFaceSamples(size_px=SIZE_PX, side_px=SIDE_PX, num_states=1, focus_share=share, shift_px=0.0)
        for share in (1.0, 0.0)
    )
    shares = [
        np.mean([float(make(number)["focus_SHW"].float().mean()) for number in range(40)])
        for make in (in_focus, anywhere)
    ]
    assert shares[0] > 1.5 * shares[1] > 0


def test_faces_rest_often_and_never_leave_their_ranges() -> None:
    rng = np.random.default_rng(0)
    faces_NK = np.stack([random_face(rng) for _ in range(400)])
    for column, name in enumerate(MOVED_CHANNELS):
        low, high, share = FACE_RANGES[name]
        assert low <= faces_NK[:, column].min() and faces_NK[:, column].max() <= high
        if name != "brow_right":
            assert abs((faces_NK[:, column] != 0).mean() - share) < 0.1
    closed = faces_NK[:, MOVED_CHANNELS.index("blink")] == 1.0
    assert 0.12 < closed.mean() < 0.3
    open_N = faces_NK[:, MOVED_CHANNELS.index("mouth_open")]
    share, least = WIDE_OPEN
    assert (open_N[open_N > 0] > least).mean() == pytest.approx(share + (1 - share) * (1 - least), abs=0.06)
    assert set(HIDDEN_CHANNELS) < set(MOVED_CHANNELS) < set(PAINTED_CHANNELS)


def feelings_beside(shown: str, count: int = 2000) -> NDArray[np.float32]:
    """What is felt by lot beside a portrait of one expression, [N, E]."""
    rng, shown_E = np.random.default_rng(0), expression_state(shown)[[channel(name) for name in EXPRESSION_CHANNELS]]
    before_E = shown_E.copy()
    felt_NE = np.stack([random_feelings(shown_E, rng) for _ in range(count)])
    assert np.array_equal(shown_E, before_E), "others go by it too"
    assert felt_NE.dtype == np.float32 and felt_NE.min() >= -1e-6
    np.testing.assert_allclose(felt_NE.sum(axis=1), 1.0, atol=1e-5)
    return felt_NE


def test_beside_a_neutral_portrait_nothing_is_felt_or_some_of_one_feeling_mostly_joy() -> None:
    felt_NE = np.delete(feelings_beside("neutral"), NEUTRAL, axis=1)
    num_felt_N = (felt_NE > 0).sum(axis=1)
    assert set(num_felt_N) == {0, 1}
    assert (num_felt_N == 0).mean() == pytest.approx(UNCHANGED, abs=0.04)
    strengths_N = felt_NE.max(axis=1)[num_felt_N == 1]
    assert strengths_N.min() < 0.05 and strengths_N.max() > 0.95 and abs(strengths_N.mean() - 0.5) < 0.05
    shares_E = (felt_NE > 0).sum(axis=0) / (num_felt_N == 1).sum()
    expected_E = np.ones(len(shares_E))
    expected_E[HAPPY - 1] = HAPPY_AS_OFTEN_AS
    np.testing.assert_allclose(shares_E, expected_E / expected_E.sum(), atol=0.04)


def test_beside_a_portrait_that_shows_something_it_is_felt_or_less_of_it_or_something_else_comes() -> None:
    felt_NE = feelings_beside("happy")
    happy_N, others_NE = felt_NE[:, HAPPY], np.delete(felt_NE, [NEUTRAL, HAPPY], axis=1)
    is_the_same_N, num_others_N = happy_N == 1.0, (others_NE > 0).sum(axis=1)
    assert is_the_same_N.mean() == pytest.approx(UNCHANGED, abs=0.04)
    assert set(num_others_N) == {0, 1} and not num_others_N[is_the_same_N].any()
    is_less_N, goes_over_N = ~is_the_same_N & (num_others_N == 0), num_others_N == 1
    assert goes_over_N.sum() / (~is_the_same_N).sum() == pytest.approx(GOING_OVER, abs=0.04)
    assert is_less_N.sum() / (~is_the_same_N).sum() == pytest.approx(1 - GOING_OVER, abs=0.04)
    assert happy_N[is_less_N].min() < 0.05 and happy_N[is_less_N].max() > 0.95
    for share_N in (happy_N[goes_over_N], others_NE.max(axis=1)[goes_over_N], felt_NE[goes_over_N, NEUTRAL]):
        assert share_N.min() < 0.1 and share_N.max() > 0.7 and abs(share_N.mean() - 1 / 3) < 0.06
    assert ((others_NE > 0).sum(axis=0) > 0).all(), "whichever"


def test_no_sample_is_told_more_than_the_network_is_told_at_most() -> None:
    """Beyond its bounds faces are painted as at their ends: what is felt less than a portrait shows is told too."""
    assert parts.PAINT.face_columns == tuple(channel(name) for name in PAINTED_CHANNELS)
    assert parts.PAINT.felt_columns == tuple(channel(name) for name in FELT_CHANNELS)
    least_K, most_K = torch.tensor([parts.PAINT.face_least, parts.PAINT.face_most])
    samples = PaintedFaceSamples(size_px=24, side_px=12, num_states=12, expression_share=0.8)
    faces_NK = torch.cat([samples(number)["face_SK"] for number in range(24)])
    assert (faces_NK > least_K - 1e-3).all() and (faces_NK < most_K + 1e-3).all()
    felt_NK = faces_NK[:, [PAINTED_CHANNELS.index(name) for name in FELT_CHANNELS]]
    for name in FELT_CHANNELS:
        assert PAINTED_RANGES[name] == (-1.0, 1.0)
    reach_K = most_K[-len(FELT_CHANNELS) :]
    assert (felt_NK.amin(dim=0) < -0.5 * reach_K).any() and (felt_NK.amax(dim=0) > 0.5 * reach_K).any()
