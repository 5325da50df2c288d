"""Siblings of a held-out actor: characters that differ from it in a single trait, and to which of them a film's face is nearest.

Called by `judge`. An actor is easily told from strangers; whether a film keeps a face's small marks shows against siblings. A mark is
smaller than what a turn of the head does to a picture, so each candidate is drawn in the pose and expression that the film's frame shows.
These are found with the actor's own face, and once more with its own and with each of the nearest siblings': no face gains by the pose.
Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.identity import Identity, sibling
from training.actor.state import resting_state
from training.bench.pose_fitting import drawing_error, drawn_at, first_guess, fitted_state
from training.bench.reading import Reading, resized

FACE_PX: Final = 96  # side of the pictures that are compared
LEAST_DIFFERENCE: Final = 0.1  # as `drawing_error` tells it; a print on the back does not show at all
TRIES_PER_SIBLING: Final = 24
NUM_NEAREST: Final = 3


@dataclass(frozen=True, kw_only=True)
class FamilySize:
    """How many siblings a face is held against, in how many moments of its film."""

    num_siblings: int = 63
    num_moments: int = 3


WHOLE_FAMILY: Final = FamilySize()


def moments_of(num_frames: int, num_moments: int) -> list[int]:
    """A few frames, spread over a film: the middles of as many equal parts."""
    return [int((part + 0.5) * num_frames / num_moments) for part in range(num_moments)]


def siblings_of(identity: Identity, num_siblings: int, drawn_px: int) -> tuple[Identity, ...]:
    """Siblings, each unlike the actor itself at rest, no two with the same trait changed to the same value.

    `ValueError` where there are not that many.
    """
    rest_K = resting_state(1)[0]
    own_HWC = drawn_at(drawn_px, identity, rest_K, FACE_PX)
    tried: set[Identity] = set()
    found: list[Identity] = []
    for seed in range(TRIES_PER_SIBLING * num_siblings):
        other = replace(sibling(identity, seed), seed=identity.seed)
        if other not in tried and drawing_error(other, own_HWC, rest_K, drawn_px) >= LEAST_DIFFERENCE:
            found.append(other)
        tried.add(other)
        if len(found) == num_siblings:
            return tuple(found)
    raise ValueError(f"identity {identity.seed} has only {len(found)} siblings, not {num_siblings}")


def family_errors(
    identity: Identity,
    siblings: Sequence[Identity],
    film_THWC: NDArray[np.uint8],
    reading: Reading,
    moments: Sequence[int],
    drawn_px: int,
) -> NDArray[np.float32]:
    """How far the actor itself, and then each sibling, is from a film's moments, [1 + siblings].

    `reading` is that of the whole film, `drawn_px` the side of the pictures that its character was drawn in.
    """
    faces_MHWC = [resized(film_THWC[frame], FACE_PX) for frame in moments]
    states_MK = [
        fitted_state(identity, face_HWC, first_guess(reading, frame), drawn_px).state_K
        for face_HWC, frame in zip(faces_MHWC, moments, strict=True)
    ]
    family = (identity, *siblings)
    errors_F = np.array(
        [
            np.mean(
                [
                    drawing_error(one, face_HWC, state_K, drawn_px)
                    for face_HWC, state_K in zip(faces_MHWC, states_MK, strict=True)
                ]
            )
            for one in family
        ],
        dtype=np.float32,
    )
    for index in (0, *(1 + errors_F[1:].argsort()[:NUM_NEAREST])):
        fitted = [
            fitted_state(family[index], face_HWC, state_K, drawn_px, blurred_rounds=0, sharp_rounds=1)
            for face_HWC, state_K in zip(faces_MHWC, states_MK, strict=True)
        ]
        errors_F[index] = np.mean([one.error for one in fitted])
    return errors_F
