"""What a pack says of a portrait: it knows the drawings that it learned from, and says so of what it has never seen."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.errors import BadPackError
from engine.familiarity import Familiarity, familiarity, familiarity_to_pack
from engine.posing.matte import Matte, MatteConfig
from tests.engine.small_pack import write_small_pack
from training.actor.identity import sample_identity
from training.actor.references import draw_references
from training.tasks.codec import HELD_OUT_IDENTITY

PACK = "lpm-tiny"


def blurred_noise(seed: int, spread_px: float) -> NDArray[np.uint8]:
    """Coloured patches without any order."""
    levels_HWC = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((192, 192, 3)), (0, 0), spread_px)
    return np.clip(128 + 50 * levels_HWC / levels_HWC.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("size_px", [160, 384])
def test_drawings_like_those_it_learned_from_are_familiar_at_any_size(number: int, size_px: int) -> None:
    pictures = draw_references(sample_identity(HELD_OUT_IDENTITY + 7919 * number), size_px)
    for name in ("global", "expression_surprised"):
        assert familiarity_to_pack(PACK, pictures[name]) is Familiarity.FAMILIAR
    assert Familiarity.FAMILIAR.warning == ""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spread_px", [0.5, 6.0, 24.0])
def test_what_is_no_character_is_warned_of(seed: int, spread_px: float) -> None:
    assert familiarity_to_pack(PACK, blurred_noise(seed, spread_px)).warning


def test_in_a_bare_wall_nobody_is_found() -> None:
    bare_HWC = np.full((50, 80, 3), 90, np.uint8)
    assert familiarity_to_pack(PACK, bare_HWC) is Familiarity.NOBODY
    assert "nobody" in Familiarity.NOBODY.warning != Familiarity.STRANGE.warning


def test_doubt_is_the_share_of_pixels_that_are_neither() -> None:
    matte = Matte(MatteConfig(look_px=16, widths=(6, 8))).eval()
    picture_BCHW = torch.zeros(2, 3, 16, 16)
    for bias, doubt in ((0.0, 1.0), (1.6, 1.0), (1.9, 0.0), (-6.0, 0.0)):
        torch.nn.init.zeros_(matte.head.weight)
        torch.nn.init.constant_(matte.head.bias, bias)
        assert matte.doubt(picture_BCHW).tolist() == [doubt, doubt]
        assert matte.has_somebody(picture_BCHW).tolist() == [bias >= 0.0] * 2, "somebody may fill the picture"


def test_a_pack_without_a_matte_says_nothing(tmp_path: Path) -> None:
    write_small_pack(tmp_path)
    assert familiarity_to_pack(tmp_path, blurred_noise(0, 6.0)) is Familiarity.FAMILIAR
    assert familiarity(None, blurred_noise(0, 6.0)) is Familiarity.FAMILIAR
    with pytest.raises(BadPackError, match="no model pack 'nowhere'"):
        familiarity_to_pack("nowhere", blurred_noise(0, 6.0))
