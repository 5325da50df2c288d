"""Siblings of a held-out actor: characters that differ from it in a single trait, drawn as the actor itself acts.

Called by `judge`. An actor is easily told from strangers; whether a film keeps a face's small marks shows against siblings. What the
regressor sees of a face depends on its expression more than on such a mark, so siblings are no stills at rest: they are drawn
in a few moments of the actor's own performance. Knows no model.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.draw import draw_film, draw_frame
from training.actor.identity import Identity, sibling

NUM_SIBLINGS: Final = 63
MOMENTS: Final = 4
LEAST_DIFFERENCE: Final = 0.1  # levels of 0..255, mean over the picture; a print on the back does not show at all
TRIES_PER_SIBLING: Final = 4


def moments_of(state_TK: NDArray[np.float32]) -> NDArray[np.float32]:
    """A few frames' states, spread over a performance: the middles of as many equal parts."""
    middles = (np.arange(MOMENTS) + 0.5) * len(state_TK) / MOMENTS
    moments_MK: NDArray[np.float32] = state_TK[middles.astype(int)]
    return moments_MK


def sibling_pictures(
    identity: Identity, moments_MK: NDArray[np.float32], num_siblings: int, size_px: int
) -> NDArray[np.uint8]:
    """Siblings in every moment, uint8 RGB [num_siblings, M, size_px, size_px, 3], each unlike the actor itself.

    No two siblings have the same trait changed to the same value. `ValueError` where there are not that many.
    """
    own_HWC = draw_frame(identity, moments_MK[0], size_px).astype(np.int16)
    tried: set[Identity] = set()
    pictures: list[NDArray[np.uint8]] = []
    for seed in range(TRIES_PER_SIBLING * num_siblings):
        other = replace(sibling(identity, seed), seed=identity.seed)
        if other in tried:
            continue
        tried.add(other)
        if np.abs(draw_frame(other, moments_MK[0], size_px) - own_HWC).mean() >= LEAST_DIFFERENCE:
            pictures.append(draw_film(other, moments_MK, size_px))
        if len(pictures) == num_siblings:
            return np.stack(pictures)
    raise ValueError(f"identity {identity.seed} has only {len(pictures)} siblings, not {num_siblings}")
