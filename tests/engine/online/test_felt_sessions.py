"""Live sessions on packs that plan and paint feelings: they begin with their portrait, at rest, and go over into what they are told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.loaded_pack import LoadedPack, load_pack
from engine.online.opening import open_session
from engine.online.session import LiveSession
from tests.engine.base.test_felt_films import HAPPY, moved
from tests.engine.base.test_posing import WordOfJoy, two_faced
from tests.engine.online.small_sessions import CHUNK, CONFIG, in_short_windows, pictures, pull
from tests.engine.online.test_retouched_session import planned_rows
from tests.engine.small_pack import FELT_WIDTH, write_small_feeling_pack

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    """That knows one word."""
    pack = in_short_windows(load_pack(write_small_feeling_pack(tmp_path_factory.mktemp("packs"))))
    return replace(pack, text_encoder=WordOfJoy())  # type: ignore[arg-type]


def told_of(session: LiveSession) -> torch.Tensor:
    """What is planned of each frame, [T, K]."""
    return planned_rows(session).view(-1, FELT_WIDTH)


def test_a_session_that_is_told_a_feeling_begins_at_rest_as_its_portrait(pack: LoadedPack) -> None:
    """By the picture that shows the feeling, from which it is painted away at first."""
    with open_session(two_faced(), pack, replace(CONFIG, prompt="is happy", seed=3)) as session:
        shown_THWC = pictures(pull(session, 2 * CHUNK))
        told_TK = told_of(session)
    _, happy = two_faced().references
    assert np.array_equal(shown_THWC, moved(pack, happy, told_TK)[: 2 * CHUNK])
    assert told_TK[0, HAPPY] < 0.05 < 0.2 < told_TK[: 2 * CHUNK, HAPPY].max()
    assert told_TK[:, HAPPY].diff().abs().max() < 0.3


def test_a_direction_changes_the_picture_at_once_and_the_feeling_smoothly(pack: LoadedPack) -> None:
    with open_session(two_faced(), pack, replace(CONFIG, seed=3)) as session:
        shown = pull(session, 2 * CHUNK)
        session.set_prompt("is happy")
        shown_THWC = pictures(shown + pull(session, 2 * CHUNK))
        told_TK = told_of(session)
    at_rest, happy = (moved(pack, each, told_TK) for each in two_faced().references)
    is_happy = [np.array_equal(*both) for both in zip(shown_THWC, happy, strict=False)]
    is_calm = [np.array_equal(*both) for both in zip(shown_THWC, at_rest, strict=False)]
    assert is_calm == [not each for each in is_happy]
    assert not any(is_happy[: 2 * CHUNK]) and is_happy[-1] and is_happy == sorted(is_happy), "once, and for good"
    assert told_TK[:, HAPPY].max() > 0.2
    assert told_TK[:, HAPPY].diff().abs().max() < 0.3
