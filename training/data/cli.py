"""`lpm data clips -o DIR`: draws and encodes the clips that base models are trained on."""

import argparse
import sys
from pathlib import Path

from training.data.building import build_clips
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


def run(options: argparse.Namespace) -> None:
    """Builds what is missing."""
    build_clips(options.output, options.parts, options.shards, options.processes)
    sys.stdout.write(f"{options.output} holds {options.shards} shards\n")
