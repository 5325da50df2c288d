"""What a drag does to a clip: move it or one of its edges, with snapping. Shared by the sound and prompt tracks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

EDGE_PX: Final = 7
SNAP_PX: Final = 8
Grip = Literal["move", "start", "end"]


@dataclass(frozen=True, kw_only=True)
class Drag:
    """A drag under way: what was gripped, where, and where it was."""

    grip: Grip
    item_id: str
    grab_frame: float
    start_frame: int
    end_frame: int

    def moved(self, frame: float) -> tuple[int, int]:
        """Start and end when the mouse is at `frame`, before snapping."""
        shift = round(frame - self.grab_frame)
        start = self.start_frame + (shift if self.grip != "end" else 0)
        end = self.end_frame + (shift if self.grip != "start" else 0)
        return start, end


def grip_at(x_px: float, left_px: float, right_px: float) -> Grip:
    """Which part of a clip lies under the mouse."""
    edge_px = min(EDGE_PX, (right_px - left_px) / 4)
    if x_px - left_px < edge_px:
        return "start"
    return "end" if right_px - x_px < edge_px else "move"


def nearest(frame: int, candidates: Iterable[int], reach_frames: float) -> int:
    """The candidate nearest to `frame` within reach, else `frame` itself."""
    best = min(candidates, key=lambda candidate: abs(candidate - frame), default=frame)
    return best if abs(best - frame) <= reach_frames else frame
