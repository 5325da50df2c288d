"""`lpm bench`: how fast this machine is, measured by the engine's own benchmarks. Called by `studio/cli.py`."""

import argparse
from pathlib import Path

from studio.commandline.perform import DEFAULT_PACK


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm bench`."""
    parser.add_argument("kind", choices=("engine", "vae"), help="what to measure")
    parser.add_argument(
        "--pack", default=DEFAULT_PACK, metavar="NAME", help=f"a model pack's name or folder (default {DEFAULT_PACK})"
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu or cuda (default cpu)")
    parser.add_argument("--json", type=Path, required=True, metavar="OUT.json", help="where the figures go")


def run(options: argparse.Namespace) -> int:
    """Measure and write the figures."""
    from engine.benchmarks import run_bench

    run_bench(options.kind, options.pack, options.device, options.json)
    return 0
