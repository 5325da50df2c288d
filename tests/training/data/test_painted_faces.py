"""Portraits at rest beside squares of them whose faces show something: the right states, squares around the focus, the same each time."""

import numpy as np
import torch

from training.actor.draw import draw_frame
from training.actor.identity import sample_identity
from training.actor.state import channel, resting_state
from training.data.motion_rows import MEAN_AND_SPREAD
from training.data.painted_faces import FACE_RANGES, HIDDEN_CHANNELS, PAINTED_CHANNELS, PaintedFaceSamples, random_face
from training.data.portraits import SEED_STRIDE

SIZE_PX, SIDE_PX = 96, 48


def test_a_square_is_the_drawing_of_its_state() -> None:
    samples = PaintedFaceSamples(size_px=SIZE_PX, side_px=SIDE_PX, num_states=3, expression_share=0.0)
    sample = samples(7)
    assert sample["rest_HWC"].shape == (SIZE_PX, SIZE_PX, 3)
    assert sample["truth_SHWC"].shape == (3, SIDE_PX, SIDE_PX, 3) and sample["truth_SHWC"].dtype == torch.uint8
    assert sample["face_SK"].shape == (3, len(PAINTED_CHANNELS))
    identity = sample_identity(7 * SEED_STRIDE % 999_983)
    spread_K = np.array([MEAN_AND_SPREAD[name][1] for name in PAINTED_CHANNELS], dtype=np.float32)
    y, x = sample["corner_2"].tolist()
    for face_K, truth_HWC in zip(sample["face_SK"].numpy(), sample["truth_SHWC"].numpy(), strict=True):
        state_K = resting_state(1)[0]
        state_K[[channel(name) for name in PAINTED_CHANNELS]] = face_K * spread_K
        drawn_HWC = draw_frame(identity, state_K, SIZE_PX)[y : y + SIDE_PX, x : x + SIDE_PX]
        assert np.abs(drawn_HWC.astype(int) - truth_HWC).mean() < 0.05
    assert torch.equal(sample["truth_SHWC"], samples(7)["truth_SHWC"])


def test_squares_lie_around_mouth_and_eyes_by_their_share() -> None:
    in_focus, anywhere = (
        PaintedFaceSamples(size_px=SIZE_PX, side_px=SIDE_PX, num_states=1, focus_share=share, shift_px=0.0)
        for share in (1.0, 0.0)
    )
    shares = [
        np.mean([float(make(number)["focus_SHW"].float().mean()) for number in range(12)])
        for make in (in_focus, anywhere)
    ]
    assert shares[0] > 1.5 * shares[1] > 0


def test_faces_rest_often_and_never_leave_their_ranges() -> None:
    rng = np.random.default_rng(0)
    faces_NK = np.stack([random_face(rng) for _ in range(400)])
    for column, name in enumerate(PAINTED_CHANNELS):
        low, high, share = FACE_RANGES[name]
        assert low <= faces_NK[:, column].min() and faces_NK[:, column].max() <= high
        if name != "brow_right":
            assert abs((faces_NK[:, column] != 0).mean() - share) < 0.1
    closed = faces_NK[:, PAINTED_CHANNELS.index("blink")] == 1.0
    assert 0.12 < closed.mean() < 0.3
    assert set(HIDDEN_CHANNELS) < set(PAINTED_CHANNELS)
