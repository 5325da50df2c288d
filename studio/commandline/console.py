"""Talking to a person at a terminal: lines on standard output, one progress line with an ETA on standard error.

Called by the verbs of `lpm`. Progress is drawn only where somebody can see it; machines read the report files.
"""

import sys
import time
from typing import Final

_MIN_INTERVAL_S: Final = 0.1
_BAR_CELLS: Final = 24


def say(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def one_line(text: str) -> str:
    """A message with every line break and control character made harmless: file names may hold anything."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def counted(number: int, thing: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def clock(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:00`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class ProgressLine:
    """One line that is drawn over and over on standard error, and is gone when the work is done."""

    def __init__(self, title: str) -> None:
        """Nothing is drawn where standard error is not a terminal."""
        self._title = title
        self._is_shown = sys.stderr.isatty()
        self._started_s = time.monotonic()
        self._drawn_s = 0.0

    def show(self, done: int, total: int) -> None:
        """Draw how much is done, and how long the rest takes at this machine's own speed so far."""
        now_s = time.monotonic()
        if not self._is_shown or (done < total and now_s - self._drawn_s < _MIN_INTERVAL_S):
            return
        self._drawn_s = now_s
        share = done / max(total, 1)
        filled = round(share * _BAR_CELLS)
        rest = f"{clock((now_s - self._started_s) * (total - done) / done)} left" if done else "getting ready"
        bar = "#" * filled + "." * (_BAR_CELLS - filled)
        sys.stderr.write(f"\r\x1b[K{self._title} [{bar}] {share:4.0%}  {rest}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
