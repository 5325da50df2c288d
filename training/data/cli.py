"""`lpm data clips -o DIR`: draws and encodes the clips that base models are trained on; `lpm data tars` makes them travel."""

import argparse
import sys
from pathlib import Path

from engine.media.files_to_write import check_folder_to_write
from training.data.building import build_clips
from training.data.shards import write_tars
from training.recipes.places import DEFAULT_CLIPS, DEFAULT_PARTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm data`."""
    kinds = parser.add_subparsers(dest="data_verb", required=True)
    clips = kinds.add_parser(
        "clips", help="draw and encode clips of the procedural actor; a kill loses one shard at most"
    )
    clips.add_argument("-o", "--output", type=Path, default=DEFAULT_CLIPS, help="the folder of shards")
    clips.add_argument("--parts", type=Path, default=DEFAULT_PARTS, help="the folder that holds codec.safetensors")
    clips.add_argument("--shards", type=int, default=64, help="how many shards of 16 clips there shall be")
    clips.add_argument("--processes", type=int, default=1, help="single-threaded processes that share the work")
    tars = kinds.add_parser(
        "tars", help="clips as tars in the manner of WebDataset, which `lpm train --clips` reads as well"
    )
    tars.add_argument("clips", type=Path, help="the folder of shards made by `lpm data clips`")
    tars.add_argument("-o", "--output", type=Path, required=True, help="the folder of tars")


def run(options: argparse.Namespace) -> None:
    """Builds what is missing."""
    check_folder_to_write(options.output)
    if options.data_verb == "tars":
        count = write_tars(options.clips, options.output)
        sys.stdout.write(f"{options.output} holds {count} clips\n")
        return
    build_clips(options.output, options.parts, options.shards, options.processes)
    sys.stdout.write(f"{options.output} holds {options.shards} shards\n")
