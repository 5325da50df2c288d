"""The arithmetic under every figure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.bench.statistics import (
    EventCounts,
    area_under_curve,
    best_lag,
    bootstrap,
    match_events,
    mean,
    pearson,
    pooled_f1,
)

FRAMES = st.lists(st.integers(0, 200), max_size=12, unique=True)


def test_a_series_that_does_not_move_follows_nothing() -> None:
    moving_T = np.arange(10, dtype=np.float32)
    assert pearson(np.full(10, 0.3, dtype=np.float32), moving_T) == 0.0
    assert pearson(moving_T, 2 * moving_T + 1) == pytest.approx(1.0)
    assert pearson(moving_T, -moving_T) == pytest.approx(-1.0)


def test_pearson_is_numpys() -> None:
    generator = np.random.default_rng(0)
    first_T, second_T = generator.normal(size=(2, 50)).astype(np.float32)
    assert pearson(first_T, second_T) == pytest.approx(np.corrcoef(first_T, second_T)[0, 1], abs=1e-6)


@pytest.mark.parametrize("lag", [-3, -1, 0, 2, 3])
def test_the_lag_of_a_delayed_series_is_found(lag: int) -> None:
    series_T = np.random.default_rng(1).normal(size=80).astype(np.float32)
    r, found = best_lag(np.roll(series_T, lag)[5:-5], series_T[5:-5], 3)
    assert found == lag
    assert r == pytest.approx(1.0, abs=1e-5)


def test_an_event_is_met_once() -> None:
    counts = match_events([10, 12, 40], [11, 47], tolerance_frames=6)
    assert counts == EventCounts(num_hits=1, num_found=3, num_true=2)
    assert match_events([10, 12], [11, 14], 6).num_hits == 2
    assert pooled_f1([counts]) == pytest.approx(2 / 5)
    assert pooled_f1([EventCounts(num_hits=0, num_found=0, num_true=0)]) == 0.0


@given(FRAMES, FRAMES, st.integers(0, 10))
def test_matching_is_fair_to_both_sides(found: list[int], true: list[int], tolerance: int) -> None:
    hits = match_events(found, true, tolerance).num_hits
    assert hits == match_events(true, found, tolerance).num_hits
    assert hits <= min(len(found), len(true))
    assert match_events(true, true, tolerance).num_hits == len(true)


def test_the_interval_is_that_of_a_mean() -> None:
    values = np.random.default_rng(2).normal(5.0, 1.0, 400).tolist()
    estimate = bootstrap(values, mean)
    assert estimate is not None
    low, high = estimate.interval
    assert low < estimate.value < high
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(400), rel=0.2)
    assert bootstrap(values, mean) == estimate
    assert bootstrap([], mean) is None


def test_the_area_under_the_curve_counts_pairs_in_order() -> None:
    is_true_N = np.array([True, True, False, False])
    assert area_under_curve(np.array([3.0, 2.0, 1.0, 0.0], dtype=np.float32), is_true_N) == 1.0
    assert area_under_curve(np.array([3.0, 0.0, 2.0, 1.0], dtype=np.float32), is_true_N) == 0.5
    assert area_under_curve(np.ones(4, dtype=np.float32), is_true_N) == 0.5
    assert area_under_curve(np.ones(4, dtype=np.float32), np.ones(4, dtype=np.bool_)) == 0.5
