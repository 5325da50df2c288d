"""`lpm actor clip|character`: a clip of the procedural actor in open formats, or one of its characters as a folder.

Called by the front end of `python -m training`. It reads arguments and hands them on.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from engine.errors import BadInputError
from engine.media.files_to_write import check_new_folder
from engine.shapes import FRAME_RATE_HZ
from training.actor import character_files
from training.actor.clip import make_clip, write_clip
from training.actor.performance import CLIP_KINDS
from training.actor.voices import VoicePool

MOST_SECONDS: Final = 120.0
SMALLEST_PX: Final = 64
LARGEST_PX: Final = 1024
CLIP: Final = "draw one clip: film, sound, captions, truth and references"
CHARACTER: Final = "draw a character folder with all its references"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm actor`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    clip = actions.add_parser("clip", help=CLIP, description=CLIP[0].upper() + CLIP[1:] + ".")
    clip.add_argument("--seed", type=int, default=0, help="which character and which performance (default 0)")
    clip.add_argument("--seconds", type=float, default=5.0, help="how long, in seconds (default 5)")
    clip.add_argument("--kind", choices=CLIP_KINDS, default="speak", help="what the character does (default speak)")
    clip.add_argument("--size", type=int, default=256, metavar="PX", help="side of the picture (default 256)")
    clip.add_argument("--held-out", action="store_true", help="use the voices that are kept for evaluation")
    clip.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write; it must be new"
    )
    character_files.add_arguments(
        actions.add_parser("character", help=CHARACTER, description=CHARACTER[0].upper() + CHARACTER[1:] + ".")
    )


def run(options: argparse.Namespace) -> None:
    """Writes a clip or a character and says in a line what and where; `BadInputError` for a value out of range."""
    if options.action == "character":
        character_files.run(options)
    else:
        _write_clip(options)


def _write_clip(options: argparse.Namespace) -> None:
    if not 0.0 < options.seconds <= MOST_SECONDS:
        raise BadInputError(f"--seconds {options.seconds:g}: choose more than 0 and at most {MOST_SECONDS:g}")
    if not SMALLEST_PX <= options.size <= LARGEST_PX or options.size % 2:
        raise BadInputError(f"--size {options.size}: choose an even number from {SMALLEST_PX} to {LARGEST_PX}")
    if options.seed < 0:
        raise BadInputError(f"--seed {options.seed}: choose a number from 0 up")
    check_new_folder(options.output)
    pool = VoicePool.discover()
    if options.held_out:
        pool = pool.for_evaluation()
    num_frames = max(1, round(options.seconds * FRAME_RATE_HZ))
    clip = make_clip(options.seed, num_frames, options.kind, pool, options.size)
    paths = write_clip(clip, options.output)
    sys.stdout.write(
        f"{options.output}: {num_frames} frames, voices from {', '.join(pool.engines)}, {len(paths)} files\n"
    )
