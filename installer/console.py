"""What the bootstrap prints, and how it runs other programs: shown on a failure, one line otherwise.

Called by every file of the installer. Standard library only.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def say(text: str) -> None:
    """A step that begins."""
    print(f"==> {text}", flush=True)


def note(text: str) -> None:
    """A detail of the step."""
    print(f"    {text}", flush=True)


def warn(text: str) -> None:
    """Something the person should do, that does not stop the set-up."""
    print(f"!!  {text}", file=sys.stderr, flush=True)


class SetupError(Exception):
    """The set-up cannot go on; the message says what to do."""


def run_quietly(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, show_failure: bool = True
) -> bool:
    """Run a program that asks nothing; the end of its output is shown when it fails. True when it succeeded."""
    from_terminal = command[0].endswith("sudo") and "-n" not in command[:2]  # sudo reads the password from the terminal
    result = subprocess.run(
        list(command),
        stdin=None if from_terminal else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        check=False,
    )
    if result.returncode != 0 and show_failure:
        text = result.stdout.decode("utf-8", errors="replace").strip()
        for line in text.splitlines()[-25:]:
            print(f"    | {line}", flush=True)
    return result.returncode == 0


def run_visibly(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run a program whose output the person wants to see, and return its exit status."""
    sys.stdout.flush()
    return subprocess.run(list(command), env=dict(environment), cwd=folder, check=False).returncode


def elapsed(started_s: float) -> str:
    """The time since `started_s` (of `time.monotonic`) as a person reads it."""
    minutes, seconds = divmod(round(time.monotonic() - started_s), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def has_screen() -> bool:
    """Whether a window can be opened here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
