"""Token buckets: no padding, within the budget, level across slots, random, and resumed by the step."""

import itertools

import numpy as np
import pytest

from engine.errors import BadInputError
from training.buckets import BucketConfig, TokenBuckets

LENGTHS = np.repeat(np.array([256, 512, 1024, 2048]), [160, 80, 50, 30])
CONFIG = BucketConfig(tokens_a_batch=4096)
BUCKETS = TokenBuckets(tokens_N=LENGTHS, config=CONFIG, num_slots=4)


def test_batches_hold_clips_of_one_length_within_the_budget() -> None:
    for batch in itertools.chain.from_iterable(BUCKETS.epoch(0)):
        lengths = LENGTHS[list(batch)]
        assert (lengths == lengths[0]).all()
        assert lengths.sum() <= CONFIG.tokens_a_batch


def test_an_epoch_takes_every_clip_once_but_for_less_than_a_step() -> None:
    clips = [clip for step in BUCKETS.epoch(3) for batch in step for clip in batch]
    assert len(clips) == len(set(clips))
    assert len(clips) > 0.85 * len(LENGTHS)


def test_the_work_of_a_step_is_level() -> None:
    def imbalance(steps: list[tuple[tuple[int, ...], ...]]) -> float:
        costs = np.array([[CONFIG.cost(len(batch), LENGTHS[batch[0]]) for batch in step] for step in steps])
        return float((costs.max(axis=1) / costs.mean(axis=1)).mean())

    steps = BUCKETS.epoch(0)
    shuffled = list(itertools.chain.from_iterable(steps))
    np.random.default_rng(0).shuffle(shuffled)  # type: ignore[arg-type]
    at_random = [tuple(shuffled[start : start + 4]) for start in range(0, len(shuffled), 4)]
    assert imbalance(steps) < 1.03
    assert imbalance(at_random) > imbalance(steps) + 0.05


def test_every_epoch_is_another_order_and_the_same_each_time() -> None:
    assert BUCKETS.epoch(0) == BUCKETS.epoch(0)
    assert BUCKETS.epoch(0) != BUCKETS.epoch(1)
    first_lengths = [int(LENGTHS[step[0][0]]) for step in BUCKETS.epoch(0)]
    assert first_lengths != sorted(first_lengths), "lengths come mixed"


def test_a_run_resumes_by_its_steps_across_epochs() -> None:
    num_steps = len(BUCKETS.epoch(0)) + 5
    whole = list(itertools.islice(BUCKETS.steps(0), num_steps + 3))
    assert list(itertools.islice(BUCKETS.steps(num_steps), 3)) == whole[num_steps:]


def test_too_long_a_clip_is_refused_and_few_clips_come_again() -> None:
    with pytest.raises(BadInputError, match="5000 tokens does not fit a batch of 4096"):
        TokenBuckets(tokens_N=np.array([5000]), config=CONFIG, num_slots=1)
    few = TokenBuckets(tokens_N=np.array([256, 256]), config=CONFIG, num_slots=4)
    assert len(next(few.steps(0))) == 4
