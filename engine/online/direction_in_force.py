"""The direction that a live session is under, and which of its parts a chunk is told: one after the other, the last until another comes.

Called by the conductor. Nobody knows when a live direction ends, so each part but the last has the same short time.
"""

from dataclasses import dataclass
from typing import Final

from engine.shapes import PROMPT_FRAMES

PART_FRAMES: Final = PROMPT_FRAMES // 2  # time to do a thing and to be seen doing it


@dataclass(kw_only=True)
class DirectionInForce:
    """`text` as it was given, and the directions it is made of; `first_frame` is where it began to act, None where it has not."""

    text: str
    parts: tuple[str, ...]
    first_frame: int | None = None

    def told_from(self, frame: int) -> str:
        """What a chunk is told that begins with this frame."""
        if self.first_frame is None or frame < self.first_frame:  # what had begun to act was taken back
            self.first_frame = frame
        return self.parts[min((frame - self.first_frame) // PART_FRAMES, len(self.parts) - 1)]
