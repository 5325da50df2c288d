"""Exact scores of plans of motion on the actor, whose truth is known: lips, a still mouth while listening, nods, brows, expression.

A plan is read as the benchmark reads a film, but from its states, so a plan's score is what it would be worth if it were drawn without
an error. Higher is better on every axis. How much a plan moves is told apart besides: it decides which plans may be compared at all.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.actor.state import channel
from training.bench.measures import MOTION_UNITS, NOD_TOLERANCE_FRAMES, motion, nod_frames
from training.bench.reading import Reading, true_reading
from training.bench.statistics import match_events
from training.dpo.pareto import Candidate

CLOSED: Final = 0.08  # of the mouth's full opening
LEAST_SPEECH_STD: Final = 0.08
POSE: Final = tuple(name for name in MOTION_UNITS if name != "mouth_open")
REACTIONS: Final = ("brow_left", "brow_right", "smile", "squint")


def score_plan(planned_TK: NDArray[np.float32], true_TK: NDArray[np.float32], history_frames: int) -> Candidate:
    """A plan's states against the truth's, both behind the same `history_frames`, which count where a nod began in them only."""
    planned, truth = true_reading(planned_TK), true_reading(true_TK)
    new_planned, new_truth = (true_reading(state_TK[history_frames:]) for state_TK in (planned_TK, true_TK))
    scores = {
        **mouth_scores(new_planned.series("mouth_open"), new_truth.series("mouth_open")),
        "nods": nod_score(planned, truth),
        "reactions": -_distance(planned_TK[history_frames:], true_TK[history_frames:], REACTIONS),
        "expression": -float(np.abs(new_planned.expression_TE - new_truth.expression_TE).mean()),
        "motion": -abs(math.log(max(motion(new_planned), 1e-6) / max(motion(new_truth), 1e-6))),
    }
    return Candidate(scores=scores, motion=pose_motion(new_planned))


def mouth_scores(shown_T: NDArray[np.float32], true_T: NDArray[np.float32]) -> dict[str, float]:
    """`lip_sync`, where the truth speaks: how near the opening is; `mouth_closed`, where it does not: how little it opens."""
    is_closed_T = true_T < CLOSED
    scores = {}
    if float(true_T.std()) > LEAST_SPEECH_STD:
        scores["lip_sync"] = -float(np.abs(shown_T - true_T).mean())
    if is_closed_T.any():
        scores["mouth_closed"] = -float(np.clip(shown_T[is_closed_T], 0.0, None).mean())
    return scores


def nod_score(planned: Reading, truth: Reading) -> float:
    """Less one for each nod that is missed, and for each that is not called for."""
    counts = match_events(nod_frames(planned), nod_frames(truth), NOD_TOLERANCE_FRAMES)
    return float(2 * counts.num_hits - counts.num_found - counts.num_true)


def pose_motion(film: Reading) -> float:
    """How much head and gaze move from frame to frame, in the benchmark's units; the mouth does not count."""
    steps = [np.abs(np.diff(film.series(name))).mean() / MOTION_UNITS[name] for name in POSE]
    return float(np.mean(steps))


def _distance(planned_TK: NDArray[np.float32], true_TK: NDArray[np.float32], names: tuple[str, ...]) -> float:
    columns = [channel(name) for name in names]
    return float(np.abs(planned_TK[:, columns] - true_TK[:, columns]).mean())
