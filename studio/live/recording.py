"""A film of a live session while it goes on: every shown frame with exactly its sound, marked as generated.

Sound and picture cannot drift: a frame of the session carries its own thousand samples of either voice. Written by threads of its own.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import LpmError
from studio.live.mark import stamp

if TYPE_CHECKING:
    from engine import LiveFrame

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A film that is whole."""

    path: Path
    num_frames: int


class Recording:
    """One film. Some time after `finish` it is whole under its name, and `done` or `failed` is called from another thread."""

    def __init__(
        self,
        path: Path,
        size_px: int,
        has_partner: bool,
        done: Callable[[Recorded], None],
        failed: Callable[[str], None],
    ) -> None:
        """Open the film, which takes a while the first time; `BadInputError` where it cannot be written."""
        from studio.live_player import FilmThread

        self.num_frames = 0
        self._path, self._done, self._failed = path, done, failed
        self._film = FilmThread(path, size_px, has_partner)
        self._finishing: threading.Thread | None = None

    def append(self, frame: "LiveFrame") -> None:
        """The next frame that was shown; raises what went wrong with writing."""
        self._film.append(replace(frame, picture_HWC=stamp(frame.picture_HWC)))
        self.num_frames += 1

    def finish(self) -> None:
        """Write the rest and put the film in its place, without waiting; an empty one leaves nothing. Twice does no harm."""
        if self._finishing is not None:
            return
        self._finishing = threading.Thread(target=self._finish, name="live film end")
        self._finishing.start()

    def wait(self) -> None:
        """Wait until `finish` is over."""
        if self._finishing is not None:
            self._finishing.join()

    def _finish(self) -> None:
        try:
            self._film.close(commit=self.num_frames > 0)
        except (LpmError, OSError) as error:
            self._failed(str(error))
        except Exception as error:  # a fault of ours must not vanish in a thread
            _log.exception("a recording failed")
            self._failed(f"The recording was lost because of an internal fault: {type(error).__name__}: {error}")
        else:
            if self.num_frames:
                self._done(Recorded(path=self._path, num_frames=self.num_frames))
