"""Siblings are drawn as the actor acts, and each can be told from it."""

import numpy as np
import pytest

from training.actor.draw import draw_film
from training.actor.identity import sample_identity
from training.actor.state import channel, resting_state
from training.bench.cases import HELD_OUT_SEED
from training.bench.siblings import MOMENTS, moments_of, sibling_pictures

SIZE_PX = 96


def test_siblings_are_as_many_as_asked_for_and_unlike_the_actor_and_each_other() -> None:
    identity, states_TK = sample_identity(HELD_OUT_SEED), resting_state(24)
    states_TK[:, channel("yaw")] = np.linspace(-0.2, 0.2, 24)
    moments_MK = moments_of(states_TK)
    assert moments_MK[:, channel("yaw")].tolist() == sorted(moments_MK[:, channel("yaw")].tolist())
    pictures_SMHWC = sibling_pictures(identity, moments_MK, 6, SIZE_PX)
    assert pictures_SMHWC.shape == (6, MOMENTS, SIZE_PX, SIZE_PX, 3)
    own_MHWC = draw_film(identity, moments_MK, SIZE_PX)
    family = [own_MHWC, *pictures_SMHWC]
    assert len({each.tobytes() for each in family}) == len(family)
    assert np.array_equal(sibling_pictures(identity, moments_MK, 6, SIZE_PX), pictures_SMHWC)


def test_more_siblings_than_there_are_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.bench.siblings.LEAST_DIFFERENCE", 255.0)
    with pytest.raises(ValueError, match="only 0 siblings"):
        sibling_pictures(sample_identity(HELD_OUT_SEED), moments_of(resting_state(24)), 2, SIZE_PX)
