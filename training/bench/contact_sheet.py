"""A picture of the run for a person's eyes: for each actor the truth's frames above the film's, speaking then listening.

Called by `quick`. It looks at results and writes a PNG; it measures nothing.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.media.pictures import write_picture
from training.bench.judge import ActorResult

MOST_ACTORS = 8
GAP_PX = 6
PAPER = 245


def write_contact_sheet(path: Path, results: Sequence[ActorResult]) -> None:
    """PNG with up to `MOST_ACTORS` actors spread over the results."""
    chosen = np.unique(np.linspace(0, len(results) - 1, min(MOST_ACTORS, len(results))).round().astype(int))
    rows = [_actor_rows(results[index]) for index in chosen]
    sheet_HWC = np.concatenate(rows)
    write_picture(path, sheet_HWC)


def _actor_rows(result: ActorResult) -> NDArray[np.uint8]:
    sides = []
    for clip in result.clips:
        rows = [np.concatenate(list(frames_THWC), axis=1) for frames_THWC in clip.strip_2THWC]
        sides.append(np.concatenate(rows))
    between = np.full((sides[0].shape[0], GAP_PX, 3), PAPER, dtype=np.uint8)
    together = np.concatenate([sides[0], between, sides[1]], axis=1)
    below = np.full((GAP_PX, together.shape[1], 3), PAPER, dtype=np.uint8)
    return np.concatenate([together, below])
