"""Who performs live: the causal pair where it suits the machine, or whom one asks for."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine import load_pack, performing_live
from engine.errors import BadInputError
from engine.online import opening
from tests.engine.online.small_online_pack import write_small_online_pack


def test_the_pair_performs_where_bfloat16_is_fast_and_else_the_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = load_pack(write_small_online_pack(tmp_path / "pack"))
    for is_fast in (True, False):
        monkeypatch.setattr(opening, "has_fast_bfloat16", lambda _device, fast=is_fast: fast)
        assert (performing_live(pack).online is not None) == is_fast
        assert performing_live(pack, "online") is pack
        assert performing_live(pack, "base").online is None
    without = replace(pack, online=None)
    assert performing_live(without).online is None
    with pytest.raises(BadInputError, match="has no causal models"):
        performing_live(without, "online")
    with pytest.raises(ValueError, match="not 'windows'"):
        performing_live(pack, "windows")
