"""`lpm`: every job of the studio without a screen. The entry point; each verb lives in `studio/commandline/`.

It only picks the verb and turns errors into one line and an exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl+C.
Only the chosen verb is imported, so that `lpm character list` does not wait for the engine.
"""

import argparse
import importlib
import logging
import os
import signal
import sys
from types import FrameType
from typing import Any, Final, NoReturn

from engine.errors import CancelledError, LpmError
from studio.commandline.console import one_line

VERBS: Final = {
    "doctor": "what this machine has and can do, and what to install for what is missing",
    "studio": "the desktop application",
    "perform": "a character speaks and listens: make a film",
    "render": "make the film of a project",
    "live": "a character performs live: the whole loop in real time, from files",
    "character": "list, show, make, check and import characters",
    "models": "list, verify and describe model packs",
    "bench": "measure how fast this machine is",
}
HANDED_OVER: Final = {
    "actor": "draw clips and characters of the procedural actor",
    "train": "train a model",
    "data": "make training data",
    "evaluate": "measure a pack or a film with LPM-Bench",
}
INTERRUPTED: Final = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=os.environ.get("LPM_LOG", "WARNING").upper(), format="%(name)s: %(message)s")
    previous = signal.signal(signal.SIGTERM, _stop)  # a polite kill cleans up just as Ctrl+C does
    try:
        return _run(words)
    except (KeyboardInterrupt, CancelledError):
        sys.stderr.write("lpm: stopped; no half-made file stands under its final name\n")
        return INTERRUPTED
    except LpmError as error:
        sys.stderr.write(f"lpm: {one_line(str(error))}\n")
        return 1
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        signal.signal(signal.SIGTERM, previous)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def _run(words: list[str]) -> int:
    if words[:1] and words[0] in HANDED_OVER:
        from studio.commandline.handover import hand_over

        return hand_over(words)
    parser = argparse.ArgumentParser(prog="lpm", description="LPM Studio on the command line.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"LPM Studio {_version()}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, text in (VERBS | HANDED_OVER).items():
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        if words[:1] == [name]:
            _module(name).add_arguments(verb)
    options = parser.parse_args(words)
    status: int = _module(options.verb).run(options)
    return status


def _module(verb: str) -> Any:
    return importlib.import_module(f"studio.commandline.{verb}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lpm-studio")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
