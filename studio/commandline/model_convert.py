"""`lpm models convert`: public checkpoints become a model pack. Called by `studio/commandline/models.py`."""

import argparse
from pathlib import Path
from typing import Final

from engine.errors import BadInputError
from studio.commandline.console import ProgressLine, counted, one_line, say

_DTYPES: Final = {"bf16": "bfloat16", "bfloat16": "bfloat16", "float32": "float32"}
_NAMES_SHOWN: Final = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm models convert`."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SRC",
        help="checkpoints in any order: files or folders of Wan2.1 (official or diffusers), its VAE, UMT5, wav2vec 2.0",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PACK", help="the pack's folder")
    parser.add_argument(
        "--dtype", choices=tuple(_DTYPES), default="bf16", help="number format of the weights (default bf16)"
    )
    parser.add_argument(
        "--size", type=int, default=480, metavar="PX", help="side of the films that the pack makes (default 480)"
    )
    parser.add_argument(
        "--shift", type=float, default=3.0, metavar="S", help="shift of the schedule: 3 at 480p, 5 at 720p (default 3)"
    )
    parser.add_argument("--steps", type=int, default=40, metavar="N", help="denoising steps (default 40)")


def run(options: argparse.Namespace) -> int:
    """Convert, and say what came of it."""
    import torch

    from engine.interop.convert import Conversion, convert

    if options.size < 16 or options.size % 16:
        raise BadInputError(f"--size is a multiple of 16 pixels, not {options.size}")
    if not 0.1 <= options.shift <= 100 or not 1 <= options.steps <= 1000:
        raise BadInputError(f"--shift is 0.1 to 100 and --steps 1 to 1000, not {options.shift} and {options.steps}")
    conversion = Conversion(
        sources=tuple(options.sources),
        folder=options.output,
        dtype=getattr(torch, _DTYPES[options.dtype]),
        size_px=options.size,
        shift=options.shift,
        num_steps=options.steps,
    )
    progress = ProgressLine("converting")
    try:
        report = convert(conversion, progress.show)
    except KeyboardInterrupt:
        progress.clear()
        say("What is converted so far is kept: the same command goes on from there.")
        raise
    progress.clear()
    roles = ", ".join(entry.role for entry in report.components)
    say(f"{report.folder}: {one_line(roles)}")
    for names, what in ((report.dropped, "left out"), (report.added, "begun anew")):
        if names:
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            say(f"{counted(len(names), 'tensor')} {what}: {one_line(', '.join(names[:_NAMES_SHOWN]))}{more}")
    for place in report.left_out:
        say(f"nothing in a pack is made from {one_line(str(place))}")
    if report.num_resumed:
        verb = "was" if report.num_resumed == 1 else "were"
        say(f"{counted(report.num_resumed, 'tensor')} {verb} there from an earlier run")
    if report.missing_roles:
        say(f"To perform it also needs: {', '.join(report.missing_roles)}. Name their checkpoints too.")
    return 0
