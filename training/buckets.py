"""Batches of clips of many lengths: no padding, equal work on every rank, random all the same (paper 5.1).

A batch holds clips of one length, as many as a budget of tokens allows. The batches of a step, one a slot, are chosen to cost about the
same, so that no rank waits for another. Which clips meet in a batch and in which order steps come is drawn anew for every epoch;
everything follows from seed and step, so a run resumes by its number of steps. Called by tasks whose clips differ in length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class BucketConfig:
    """tokens_a_batch: the budget. linear_tokens: length at which attention, whose work grows with the square of a clip's tokens,
    costs as much as everything else."""

    tokens_a_batch: int
    linear_tokens: int = 8192
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.tokens_a_batch, self.linear_tokens) < 1:
            raise ValueError("a batch needs a budget of tokens")

    def cost(self, num_clips: int, tokens: int) -> float:
        """Work of a batch, in tokens."""
        return num_clips * tokens * (1 + tokens / self.linear_tokens)


Step = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class TokenBuckets:
    """`tokens_N` is every clip's length in tokens; clips longer than the budget are refused."""

    tokens_N: NDArray[np.int64]
    config: BucketConfig
    num_slots: int

    def __post_init__(self) -> None:
        if not len(self.tokens_N) or int(self.tokens_N.max()) > self.config.tokens_a_batch:
            longest = int(self.tokens_N.max()) if len(self.tokens_N) else 0
            raise BadInputError(
                f"a clip of {longest} tokens does not fit a batch of {self.config.tokens_a_batch}; raise tokens_a_batch"
            )

    def steps(self, first_step: int) -> Iterator[Step]:
        """Clips of every slot, step after step from `first_step` on, for ever."""
        epoch, passed = 0, 0
        while True:
            steps = self.epoch(epoch)
            if passed + len(steps) > first_step:
                yield from steps[max(first_step - passed, 0) :]
            passed += len(steps)
            epoch += 1

    def epoch(self, number: int) -> list[Step]:
        """Every clip once, but for what is too little for one more step; at least one step."""
        rng = np.random.default_rng([self.config.seed, number, 61])
        batches = self._batches(rng)
        while len(batches) < self.num_slots:  # fewer clips than a step needs: some come again
            batches += self._batches(rng)
        surplus = len(batches) % self.num_slots
        dropped = set(rng.permutation(len(batches))[:surplus].tolist())
        kept = [batch for index, batch in enumerate(batches) if index not in dropped]
        kept.sort(key=self._cost)
        steps = [tuple(kept[start : start + self.num_slots]) for start in range(0, len(kept), self.num_slots)]
        return [self._dealt(steps[index], rng) for index in rng.permutation(len(steps))]

    def _batches(self, rng: np.random.Generator) -> list[tuple[int, ...]]:
        batches = []
        for tokens in np.unique(self.tokens_N):
            clips = rng.permutation(np.flatnonzero(self.tokens_N == tokens))
            size = self.config.tokens_a_batch // int(tokens)
            batches += [tuple(clips[start : start + size].tolist()) for start in range(0, len(clips), size)]
        return batches

    def _cost(self, batch: Sequence[int]) -> float:
        return self.config.cost(len(batch), int(self.tokens_N[batch[0]]))

    def _dealt(self, step: Step, rng: np.random.Generator) -> Step:
        """The step's batches in random slots, so that no slot always has the heaviest."""
        return tuple(step[index] for index in rng.permutation(len(step)))
