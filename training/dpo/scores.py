"""Exact scores of candidates on the actor, whose truth is known: lips, stillness of the mouth while listening, face, identity.

Read from decoded frames by the benchmark's regressor and compared with the actor's own state. Higher is better on every axis. Motion
is told apart from quality: it decides which candidates may be compared at all.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.bench.reading import Reading, read_film, true_reading
from training.bench.regressor import LoadedRegressor
from training.dpo.pareto import Candidate

CLOSED: Final = 0.08  # of the mouth's full opening
LEAST_SPEECH_STD: Final = 0.08
POSE_UNITS: Final = {"yaw": 0.1, "pitch": 0.06, "roll": 0.05, "gaze_x": 0.3, "gaze_y": 0.2}


def score_candidate(
    regressor: LoadedRegressor,
    frames_THWC: NDArray[np.uint8],
    state_TK: NDArray[np.float32],
    reference_D: NDArray[np.float32],
) -> Candidate:
    """One candidate's frames against the truth; `reference_D` is the unit identity of the character's global reference."""
    film, truth = read_film(regressor, frames_THWC), true_reading(state_TK)
    identity_D = film.identity_TD.mean(axis=0)
    scores = {
        "identity": float(identity_D @ reference_D / max(float(np.linalg.norm(identity_D)), 1e-6)),
        "expression": -float(np.abs(film.expression_TE - truth.expression_TE).mean()),
        **mouth_scores(film.series("mouth_open"), truth.series("mouth_open")),
    }
    return Candidate(scores=scores, motion=pose_motion(film))


def mouth_scores(shown_T: NDArray[np.float32], true_T: NDArray[np.float32]) -> dict[str, float]:
    """`lip_sync`, where the truth speaks: how near the opening is; `mouth_closed`, where it does not: how little it opens."""
    is_closed_T = true_T < CLOSED
    scores = {}
    if float(true_T.std()) > LEAST_SPEECH_STD:
        scores["lip_sync"] = -float(np.abs(shown_T - true_T).mean())
    if is_closed_T.any():
        scores["mouth_closed"] = -float(np.clip(shown_T[is_closed_T], 0.0, None).mean())
    return scores


def pose_motion(film: Reading) -> float:
    """How much head and gaze move from frame to frame, in the benchmark's units; the mouth does not count."""
    steps = [np.abs(np.diff(film.series(name))).mean() / unit for name, unit in POSE_UNITS.items()]
    return float(np.mean(steps))
