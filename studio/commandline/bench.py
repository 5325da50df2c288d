"""`lpm bench`: how fast this machine is, measured by the engine's own benchmarks. Called by `studio/cli.py`."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import BadInputError
from engine.media.files_to_write import check_files_to_write
from studio.commandline import bench_stream
from studio.commandline.console import say
from studio.commandline.perform import DEFAULT_PACK, character_and_pack_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm bench`."""
    parser.add_argument("kind", choices=("engine", "stream", "vae"), help="what to measure")
    parser.add_argument(
        "--pack", default=DEFAULT_PACK, metavar="NAME", help=f"a model pack's name or folder (default {DEFAULT_PACK})"
    )
    parser.add_argument(
        "--device",
        metavar="D",
        help="cpu or cuda for engine, cpu for vae (default cpu); stream takes what lpm live does: auto, cpu, cuda, cuda:1 or mps "
        "(default: what the environment says as LPM_DEVICE, else auto)",
    )
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="OUT.json", help="figures as JSON, into a file or to standard output"
    )
    shape = parser.add_argument_group("the transformer that engine measures (default: dim 512, 8 layers, 1536 tokens)")
    shape.add_argument(
        "--preset", choices=("tiny", "small", "17b"), help="a preset as it is, or to change by what follows"
    )
    shape.add_argument("--dim", type=int, metavar="D", help="width")
    shape.add_argument("--layers", type=int, metavar="N", help="number of blocks")
    shape.add_argument("--heads", type=int, metavar="N", help="attention heads")
    shape.add_argument("--ffn", type=int, metavar="D", help="width of the feed-forward network (default 4 times dim)")
    shape.add_argument("--tokens", type=int, default=1536, metavar="N", help="video tokens (default 1536)")
    shape.add_argument("--frames", type=int, default=6, metavar="N", help="latent frames they make up (default 6)")
    shape.add_argument("--text-rows", type=int, default=64, metavar="N", help="rows of text (default 64)")
    shape.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each, in turn (default 5)")
    bench_stream.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, and tell or write the figures."""
    figures = None if options.json in (None, "-") else Path(options.json)
    check_files_to_write({"--json": figures, "--curves": options.curves}, _files_read(options), makes_folders=True)
    check_files_to_write({"--curves": options.curves})

    from engine.benchmarks.running import run_bench, write_figures

    if options.kind == "stream":
        result = bench_stream.measure(options)
    else:
        result = run_bench(options.kind, options.pack, options.device or "cpu", _shape(options))
    if options.json == "-":
        say(json.dumps(result, indent=1))
        return 0
    if figures is not None:
        write_figures(result, figures)
    (bench_stream.tell if options.kind == "stream" else _tell)(result)
    return 0


def _files_read(options: argparse.Namespace) -> Iterator[Path]:
    if options.kind == "stream":
        yield from character_and_pack_files(options.character, options.pack)
        return

    from engine.loaded_pack import pack_files

    yield from pack_files(options.pack)


def _shape(options: argparse.Namespace) -> Any:
    from engine.benchmarks.transformer import EngineShape, shaped_config

    if options.kind != "engine":
        return None
    is_default = options.preset is None and not (options.dim or options.layers or options.heads or options.ffn)
    dim, layers = (512, 8) if is_default else (options.dim, options.layers)
    try:
        config = shaped_config(options.preset or "small", dim, layers, options.heads, options.ffn)
        return EngineShape(
            config=config,
            tokens=options.tokens,
            frames=options.frames,
            text_rows=options.text_rows,
            num_runs=options.runs,
        )
    except ValueError as error:
        raise BadInputError(str(error)) from error


def _tell(result: dict[str, Any]) -> None:
    for timing in result.get("timings", []):
        say(f"{timing['name']}, {timing['shape']}, {timing['dtype']}: {timing['ms']} ms")
    measured = result.get("transformer")
    if measured is None:
        return
    say(f"\ntransformer: {measured['shape']}, {measured['gflop_a_forward']} GFLOP a forward")
    for dtype, figures in measured["formats"].items():
        share = f"{figures['share_of_peak']:.0%} of the machine's measured {figures['peak_gflops']} GFLOP/s"
        say(
            f"\n{dtype}: {figures['gflops_reached']} GFLOP/s, {share}; attention by {measured['attention'][dtype]['chosen']}"
        )
        for timing in figures["timings"]:
            say(f"  {timing['name']:<22} {timing['ms']:>9.1f} ms  ({timing['fastest_ms']} to {timing['slowest_ms']})")
        for part, ms in figures["parts_ms"].items():
            say(f"    {part:<24} {ms:>7.1f} ms")
        for peer, times in figures["times_as_fast_as"].items():
            say(f"  {times:.2f} times as fast as {peer}")
    if "not_measured" in measured:
        say(f"\n{measured['not_measured']}")
