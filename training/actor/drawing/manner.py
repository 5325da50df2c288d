"""How a hand draws, whoever it draws: what other artists do otherwise than the actor, whose own manner is the plain one.

Called by the drawing and by `training.actor.strangers`. Knows nothing of who is drawn.
"""

from dataclasses import dataclass, fields
from math import isfinite


@dataclass(frozen=True, kw_only=True)
class Manner:
    """Factors on the actor's own measures, and shifts in head units, positive up.

    `shading` is how far shaded and lit colours stand from the plain one beside them; 0 draws flat areas.
    """

    shading: float = 1.0
    eye_height: float = 1.0
    iris_size: float = 1.0
    lash_width: float = 1.0
    brow_length: float = 1.0
    brow_rise: float = 0.0
    mouth_rise: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not isfinite(getattr(self, field.name)):
                raise ValueError(f"{field.name} must be a number, not {getattr(self, field.name)}")


OWN_MANNER = Manner()
