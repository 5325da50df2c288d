"""`lpm bench stream`: what live performing costs on this machine. Called by `studio/commandline/bench.py`."""

import argparse
from typing import Any

from engine.characters import find_character, load_character
from engine.errors import BadInputError
from studio.commandline.console import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that only `stream` reads."""
    group = parser.add_argument_group("live performing, measured by stream")
    group.add_argument("--character", default="maya", metavar="NAME_OR_DIR", help="who performs (default maya)")
    group.add_argument(
        "--minutes", type=float, nargs="+", default=[1.0], metavar="M", help="lengths of film to make (default 1)"
    )
    group.add_argument(
        "--real-time", type=float, default=10.0, metavar="S", help="seconds to play in real time (default 10)"
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The figures; `BadInputError` for what cannot be measured."""
    if options.device != "cpu":
        raise BadInputError(f"stream is measured on the processor, not on {options.device!r}; use --device cpu")
    character = load_character(find_character(options.character))

    import torch

    from engine import load_pack
    from engine.benchmarks.running import machine
    from engine.benchmarks.stream import StreamShape, measure_stream

    try:
        shape = StreamShape(minutes=tuple(options.minutes), real_time_s=options.real_time, num_runs=options.runs)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    facts = machine(torch.device("cpu"))
    return {"benchmark": "stream", **facts, **measure_stream(load_pack(options.pack), character, shape)}


def tell(figures: dict[str, Any]) -> None:
    """The figures that matter most, in words."""
    say(f"{figures['pack']}: {figures['generator']}, chunks of {figures['chunk_frames']} frames, {figures['split']}")
    computing = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in figures["cpu_stages_s"].items())
    say(
        f"a second of film keeps the busiest worker busy for {figures['real_time_factor']:.2f} s; computing: {computing}"
    )
    say(f"first frame after {figures['first_frame_s']:.2f} s; {figures['sessions_in_real_time']} sessions in real time")
    for length in figures["lengths"]:
        say(
            f"{length['minutes']:g} min of film: {length['chunk_ms_p50']:.0f} ms a chunk (95 % within "
            f"{length['chunk_ms_p95']:.0f}), memory {length['memory_growth']:+.2%}"
        )
    for way, ms in figures["caching_ms_a_chunk"].items():
        if not way.endswith("latents"):
            say(f"  {way:<42} {ms:>8.1f} ms")
