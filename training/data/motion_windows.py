"""Pieces of performances as batches for the motion model: rows of motion with the words and sounds behind them, no pictures.

How long a batch's history and new parts are, which clips it is cut from and which conditions are dropped follows from the number of its
first sample alone. Called by the motion model's task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from training.data.motion_rows import FRAMES_PER_ROW, motion_rows, rest_row
from training.data.windows import LISTEN_HISTORY_ROWS, ClipFeatures, some_dropped
from training.parallel import World

MOST_ROWS_LATE: Final = 4  # behind a change: by then a head has turned


@dataclass(frozen=True, kw_only=True)
class MotionWindowConfig:
    """How a piece looks; parts are counted in rows, shares are of samples.

    As in a film, most pieces follow on as much history as a plan looks back upon, and make a chunk's rows anew.
    """

    most_history: int = 8
    full_history_share: float = 0.6
    new_choices: tuple[int, ...] = (3, 3, 3, 2, 6)
    rest_share: float = 0.5  # of pieces behind a single row: it is the row of rest, with which films begin
    change_share: float = (
        0.4  # of pieces: cut where another direction begins, since elsewhere it is enough to go on as before
    )
    text_drop_share: float = 0.1
    speak_drop_share: float = 0.1
    listen_drop_share: float = 0.1

    def parts(self, rng: np.random.Generator) -> tuple[int, int]:
        """Rows of history and new rows of a batch."""
        is_full = rng.random() < self.full_history_share
        history = self.most_history if is_full else int(rng.integers(1, self.most_history))
        return history, int(rng.choice(self.new_choices))


def motion_batches(
    features: ClipFeatures, config: MotionWindowConfig, first_sample: int, batch_samples: int, world: World
) -> Iterator[dict[str, Tensor]]:
    """Batches from sample `first_sample` on."""
    number, step_samples = first_sample, batch_samples * world.size
    while True:
        rng = np.random.default_rng([number, 15])
        history, new = config.parts(rng)
        numbers = list(range(number + world.rank, number + step_samples, world.size))
        yield cut_pieces(features, config, numbers, history, new)
        number += step_samples


def cut_pieces(
    features: ClipFeatures, config: MotionWindowConfig, numbers: list[int], history: int, new: int
) -> dict[str, Tensor]:
    """One piece a number: `motion_BFM` with `history` true rows in front, and what is told. Dropped conditions are zeros."""
    samples = [_cut(features, config, number, history, new) for number in numbers]
    batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
    return {**batch, "history": torch.full((len(numbers),), history)}


def num_heard_rows(features: ClipFeatures) -> int:
    """Rows of a clip of which all sound is there: what is heard ahead of a clip's end is not."""
    num_rows = features.clips["state_TK"].shape[1] // FRAMES_PER_ROW
    return min(num_rows, features.speak_NAD.shape[1], features.listen_NAD.shape[1] - LISTEN_HISTORY_ROWS)


def _cut(features: ClipFeatures, config: MotionWindowConfig, number: int, history: int, new: int) -> dict[str, Tensor]:
    rng = np.random.default_rng([number, 16])
    clip, length = int(rng.integers(features.num_clips)), history + new
    states_TK = features.clips["state_TK"][clip]
    start = _start(features, config, clip, history, length, rng)
    motion_FM = motion_rows(states_TK[start * FRAMES_PER_ROW : (start + length) * FRAMES_PER_ROW].float())
    if history == 1 and rng.random() < config.rest_share:
        motion_FM[0] = rest_row()
    text = int(features.clips["text_of_latent_F"][clip, start + history + new // 2])
    told = {
        "text_SD": features.text_NCLD[clip, text].float(),
        "speak_AD": features.speak_NAD[clip, start : start + length].float(),
        "listen_AD": features.listen_NAD[clip, start : start + length + LISTEN_HISTORY_ROWS].float(),
    }
    drops = (config.text_drop_share, config.speak_drop_share, config.listen_drop_share)
    return {"motion_FM": motion_FM, **some_dropped(told, drops, rng)}


def _start(
    features: ClipFeatures, config: MotionWindowConfig, clip: int, history: int, length: int, rng: np.random.Generator
) -> int:
    """The first row of a piece: anywhere, or so that the new rows are among the first under another direction."""
    most = num_heard_rows(features) - length
    changes: list[int] = (features.clips["text_of_latent_F"][clip].diff().nonzero()[:, 0] + 1).tolist()
    if rng.random() >= config.change_share or not changes:
        return int(rng.integers(most + 1))
    first_new = changes[int(rng.integers(len(changes)))] + int(rng.integers(-1, MOST_ROWS_LATE + 1))
    return min(max(first_new - history, 0), most)
