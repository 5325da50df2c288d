"""A run's time, where it has so many seconds rather than so many steps. What is measured and shown is not counted.

Made by a stage of `training.plans`, read by the trainer. The count lies in a file that outlives a kill, so that a run which is
begun again has what is left and no more.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import BadInputError

WARM_UP_SHARE: Final = 0.1  # of the time: no warm-up in steps takes longer


@dataclass(kw_only=True)
class TimeBudget:
    """`allotted_s` seconds from now on, less what `path` says was spent before.

    decay_share: of the time, at the end, in which the learning rate falls to zero. keeps: whether this process writes the file.
    """

    allotted_s: float
    path: Path
    decay_share: float = 0.3
    keeps: bool = True
    now_s: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        if not self.allotted_s > 0:
            raise ValueError("a run needs some time")
        self._before_s = spent_in(self.path)
        self._begun_s = self.now_s()
        self._uncounted_s = 0.0

    @property
    def spent_s(self) -> float:
        """Seconds counted so far, those before a kill with them."""
        return self._before_s + self.now_s() - self._begun_s - self._uncounted_s

    @property
    def left_s(self) -> float:
        """Seconds that are left, never below zero."""
        return max(0.0, self.allotted_s - self.spent_s)

    @property
    def progress(self) -> float:
        """How much is spent, 0..1."""
        return min(1.0, self.spent_s / self.allotted_s)

    def learning_rate_factor(self, progress: float, step: int, warmup_steps: int) -> float:
        """Warm-up by steps or by time, whichever is sooner; plateau; then a straight line to zero at the end of the time."""
        warmup = max((step + 1) / max(1, warmup_steps), progress / WARM_UP_SHARE)
        return min(warmup, (1.0 - progress) / self.decay_share, 1.0)

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """What happens inside the block takes no time."""
        began_s = self.now_s()
        try:
            yield
        finally:
            self._uncounted_s += self.now_s() - began_s

    def keep(self) -> None:
        """Writes down what is spent."""
        if not self.keeps:
            return
        partial = self.path.with_suffix(f".partial-{os.getpid()}")
        partial.write_text(json.dumps({"spent_s": round(self.spent_s, 3)}))
        partial.replace(self.path)


def spent_in(path: Path) -> float:
    """Seconds that a file of `keep` tells of; none where there is no file. `BadInputError` for a file that is none."""
    if not path.exists():
        return 0.0
    try:
        return float(json.loads(path.read_text())["spent_s"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} does not tell the time spent ({error}); delete the stage's folder") from error
