"""Whether a character is still the same after an hour: identity and the colour of its face, minute by minute, against its first minute.

Fed with what the benchmark's eye read from the pictures that a session's conversation left (`engine.benchmarks.conversation`); the
reading itself is the training packages' matter. Called by `lpm bench stream`.
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.benchmarks.colour_difference import ciede2000
from engine.benchmarks.conversation import MINUTE_FRAMES, frame_of, is_probe
from engine.benchmarks.unpaced import slope

MOST_FACE_DE00: Final = 2.0
"""The colour of the waiting face may differ from the first minute's by no more (CIEDE2000)."""

MOST_IDENTITY_CHANGE: Final = 0.1
"""The distance from the character's own picture may grow by no more than this share of the other characters' distance."""

TOLD_MINUTES: Final = (1, 10, 60)


@dataclass(frozen=True, kw_only=True)
class PictureReading:
    """One picture as the benchmark's eye sees it: distance from the character's own picture, colour of the face in CIELAB.

    `is_own_nearest`: no stranger's picture is nearer than the character's own.
    """

    name: str
    identity_distance: float
    is_own_nearest: bool
    face_lab: tuple[float, float, float]


def drift_figures(readings: Sequence[PictureReading], others_distance: float) -> dict[str, Any]:
    """Identity (all pictures of a minute) and face colour (the probe's), for each whole minute and at minutes 1, 10 and 60."""
    distances, nearest, labs = defaultdict(list), defaultdict(list), defaultdict(list)
    for reading in readings:
        minute = frame_of(reading.name) // MINUTE_FRAMES
        distances[minute].append(reading.identity_distance)
        nearest[minute].append(reading.is_own_nearest)
        if is_probe(frame_of(reading.name)):
            labs[minute].append(reading.face_lab)
    minutes = sorted(labs)  # a minute without its probe was cut short
    if not minutes:
        return {"not_measured": "drift is measured over whole minutes; make at least one"}
    identity = [statistics.fmean(distances[minute]) for minute in minutes]
    own_nearest = [statistics.fmean(nearest[minute]) for minute in minutes]
    faces = [[statistics.fmean(lab[axis] for lab in labs[minute]) for axis in range(3)] for minute in minutes]
    colour = [ciede2000(faces[0], face) for face in faces]
    worst_identity = max(identity) - identity[0]
    return {
        "others_distance": round(others_distance, 4),
        "bounds": {
            "face_de00": MOST_FACE_DE00,
            "identity_change": round(MOST_IDENTITY_CHANGE * others_distance, 4),
        },
        "at_minute": {
            str(minute): {
                "identity_distance": round(identity[minute - 1], 4),
                "own_nearest": round(own_nearest[minute - 1], 4),
                "face_de00": round(colour[minute - 1], 3),
                "face_lab": [round(value, 2) for value in faces[minute - 1]],
            }
            for minute in TOLD_MINUTES
            if minute <= len(minutes)
        },
        "identity_slope": slope(identity),
        "face_lightness_slope": slope([face[0] for face in faces]),
        "least_own_nearest": round(min(own_nearest), 4),
        "most_face_de00": round(max(colour), 3),
        "most_identity_change": round(worst_identity, 4),
        "within_bounds": max(colour) <= MOST_FACE_DE00 and worst_identity <= MOST_IDENTITY_CHANGE * others_distance,
        "curve": {
            "identity_distance": [round(value, 4) for value in identity],
            "face_de00": [round(value, 3) for value in colour],
        },
    }
