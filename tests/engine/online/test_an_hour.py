"""An hour of film from one session, as fast as it comes: memory stands still, histories stay what they were in size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.loaded_pack import load_pack
from engine.memory import memory_mb
from engine.online.live import LiveConfig
from engine.online.opening import open_session
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.small_pack import small_character

HOUR_FRAMES = 3600 * 24


@pytest.mark.long
def test_memory_after_an_hour_is_memory_after_five_minutes(tmp_path: Path) -> None:
    pack = load_pack(write_small_online_pack(tmp_path / "pack"))
    voice_S = 0.1 * np.random.default_rng(0).standard_normal(24_000).astype(np.float32)
    memory = {}
    with open_session(small_character(), pack, replace(LiveConfig(), split="one worker", can_degrade=False)) as session:
        bytes_before = session.report().cache_bytes
        for frame in range(HOUR_FRAMES):
            if frame % 24 == 0:
                (session.push_speak if frame // 240 % 2 else session.push_listen)(voice_S)
                if frame % (5 * 60 * 24) == 0:
                    memory[frame // (60 * 24)] = memory_mb()
            shown = session.pull(timeout_s=60.0)
            assert shown is not None
            assert shown.index == frame
        assert session.report().cache_bytes == bytes_before
        assert session.report().num_chunks >= HOUR_FRAMES // 12
    assert memory[55] / memory[5] - 1 < 0.01, memory
