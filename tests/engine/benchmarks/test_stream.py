"""`lpm bench stream`: its twins compute what they stand for, and its figures fit together. Nothing here depends on speed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.benchmarks import stream as bench
from engine.benchmarks.conversation import Voices
from engine.benchmarks.stream import StreamShape, measure_stream
from engine.benchmarks.unpaced import slope
from engine.loaded_pack import load_pack
from engine.online.caching_twins import NoCache, RolledCache
from engine.online.kv_cache import CacheLayout, KvCache
from engine.online.settings import HistoryWindow
from tests.engine.online.small_models import COLUMNS, CONFIG, ROWS, bounds, chunk_of, film, random_model
from tests.engine.online.small_online_pack import write_small_online_pack
from tests.engine.small_pack import small_character


def test_the_rolled_cache_is_ours_at_absolute_positions() -> None:
    model, inputs = random_model(), film(14)
    history = HistoryWindow(sink_latents=2, window_latents=4, positions="absolute")
    layout = CacheLayout(model=CONFIG, grid_HW=(ROWS, COLUMNS), history=history, batch=2)
    caches = [kind(layout, torch.float32, torch.device("cpu")) for kind in (KvCache, RolledCache)]
    with torch.no_grad():
        references = model.encode_references(inputs.references)
        for start, end in bounds((3, 2, 3, 3, 3)):
            ours, theirs = (
                model.forward_chunk(chunk_of(inputs, start, end), cache.context(references)) for cache in caches
            )
            torch.testing.assert_close(ours.output_BFCHW, theirs.output_BFCHW, rtol=1e-4, atol=1e-5)
            caches[0].write(ours.layers)
            caches[1].write(theirs.layers)


def test_without_a_cache_the_whole_window_is_computed() -> None:
    model, inputs = random_model(), film(6)
    history = chunk_of(inputs, 0, 4)
    history = replace(history, speak_BAD=inputs.speak_BAD[:, :8], listen_BAD=inputs.listen_BAD[:, :4])
    chunk = replace(
        chunk_of(inputs, 4, 6),
        speak_BAD=inputs.speak_BAD[:, 7:],
        listen_BAD=inputs.listen_BAD[:, 1:],
        speak_start_row=-1,
        listen_start_row=-3,
    )
    found = NoCache(model, inputs.references, history).forward_chunk(chunk).output_BFCHW
    with torch.no_grad():
        torch.testing.assert_close(found, model(inputs)[:, 4:], rtol=1e-4, atol=1e-5)


def test_a_slope_is_seen_where_there_is_one_and_only_there() -> None:
    rng = np.random.default_rng(0)
    flat = list(100 + rng.standard_normal(200))
    rising = [value + 0.05 * place for place, value in enumerate(flat)]
    assert not slope(flat)["is_significant"]
    assert slope(rising)["is_significant"]
    assert slope(rising)["share"] == pytest.approx(0.095, abs=0.02)
    assert slope([1.0, 2.0])["is_significant"] is None


def test_a_slow_while_is_no_slope() -> None:
    """Neighbouring chunks are alike, which a line through single chunks would take for certainty."""
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(40):
        wander = np.zeros(3000)
        for place in range(1, 3000):
            wander[place] = 0.95 * wander[place - 1] + rng.standard_normal()
        verdicts.append(slope(list(100 + wander))["is_significant"])
    assert sum(map(bool, verdicts)) <= 8


def test_figures_fit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_MOST_SESSIONS", 1)
    monkeypatch.setattr(bench, "_SESSIONS_S", 1)
    pack = load_pack(write_small_online_pack(tmp_path / "pack"))
    shape = StreamShape(minutes=(0.02, 0.05), real_time_s=0.5, num_runs=1)
    seen: tuple[list[int], list[int]] = ([], [])
    looks = [lambda frame, mine=mine: mine.append(frame.index) for mine in seen]
    figures = measure_stream(pack, small_character(), shape, Voices.noise(), looks)
    assert seen == (list(range(29)), list(range(72)))
    assert [length["frames"] for length in figures["lengths"]] == [29, 72]
    assert set(figures["stages_s"]) == {"encode", "generator", "refiner", "vae"}
    assert figures["work_s_per_s"] >= figures["real_time_factor"] > 0
    assert figures["chunk_ms_p95"] >= figures["chunk_ms_p50"] > 0
    assert figures["caching_ms_a_chunk"]["history_latents"] == 6
    assert {"reaction_p95_s", "dropped_frames", "memory_growth", "first_frame_s"} <= set(figures)
    with pytest.raises(ValueError, match="minutes"):
        StreamShape(minutes=(0.0,))
