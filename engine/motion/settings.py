"""How a pack's motion model is sampled; read from `[settings.motion]` of the manifest."""

import math
from dataclasses import dataclass, field
from typing import Final

from engine.characters import EXPRESSIONS
from engine.flow.guidance import GuidanceScales

MOST_DRAWN_SHARE: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class MotionSettings:
    """`rest` is the row of a character at rest, with which films begin. `history_rows` is how many rows of the plan so far a new part
    of it follows on, at most. `limit` bounds each number of a row, in units of its spread; `least` and `most`, where they are told,
    each by itself: lids close no further than closed. `drawn_share` is how far from rest each number is told to what draws, of how far
    it is planned: less for a base model that smears heads which turn as far as people do, more for one that opens mouths and closes
    lids too little; empty is as planned. `history_keep` is how much of its
    distance from rest the history keeps when a plan goes on from it: one of minutes would wander off else. `stiffness` is how much
    each number of a frame resists a change of its speed (`engine.motion.smoothing`); empty is not at all. `articulation` are those
    numbers of a frame that nothing but one's own voice moves: they rest where it is mute (`engine.motion.muteness`), and are planned from
    `articulation_lot` of the noise that all else gets: what is said, lips have no choice about. `feelings` are the numbers of a frame that
    say how much of each expression it shows, in the order of `engine.characters.EXPRESSIONS`: those that nobody called for rest.
    """

    rest: tuple[float, ...]
    history_rows: int = 8
    num_steps: int = 5
    shift: float = 1.5
    limit: float = 8.0
    least: tuple[float, ...] = ()
    most: tuple[float, ...] = ()
    history_keep: float = 1.0
    stiffness: tuple[float, ...] = ()
    articulation: tuple[int, ...] = ()
    articulation_lot: float = 1.0
    feelings: tuple[int, ...] = ()
    drawn_share: tuple[float, ...] = ()
    guidance: GuidanceScales = field(default_factory=GuidanceScales)

    def __post_init__(self) -> None:
        if not self.rest:
            raise ValueError("rest is empty; it is the motion row of a character at rest")
        if not all(map(math.isfinite, self.rest)):
            raise ValueError("rest holds numbers that are none")
        if self.history_rows < 1 or self.num_steps < 1:
            raise ValueError(f"history_rows ({self.history_rows}) and num_steps ({self.num_steps}) must be at least 1")
        if self.drawn_share and len(self.drawn_share) != len(self.rest):
            raise ValueError(f"drawn_share has {len(self.drawn_share)} numbers, a row of rest {len(self.rest)}")
        if (self.least or self.most) and not len(self.least) == len(self.most) == len(self.rest):
            raise ValueError(
                f"least and most have {len(self.least)} and {len(self.most)} numbers, a row of rest {len(self.rest)}"
            )
        if not all(low <= high for low, high in zip(self.least, self.most, strict=True)):
            raise ValueError("least holds numbers above those of most")
        if not all(0.0 <= share <= MOST_DRAWN_SHARE for share in self.drawn_share):
            raise ValueError(f"drawn_share holds shares, each between 0 and {MOST_DRAWN_SHARE:g}")
        self._check_frames()
        for name in ("history_keep", "articulation_lot"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is a share between 0 and 1, not {getattr(self, name)}")
        if not (0 < self.shift < math.inf and 0 < self.limit < math.inf):
            raise ValueError(f"shift ({self.shift}) and limit ({self.limit}) must be positive")

    def _check_frames(self) -> None:
        if self.stiffness and (len(self.rest) % len(self.stiffness) or len(self.rest) < 2 * len(self.stiffness)):
            raise ValueError(
                f"stiffness has {len(self.stiffness)} numbers, a row of {len(self.rest)} is not two or more such frames"
            )
        if not all(0.0 <= each < math.inf for each in self.stiffness):
            raise ValueError("stiffness holds numbers that are negative or none")
        for name in ("articulation", "feelings"):
            columns: tuple[int, ...] = getattr(self, name)
            if columns and not 0 <= min(columns) <= max(columns) < len(self.stiffness):
                raise ValueError(
                    f"{name} {columns} must lie within the {len(self.stiffness)} numbers of a frame that stiffness tells"
                )
        if self.feelings and len(self.feelings) != len(EXPRESSIONS):
            raise ValueError(f"feelings has {len(self.feelings)} numbers; there are {len(EXPRESSIONS)} expressions")
