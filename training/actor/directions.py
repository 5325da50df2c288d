"""Directions to an actor, as data: what to feel, where to look, how to hold the head, and when.

`performance` draws them, `captions` puts them into words, `apply_directions` puts them into the state, and
`direction_labels` gives them as numbers for an auxiliary classifier. Left and right are always the picture's.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from training.actor.motion import follow
from training.actor.state import EXPRESSIONS, channel

Gaze = Literal["viewer", "left", "right", "up", "down"]
Head = Literal["left", "right", "tilt_left", "tilt_right", "up", "down"]
Brows = Literal["raised", "lowered"]
Posture = Literal["forward", "back", "shrug"]
Energy = Literal["calm", "lively"]
ClipKind = Literal["speak", "listen", "converse", "idle"]
Track = NDArray[np.float32]

GAZE_TARGETS: Final[dict[Gaze, tuple[float, float]]] = {
    "viewer": (0.0, 0.0),
    "left": (-0.8, 0.0),
    "right": (0.8, 0.0),
    "up": (0.0, 0.75),
    "down": (0.0, -0.75),
}
HEAD_TARGETS: Final[dict[Head, tuple[float, float, float]]] = {  # yaw, pitch, roll
    "left": (-0.36, 0.0, 0.0),
    "right": (0.36, 0.0, 0.0),
    "tilt_left": (0.0, 0.0, -0.22),
    "tilt_right": (0.0, 0.0, 0.22),
    "up": (0.0, 0.2, 0.0),
    "down": (0.0, -0.2, 0.0),
}
BROW_TARGETS: Final[dict[Brows, float]] = {"raised": 0.9, "lowered": -0.8}
POSTURE_TARGETS: Final[dict[Posture, tuple[float, float]]] = {  # lean, shoulders
    "forward": (0.8, 0.0),
    "back": (-0.8, 0.0),
    "shrug": (0.0, 0.8),
}
EXPRESSION_POSTURES: Final[
    dict[str, tuple[float, float, float, float]]
] = {  # pitch, lean, shoulders, gaze_y at full intensity
    "neutral": (0.0, 0.0, 0.0, 0.0),
    "happy": (0.03, 0.1, 0.1, 0.0),
    "sad": (-0.08, -0.1, -0.3, -0.2),
    "angry": (-0.06, 0.35, 0.2, 0.0),
    "surprised": (0.07, -0.25, 0.2, 0.05),
    "afraid": (0.02, -0.4, 0.5, 0.0),
    "disgusted": (0.05, -0.35, 0.1, 0.0),
    "contemptuous": (0.09, -0.15, 0.0, -0.1),
}
LIVELINESS: Final[dict[Energy | None, float]] = {"calm": 0.55, None: 1.0, "lively": 1.5}

EXPRESSION_RISE_S: Final = 0.32
HEAD_RISE_S: Final = 0.45
GAZE_RISE_S: Final = 0.14
UNDIRECTED_SHARE: Final = 0.35  # how much of the free head motion is left under a directed pose
SHORTEST_SPAN_FRAMES: Final = 36
SHORTEST_MOMENT_FRAMES: Final = 28

_MOMENT_LABELS: Final = (
    "expression", "intensity", "has_gaze", "gaze_x", "gaze_y", "has_head", "yaw", "pitch", "roll", "brows", "lean", "shoulders",
    "liveliness",
)  # fmt: skip
LABEL_NAMES: Final = tuple(f"first_{name}" for name in _MOMENT_LABELS) + tuple(
    f"last_{name}" for name in _MOMENT_LABELS
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Direction:
    """One moment of direction on frames [start_frame, end_frame); what is None is left to the actor."""

    start_frame: int
    end_frame: int
    expression: str = "neutral"
    intensity: float = 1.0
    is_expression_told: bool = True
    gaze: Gaze | None = None
    head: Head | None = None
    brows: Brows | None = None
    posture: Posture | None = None
    energy: Energy | None = None

    def __post_init__(self) -> None:
        if self.expression not in EXPRESSIONS:
            raise ValueError(f"there is no expression {self.expression!r}; choose one of {', '.join(EXPRESSIONS)}")
        if not 0 <= self.start_frame < self.end_frame:
            raise ValueError(f"a direction needs a beginning before its end, not {self.start_frame}..{self.end_frame}")
        if not 0.0 <= self.intensity <= 1.0:
            raise ValueError(f"the intensity of an expression is 0 to 1, not {self.intensity}")


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectedSpan:
    """Frames under one caption: one or two moments in order that tile the span."""

    start_frame: int
    end_frame: int
    moments: tuple[Direction, ...]


def sample_spans(rng: np.random.Generator, num_frames: int, kind: ClipKind) -> tuple[DirectedSpan, ...]:
    """Spans that tile the clip: up to three with moments in order when speaking, one that never changes otherwise."""
    if kind in ("listen", "idle"):
        moment = _moment(rng, 0, num_frames, kind)
        return (DirectedSpan(start_frame=0, end_frame=num_frames, moments=(moment,)),)
    most = max(1, min(3, num_frames // SHORTEST_SPAN_FRAMES))
    num_spans = min(int(rng.choice((1, 1, 2, 2, 3))), most)
    spare = num_frames - num_spans * SHORTEST_SPAN_FRAMES if num_spans > 1 else 0
    cuts = sorted(int(rng.integers(0, spare + 1)) for _ in range(num_spans - 1))
    edges = [0, *(cut + (i + 1) * SHORTEST_SPAN_FRAMES for i, cut in enumerate(cuts)), num_frames]
    return tuple(_span(rng, start, end, kind) for start, end in pairwise(edges))


def each_by_itself(spans: tuple[DirectedSpan, ...]) -> tuple[DirectedSpan, ...]:
    """The same moments, each under a caption of its own, as the engine tells them (`engine.turns`): a feeling that stays is told again."""
    return tuple(
        DirectedSpan(
            start_frame=moment.start_frame,
            end_frame=moment.end_frame,
            moments=(replace(moment, is_expression_told=moment.is_expression_told or _stays(span, moment)),),
        )
        for span in spans
        for moment in span.moments
    )


def _stays(span: DirectedSpan, moment: Direction) -> bool:
    """Whether a moment's feeling is that which its span began with, and which was told there."""
    first = span.moments[0]
    return first.is_expression_told and moment.expression == first.expression


def _span(rng: np.random.Generator, start: int, end: int, kind: ClipKind) -> DirectedSpan:
    if end - start < 2 * SHORTEST_MOMENT_FRAMES or rng.random() < 0.6:
        return DirectedSpan(start_frame=start, end_frame=end, moments=(_moment(rng, start, end, kind),))
    middle = start + int((end - start) * rng.uniform(0.45, 0.55))
    first, second = _moment(rng, start, middle, kind), _moment(rng, middle, end, kind)
    if rng.random() < 0.65:  # the feeling stays, the action changes
        second = Direction(
            start_frame=middle, end_frame=end, expression=first.expression, intensity=first.intensity, is_expression_told=False,
            gaze=second.gaze, head=second.head, brows=second.brows, posture=second.posture, energy=first.energy,
        )  # fmt: skip
    if (second.gaze, second.head, second.brows, second.posture) == (None,) * 4 and not second.is_expression_told:
        return DirectedSpan(start_frame=start, end_frame=end, moments=(_moment(rng, start, end, kind),))
    return DirectedSpan(start_frame=start, end_frame=end, moments=(first, second))


def _moment(rng: np.random.Generator, start: int, end: int, kind: ClipKind) -> Direction:
    expression = EXPRESSIONS[int(rng.integers(len(EXPRESSIONS)))]
    is_told = bool(rng.random() < 0.92)
    strength = float(rng.choice((0.45, 0.75, 1.0), p=(0.2, 0.5, 0.3)) + rng.uniform(-0.08, 0.0))
    gazes: tuple[Gaze, ...] = ("viewer", "left", "right", "up", "down")
    heads: tuple[Head, ...] = ("left", "right", "tilt_left", "tilt_right", "up", "down")
    postures: tuple[Posture, ...] = ("forward", "back", "shrug")
    action = float(rng.random())
    return Direction(
        start_frame=start,
        end_frame=end,
        expression=expression if is_told else "neutral",
        intensity=strength,
        is_expression_told=is_told,
        gaze=gazes[int(rng.integers(5))] if action < 0.32 else None,
        head=heads[int(rng.integers(6))] if 0.24 < action < 0.58 else None,
        brows=("raised" if rng.random() < 0.6 else "lowered") if 0.58 < action < 0.66 else None,
        posture=postures[int(rng.integers(3 if kind != "listen" else 2))] if 0.66 < action < 0.76 else None,
        energy=("calm" if rng.random() < 0.5 else "lively") if rng.random() < 0.2 else None,
    )


def apply_directions(rng: np.random.Generator, state_TK: Track, directions: tuple[Direction, ...]) -> None:
    """Puts directions into the state in place: expressions hold, poses are held with a little life left, gaze obeys."""
    num_frames = len(state_TK)
    expression = np.zeros((num_frames, len(EXPRESSIONS)), dtype=np.float32)
    pose, pose_held = np.zeros((num_frames, 3), dtype=np.float32), np.zeros(num_frames, dtype=np.float32)
    gaze, gaze_held = np.zeros((num_frames, 2), dtype=np.float32), np.zeros(num_frames, dtype=np.float32)
    body = np.zeros((num_frames, 5), dtype=np.float32)  # brows, lean, shoulders, and by the feeling: pitch, gaze_y
    for direction in directions:
        frames = slice(direction.start_frame, min(direction.end_frame, num_frames))
        expression[frames, EXPRESSIONS.index(direction.expression)] = direction.intensity
        size = float(rng.uniform(0.88, 1.08))
        if direction.head is not None:
            pose[frames], pose_held[frames] = np.multiply(HEAD_TARGETS[direction.head], size), 1.0
            gaze[frames, 0] = 0.5 * pose[frames, 0]
        if direction.gaze is not None:
            gaze[frames], gaze_held[frames] = np.multiply(GAZE_TARGETS[direction.gaze], size), 1.0
            if direction.head is None:
                pose[frames, :2] += np.multiply(GAZE_TARGETS[direction.gaze], (0.12, 0.06))
        body[frames, 0] = BROW_TARGETS[direction.brows] * size if direction.brows else 0.0
        pitch, lean, shoulders, gaze_y = np.multiply(EXPRESSION_POSTURES[direction.expression], direction.intensity)
        body[frames, 1:] = lean, shoulders, pitch, gaze_y if direction.gaze is None else 0.0
        if direction.posture is not None:
            body[frames, 1:3] = np.multiply(POSTURE_TARGETS[direction.posture], size)
    expression[:, 0] = 0.0
    eased = follow(expression, EXPRESSION_RISE_S)
    for index, name in enumerate(EXPRESSIONS):
        state_TK[:, channel(f"expression_{name}")] = eased[:, index]
    state_TK[:, channel("expression_neutral")] = np.clip(1.0 - eased[:, 1:].sum(axis=1), 0.0, 1.0)
    _mix(
        state_TK,
        ("yaw", "pitch", "roll"),
        follow(pose, HEAD_RISE_S),
        follow(pose_held, HEAD_RISE_S) * (1 - UNDIRECTED_SHARE),
    )
    _mix(state_TK, ("gaze_x", "gaze_y"), follow(gaze, GAZE_RISE_S), follow(gaze_held, GAZE_RISE_S) * 0.92)
    moved = follow(body, 0.4)
    for names, column in (
        (("brow_left", "brow_right"), 0),
        (("lean",), 1),
        (("shoulders",), 2),
        (("pitch",), 3),
        (("gaze_y",), 4),
    ):
        for name in names:
            state_TK[:, channel(name)] += moved[:, column]


def _mix(state_TK: Track, names: tuple[str, ...], target: Track, held_T: Track) -> None:
    for column, name in enumerate(names):
        index = channel(name)
        state_TK[:, index] = state_TK[:, index] * (1.0 - held_T) + target[:, column]


def liveliness_of(directions: tuple[Direction, ...]) -> float:
    """The mean liveliness asked for over all directions; 1 where nothing is said."""
    frames = sum(direction.end_frame - direction.start_frame for direction in directions)
    return sum(LIVELINESS[d.energy] * (d.end_frame - d.start_frame) for d in directions) / max(frames, 1)


def direction_labels(span: DirectedSpan) -> Track:
    """A span as numbers, [len(LABEL_NAMES)]: its first and its last moment; `expression` is an index into EXPRESSIONS.

    `has_gaze` and `has_head` tell whether the caption says anything about them; their numbers are 0 where it does not.
    """
    return np.asarray(_labels(span.moments[0]) + _labels(span.moments[-1]), dtype=np.float32)


def direction_labels_per_frame(spans: tuple[DirectedSpan, ...], num_frames: int) -> Track:
    """The labels of the moment that each frame lies in, [num_frames, 13]: the `first_` half of LABEL_NAMES."""
    rows = np.zeros((num_frames, len(_MOMENT_LABELS)), dtype=np.float32)
    for span in spans:
        for moment in span.moments:
            rows[moment.start_frame : moment.end_frame] = _labels(moment)
    return rows


def _labels(moment: Direction) -> list[float]:
    gaze_x, gaze_y = GAZE_TARGETS[moment.gaze] if moment.gaze else (0.0, 0.0)
    yaw, pitch, roll = HEAD_TARGETS[moment.head] if moment.head else (0.0, 0.0, 0.0)
    lean, shoulders = POSTURE_TARGETS[moment.posture] if moment.posture else (0.0, 0.0)
    return [
        float(EXPRESSIONS.index(moment.expression)),
        0.0 if moment.expression == "neutral" else moment.intensity,
        float(moment.gaze is not None),
        gaze_x,
        gaze_y,
        float(moment.head is not None),
        yaw,
        pitch,
        roll,
        BROW_TARGETS[moment.brows] if moment.brows else 0.0,
        lean,
        shoulders,
        LIVELINESS[moment.energy],
    ]
