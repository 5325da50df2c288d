"""Cases of direction: a held-out actor told two things one after the other, and where each of them shows.

Called by `judge` in the process that will judge the case. The actor's own directions are drawn seed by seed until there are two moments
that ask something different of gaze or head; words, times, sound and truth are the actor's. Knows no model.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.characters import Character
from training.actor.directions import GAZE_TARGETS, HEAD_TARGETS, DirectedSpan, Direction, sample_spans
from training.actor.identity import Identity, sample_identity
from training.actor.performance import Performance, perform_clip
from training.actor.state import channel
from training.actor.voices import VoicePool
from training.bench.cases import HELD_OUT_SEED, SEEDS_PER_ACTOR, FilmRequest
from training.bench.measures import SETTLING_FRAMES

DIRECTED_SEEDS: Final = HELD_OUT_SEED + 600_000  # no clip of the other cases, though the same people
GAZE_CHANNELS: Final = ("gaze_x", "gaze_y")
HEAD_CHANNELS: Final = ("yaw", "pitch", "roll")
TARGET_SIZES: Final = {  # how far the actor goes when told to, by channel
    name: max(abs(target[column]) for target in targets)
    for names, targets in ((HEAD_CHANNELS, HEAD_TARGETS.values()), (GAZE_CHANNELS, GAZE_TARGETS.values()))
    for column, name in enumerate(names)
}
LEAST_CARRIED_OUT: Final = 0.5  # of its target: a truth that hardly moves cannot be asked of anyone
SHORTEST_FRAMES: Final = 12  # of what is left of a moment once it had time to settle


@dataclass(frozen=True, kw_only=True)
class ToldDirection:
    """One thing asked for: a channel, the side it has to go to, and the frames [start_frame, end_frame) in which that must show.

    The frames begin once the moment had time to settle.
    """

    words: str  # "gaze left", "head tilt_right"
    channel: str
    side: float  # -1 or 1
    start_frame: int
    end_frame: int


@dataclass(frozen=True, kw_only=True)
class DirectionCase:
    """One clip to be made by a model: who, under which sound, told which two things in which order; and the actor's own truth."""

    actor: int
    identity: Identity
    performance: Performance
    spans: tuple[DirectedSpan, ...]
    told: tuple[ToldDirection, ToldDirection]


def make_direction_case(actor: int, num_frames: int, voices: VoicePool) -> DirectionCase:
    """The speaking case of one held-out actor; `voices` are held-out ones. The same numbers give the same case."""
    first_seed = DIRECTED_SEEDS + actor * SEEDS_PER_ACTOR
    for seed in range(first_seed, first_seed + SEEDS_PER_ACTOR):
        spans = sample_spans(np.random.default_rng(seed), num_frames, "speak")
        told = told_in_turn(tuple(moment for span in spans for moment in span.moments))
        if told is None:
            continue
        performance = perform_clip(seed, num_frames, "speak", voices, told=spans)
        if all(is_carried_out(each, performance) for each in told):
            identity = sample_identity(HELD_OUT_SEED + actor)
            return DirectionCase(actor=actor, identity=identity, performance=performance, spans=spans, told=told)
    raise AssertionError(f"no performance of {num_frames} frames gives actor {actor} two directions")


def told_in_turn(moments: tuple[Direction, ...]) -> tuple[ToldDirection, ToldDirection] | None:
    """The two different directions that two moments ask for; None for any other moments."""
    if len(moments) != 2:
        return None
    first, second = (_told(moment) for moment in moments)
    return None if first is None or second is None or first.words == second.words else (first, second)


def is_carried_out(told: ToldDirection, performance: Performance) -> bool:
    """Whether the actor itself, which lives and speaks meanwhile, does as it is told."""
    exact_T = performance.state_TK[told.start_frame : told.end_frame, channel(told.channel)]
    return told.side * float(exact_T.mean()) >= LEAST_CARRIED_OUT * TARGET_SIZES[told.channel]


def _told(moment: Direction) -> ToldDirection | None:
    """What a moment asks of gaze or head; None where it asks for neither, for both, or to look at the viewer."""
    if (moment.gaze is None) == (moment.head is None) or moment.gaze == "viewer":
        return None
    start_frame = moment.start_frame + SETTLING_FRAMES
    if moment.end_frame - start_frame < SHORTEST_FRAMES:
        return None
    name, side = _largest(moment)
    return ToldDirection(
        words=f"gaze {moment.gaze}" if moment.head is None else f"head {moment.head}",
        channel=name,
        side=side,
        start_frame=start_frame,
        end_frame=moment.end_frame,
    )


def _largest(moment: Direction) -> tuple[str, float]:
    targets = (
        dict(zip(HEAD_CHANNELS, HEAD_TARGETS[moment.head], strict=True))
        if moment.head is not None
        else dict(zip(GAZE_CHANNELS, GAZE_TARGETS[moment.gaze or "viewer"], strict=True))
    )
    name = max(targets, key=lambda each: abs(targets[each]))
    return name, float(np.sign(targets[name]))


def direction_request(case: DirectionCase, character: Character) -> FilmRequest:
    """The case as a request: its own track and captions."""
    return FilmRequest(
        character=character,
        speak_S=case.performance.speak_S,
        listen_S=None,
        prompts=case.performance.captions,
        num_frames=case.performance.num_frames,
        seed=case.actor,
    )
