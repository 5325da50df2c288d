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
    """Run `python -m training` with these words to its end; its exit status, 130 after Ctrl+C."""
    search = [str(_SOURCE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(search)}
    with subprocess.Popen([sys.executable, "-m", "training", *words], env=environment) as process:
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                # The terminal sends Ctrl+C to both; the child saves what it must and ends by itself. What a shell starts in the
                # background ignores that signal, and so would its child: a polite kill reaches it all the same.
                if process.poll() is None and not sys.stdin.isatty():
                    process.send_signal(signal.SIGTERM)
    return 128 - status if status < 0 else status
