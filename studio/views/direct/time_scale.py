"""Where a frame lies on the screen: one zoom and one scroll position for all tracks. Knows no widget and no document."""

from typing import Final

from PySide6.QtCore import QObject, Signal

from studio.project.timecode import CHUNK_FRAMES

MIN_PX_PER_FRAME: Final = 0.02
MAX_PX_PER_FRAME: Final = 40.0
ZOOM_STEP: Final = 1.3
LEFT_MARGIN_PX: Final = 8
END_MARGIN_FRAMES: Final = CHUNK_FRAMES


class TimeScale(QObject):
    """Maps frames to pixels; `changed` when zoom, scroll, width or length change."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        """Begin with everything fitted."""
        super().__init__(parent)
        self.px_per_frame = 4.0
        self.first_frame = 0.0  # at the left margin
        self.width_px = 800
        self.num_frames = 1
        self._is_fitted = True

    @property
    def visible_frames(self) -> float:
        """How many frames fit into the width."""
        return (self.width_px - 2 * LEFT_MARGIN_PX) / self.px_per_frame

    @property
    def last_first_frame(self) -> float:
        """How far one can scroll."""
        return max(self.num_frames + END_MARGIN_FRAMES - self.visible_frames, 0.0)

    def x_of(self, frame: float) -> float:
        """The pixel where a frame begins."""
        return LEFT_MARGIN_PX + (frame - self.first_frame) * self.px_per_frame

    def frame_at(self, x_px: float) -> float:
        """The frame, with its fraction, under a pixel."""
        return self.first_frame + (x_px - LEFT_MARGIN_PX) / self.px_per_frame

    def set_width(self, width_px: int) -> None:
        """The tracks became wider or narrower."""
        self.width_px = max(width_px, 64)
        self._settle()

    def set_num_frames(self, num_frames: int) -> None:
        """The timeline became longer or shorter."""
        self.num_frames = num_frames
        self._settle()

    def fit(self) -> None:
        """Show the whole timeline, and keep showing it until the person zooms."""
        self._is_fitted = True
        self._settle()

    def zoom(self, factor: float, around_frame: float) -> None:
        """Zoom so that `around_frame` stays where it is."""
        x_px = self.x_of(around_frame)
        if not 0 <= x_px <= self.width_px:
            x_px = self.width_px / 2
        self._is_fitted = False
        self.px_per_frame = min(max(self.px_per_frame * factor, MIN_PX_PER_FRAME), MAX_PX_PER_FRAME)
        self.first_frame = around_frame - (x_px - LEFT_MARGIN_PX) / self.px_per_frame
        self._settle()

    def scroll_to(self, first_frame: float) -> None:
        """Show the timeline from this frame on."""
        self._is_fitted = self._is_fitted and first_frame == self.first_frame
        self.first_frame = first_frame
        self._settle()

    def keep_visible(self, frame: int) -> None:
        """Turn the page when the playhead leaves it."""
        x_px = self.x_of(frame)
        if x_px < 0 or x_px > self.width_px - LEFT_MARGIN_PX:
            self.scroll_to(frame - self.visible_frames * 0.1)

    def _settle(self) -> None:
        if self._is_fitted:
            self.first_frame = 0.0
            self.px_per_frame = max((self.width_px - 2 * LEFT_MARGIN_PX) / max(self.num_frames, 1), MIN_PX_PER_FRAME)
        self.first_frame = min(max(self.first_frame, 0.0), self.last_first_frame)
        self.changed.emit()
