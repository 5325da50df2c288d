"""Whether a film's face has dimples, told by drawing it with them and without in the poses that the film's own frames show.

Called by `reference_ablation`. A dimple is a stroke of two pixels that heads carry about, so films of two performances cannot be compared
pixel by pixel; drawings in the same pose can (`siblings`). Knows no model.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.actor.identity import Identity
from training.bench.reading import Reading
from training.bench.siblings import family_errors, moments_of


def dimple_evidence(
    identity: Identity,
    depth: float,
    film_THWC: NDArray[np.uint8],
    reading: Reading,
    drawn_px: int,
    num_moments: int = 3,
) -> float:
    """By how much a film is nearer to drawings with dimples of this depth than to those without; above 0 it has them.

    Poses are searched for with dimples half as deep, and once more with either, in so many moments of the film: neither gains by them.
    `reading` is that of the whole film, `drawn_px` the side of the pictures that its character was drawn in.
    """
    halfway, smooth, dimpled = (replace(identity, dimples=share * depth) for share in (0.5, 0.0, 1.0))
    moments = moments_of(len(film_THWC), num_moments)
    errors_F = family_errors(halfway, (smooth, dimpled), film_THWC, reading, moments, drawn_px)
    return float(errors_F[1] - errors_F[2])
