"""Handing a job to the training packages in a process of their own: `python -m training ...` with the same words.

Called by `lpm train|data|evaluate|actor` and `lpm character new`. The studio never imports the training; exit status and Ctrl+C pass
through as if there were one process.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SOURCE_ROOT: Final = Path(__file__).resolve().parents[2]


def hand_over(words: Sequence[str]) -> int:
    """Run `python -m training` with these words to its end; its exit status, 128 and more where a signal ended it."""
    search = [str(_SOURCE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(search)}
    with subprocess.Popen([sys.executable, "-m", "training", *words], env=environment) as process:
        # A polite kill comes to this process alone, and what a shell started in the background ignores any other.
        previous = signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
        try:
            status = _wait(process)
        finally:
            signal.signal(signal.SIGTERM, previous)
    return 128 - status if status < 0 else status


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Its status at its end. A terminal sends Ctrl+C to both processes; the child saves what it must and ends by itself."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            has_terminal = sys.stdin is not None and sys.stdin.isatty()
            if os.name == "posix" and not has_terminal:
                process.send_signal(signal.SIGTERM)
