"""Live sessions in which the character is told to turn round: it does, comes back, and goes on turning when opened again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.characters import Character, Reference, ReferenceKind
from engine.loaded_pack import LoadedPack, load_pack
from engine.online.opening import open_session, restore_session
from tests.engine.online.small_sessions import CHUNK, NODDING, in_short_windows, pictures, pull
from tests.engine.small_pack import striking_character, write_small_matted_pack

pytestmark = pytest.mark.usefixtures("one_thread")

BACK = "turns her back to us"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> LoadedPack:
    return in_short_windows(load_pack(write_small_matted_pack(tmp_path_factory.mktemp("packs"))))


def with_back() -> Character:
    """The striking character, black from behind."""
    plain = striking_character()
    black_HWC = np.zeros_like(plain.global_picture_HWC)
    rear = Reference(kind=ReferenceKind.VIEW, subtype="rear", picture_HWC=black_HWC, path=Path("rear.png"))
    return replace(plain, references=(*plain.references, rear))


def test_a_session_turns_round_and_back(pack: LoadedPack) -> None:
    with open_session(with_back(), pack, NODDING) as session:
        facing = pictures(pull(session, 2 * CHUNK))
        session.set_prompt(BACK)
        turned = pictures(pull(session, 8 * CHUNK))[-CHUNK:]
        session.set_prompt("is calm")
        again = pictures(pull(session, 8 * CHUNK))[-CHUNK:]
    assert facing.mean() - turned.mean() > 20, "the back is black"
    assert again.mean() - turned.mean() > 20


def test_a_session_that_is_opened_again_goes_on_turning(pack: LoadedPack, tmp_path: Path) -> None:
    with open_session(with_back(), pack, NODDING) as session:
        facing = pictures(pull(session, 2 * CHUNK))
        session.set_prompt(BACK)
        while pictures(pull(session, 1)).mean() > facing.mean() - 5:
            pass  # until it begins to turn
        session.snapshot(tmp_path / "kept")
        straight = pictures(pull(session, 4 * CHUNK))
    with restore_session(tmp_path / "kept", with_back(), pack) as restored:
        assert np.array_equal(pictures(pull(restored, 4 * CHUNK)), straight)
