"""The quick set's cases: held-out actors with held-out voices, and for each an exact truth.

Called by `judge` in the process that will judge the case. A case is found by trying seeds until the actor's own rules give what
the case needs (one expression told all through; a nod called for), so nothing of it is written by hand. Knows no model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from engine.characters import Character
from training.actor.captions import CaptionSpan
from training.actor.identity import Identity, sample_identity
from training.actor.listening import NOD_PEAK_FRAMES
from training.actor.performance import Performance, perform_clip
from training.actor.state import EXPRESSIONS
from training.actor.voices import VoicePool

HELD_OUT_SEED: Final = 9_000_000  # trainers stay below one million, the regressor at two
SEEDS_PER_ACTOR: Final = 1000
LEAST_INTENSITY: Final = 0.6
NOD_RISE_FRAMES: Final = 6  # a nod that the clip's end cuts off cannot be told from a lowered head

CaseKind = Literal["speak", "listen"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One clip to be made by a model: who, under which sound, told what; and what the actor itself does there."""

    actor: int
    kind: CaseKind
    identity: Identity
    performance: Performance
    asked_expression: int
    nod_frames: tuple[int, ...]

    @property
    def num_frames(self) -> int:
        """Frames of the clip."""
        return self.performance.num_frames


@dataclass(frozen=True, kw_only=True)
class FilmRequest:
    """What a maker of films is given: never the truth, only what a person would give."""

    character: Character
    speak_S: NDArray[np.float32] | None
    listen_S: NDArray[np.float32] | None
    prompts: tuple[CaptionSpan, ...]
    num_frames: int
    seed: int


def make_case(actor: int, kind: CaseKind, num_frames: int, voices: VoicePool) -> Case:
    """The case of one held-out actor; `voices` are held-out ones. The same numbers give the same case."""
    first_seed = HELD_OUT_SEED + actor * SEEDS_PER_ACTOR
    for performance in _tries(first_seed, kind, num_frames, voices):
        nods = tuple(event.frame + NOD_PEAK_FRAMES for event in performance.listening_events if event.rule == "nod")
        nods = tuple(frame for frame in nods if frame + NOD_RISE_FRAMES < num_frames)
        asked = told_all_through(performance)
        if asked is not None and (kind == "speak" or nods):
            return Case(
                actor=actor,
                kind=kind,
                identity=sample_identity(HELD_OUT_SEED + actor),
                performance=performance,
                asked_expression=asked,
                nod_frames=nods,
            )
    raise AssertionError(f"no performance of {num_frames} frames fits the case of actor {actor}, {kind}")


def _tries(first_seed: int, kind: CaseKind, num_frames: int, voices: VoicePool) -> Iterator[Performance]:
    for seed in range(first_seed, first_seed + SEEDS_PER_ACTOR):
        yield perform_clip(seed, num_frames, kind, voices)


def told_all_through(performance: Performance) -> int | None:
    """The one expression that the captions ask for in the whole clip, strongly enough to be seen; None for any other clip."""
    directions = performance.directions
    asked = {direction.expression for direction in directions}
    is_told = directions[0].is_expression_told
    is_clear = all(each.expression == "neutral" or each.intensity >= LEAST_INTENSITY for each in directions)
    return EXPRESSIONS.index(asked.pop()) if len(asked) == 1 and is_told and is_clear else None


def request_of(case: Case, character: Character) -> FilmRequest:
    """The case as a request: its own tracks and captions."""
    performance = case.performance
    return FilmRequest(
        character=character,
        speak_S=performance.speak_S if case.kind == "speak" else None,
        listen_S=performance.listen_S if case.kind == "listen" else None,
        prompts=performance.captions,
        num_frames=case.num_frames,
        seed=case.actor,
    )
