"""Films for retouching: reproducible, near the picture that they would stay near, in focus where mouth and eyes are in each frame."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.actor.draw import draw_film, draw_frame
from training.actor.identity import Identity, sample_identity
from training.actor.references import expression_state
from training.actor.state import EXPRESSIONS, channel, resting_state
from training.data.motion_rows import ROW_WIDTH, shown_row
from training.data.portraits import SEED_STRIDE
from training.data.posed_films import SHOWN_FROM, PosedFilmSamples, _shown

SIZE_PX, ANCHOR_PX = 48, 96
SAMPLES = PosedFilmSamples(size_px=SIZE_PX, anchor_px=ANCHOR_PX, num_frames=3)


def identity_of(number: int) -> Identity:
    return sample_identity(number * SEED_STRIDE % 999_983)


def test_a_film_is_a_pure_function_of_its_number() -> None:
    first, again, other = SAMPLES(3), SAMPLES(3), SAMPLES(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["anchor_HWC"], other["anchor_HWC"])
    assert not torch.equal(first["state_TK"], other["state_TK"])
    assert not torch.equal(first["anchor_HWC"], replace(SAMPLES, first_identity=7)(3)["anchor_HWC"])
    assert first["anchor_HWC"].shape == (ANCHOR_PX, ANCHOR_PX, 3)
    assert first["anchor_row_M"].shape == (ROW_WIDTH,)
    assert first["pixels_THWC"].shape == (3, SIZE_PX, SIZE_PX, 3)
    assert first["focus_THW"].shape == (3, SIZE_PX, SIZE_PX)
    assert (first["anchor_HWC"].dtype, first["focus_THW"].dtype) == (torch.uint8, torch.bool)
    assert PosedFilmSamples(size_px=24, anchor_px=24)(0)["state_TK"].shape[0] == 8, "two latents"


def test_a_film_is_drawn_from_its_states_and_its_anchor_is_the_same_character_at_rest() -> None:
    """But for an expression, which is told beside it."""
    for number in range(3):
        sample, identity = SAMPLES(number), identity_of(number)
        drawn_THWC = draw_film(identity, sample["state_TK"].numpy(), SIZE_PX)
        assert np.array_equal(sample["pixels_THWC"].numpy(), drawn_THWC)
        (shown,) = (
            name
            for name in EXPRESSIONS
            if np.array_equal(draw_frame(identity, expression_state(name), ANCHOR_PX), sample["anchor_HWC"].numpy())
        )
        assert torch.equal(sample["anchor_row_M"], shown_row(shown))


def states_of(**strengths: float) -> NDArray[np.float32]:
    state_TK = resting_state(4)
    for name, strength in strengths.items():
        state_TK[:, channel(f"expression_{name}")] = strength
    return state_TK


@pytest.mark.parametrize(
    ("strengths", "shown"),
    [
        ({}, "neutral"),
        ({"sad": SHOWN_FROM - 0.05}, "neutral"),
        ({"sad": SHOWN_FROM + 0.05}, "sad"),
        ({"happy": 0.45, "contemptuous": 0.5}, "contemptuous"),
    ],
)
def test_only_a_strong_expression_has_a_picture_of_its_own(strengths: dict[str, float], shown: str) -> None:
    assert _shown(states_of(**strengths)) == shown


def test_films_stay_near_their_own_expression_as_often_as_they_are_asked_to() -> None:
    small = replace(SAMPLES, size_px=24, num_frames=1)
    strong = [number for number in range(24) if _shown(small(number)["state_TK"].numpy()) != "neutral"]
    assert strong
    for share in (0.0, 1.0):
        sample = replace(small, own_expression_share=share)(strong[0])
        shown = _shown(sample["state_TK"].numpy()) if share else "neutral"
        wanted_HWC = draw_frame(identity_of(strong[0]), expression_state(shown), ANCHOR_PX)
        assert np.array_equal(sample["anchor_HWC"].numpy(), wanted_HWC)
        assert torch.equal(sample["anchor_row_M"], shown_row(shown))


def test_mouth_and_eyes_are_in_focus_where_they_are_in_each_frame() -> None:
    changed = []
    for number in range(6):
        sample, identity = SAMPLES(number), identity_of(number)
        for state_K, focus_HW in zip(sample["state_TK"].numpy(), sample["focus_THW"], strict=True):
            open_K, shut_K = state_K.copy(), state_K.copy()
            open_K[channel("mouth_open")], shut_K[channel("mouth_open")] = 0.8, 0.0
            open_K[channel("blink")], shut_K[channel("blink")] = 0.0, 1.0
            open_HWC, shut_HWC = (draw_frame(identity, each, SIZE_PX).astype(int) for each in (open_K, shut_K))
            changed.append(focus_HW[torch.from_numpy(np.abs(open_HWC - shut_HWC).max(axis=2) > 12)])
            assert 0.005 < focus_HW.float().mean() < 0.4
    assert torch.cat(changed).float().mean() > 0.5
