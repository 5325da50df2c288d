"""`lpm studio`: the desktop application. Called by `studio/cli.py`; Qt is imported only here."""

import argparse
from pathlib import Path

from engine.errors import MissingDependencyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm studio`."""
    parser.add_argument(
        "project", nargs="?", type=Path, metavar="PROJECT", help="the project to open (default: the last one)"
    )


def run(options: argparse.Namespace) -> int:
    """Open the window and stay until it is closed."""
    try:
        from studio.app import run_studio
    except ImportError as error:
        raise MissingDependencyError(
            f"the window cannot be opened ({error}); `lpm doctor` says what to install"
        ) from None
    return run_studio(options.project)
