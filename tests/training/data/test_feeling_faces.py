"""Faces of feelings are numbers of a frame, and mean what they say."""

import torch

from engine.characters import EXPRESSIONS
from training.actor.state import NUM_CHANNELS, channel
from training.data.feeling_faces import FACES, feeling_faces
from training.data.motion_rows import rest_row, states_of
from training.data.painted_faces import FACE_RANGES
from training.recipes import parts


def test_each_face_is_the_state_that_it_says() -> None:
    faces_EK = torch.tensor(feeling_faces()).view(len(EXPRESSIONS), NUM_CHANNELS)
    assert set(FACES) == set(EXPRESSIONS) - {"neutral"}
    for name, face_K in zip(EXPRESSIONS, faces_EK, strict=True):
        state_K = states_of(rest_row()[None] + face_K.repeat(4))[0]
        for moved, state in FACES.get(name, {}).items():
            assert abs(float(state_K[channel(moved)]) - state) < 1e-2
        assert int((face_K != 0).sum()) == len(FACES.get(name, {}))


def test_faces_are_such_as_paint_has_learned() -> None:
    for face in FACES.values():
        for moved, state in face.items():
            low, high, _ = FACE_RANGES[moved]
            assert low <= state <= high


def test_the_pack_that_ships_is_told_them() -> None:
    assert parts.MOTION_SETTINGS.feeling_faces == feeling_faces()
