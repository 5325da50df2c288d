"""Who performs live: what suits the machine, or whom one asks for."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from engine import load_pack, performing_live
from engine.errors import BadInputError
from tests.engine.online.small_online_pack import write_small_online_pack

ON_A_CARD = SimpleNamespace(device=torch.device("cuda"))  # there need be none here


def test_windows_perform_on_a_processor_the_pair_on_a_card_or_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And few slow cores have no time for details."""
    pack = load_pack(write_small_online_pack(tmp_path / "pack"), "cpu")
    assert pack.online is not None
    assert performing_live(pack).online is None
    assert performing_live(pack, "online") is pack
    assert performing_live(pack, "base").online is None
    on_a_card = replace(pack, transformer=SimpleNamespace(parameters=lambda: iter([ON_A_CARD])))  # type: ignore[arg-type]
    assert performing_live(on_a_card) is on_a_card
    small_px, large_px = pack.size_px, 2 * pack.size_px
    for cores, is_fast, shown_px in (
        (2, False, small_px),
        (1, True, small_px),
        (2, True, large_px),
        (4, False, large_px),
    ):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        monkeypatch.setattr("engine.online.opening.has_fast_bfloat16", lambda device, is_fast=is_fast: is_fast)
        assert performing_live(replace(pack, film_px=2 * pack.size_px)).film_px == shown_px
    assert performing_live(replace(on_a_card, film_px=2 * pack.size_px)).film_px == 2 * pack.size_px
    without = replace(pack, online=None)
    assert performing_live(without).online is None
    with pytest.raises(BadInputError, match="has no causal models"):
        performing_live(without, "online")
    with pytest.raises(ValueError, match="not 'windows'"):
        performing_live(pack, "windows")
