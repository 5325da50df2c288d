"""One benchmark from its name to its figures, with the machine they were taken on. Called by the command line."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import torch

from engine.benchmarks.pack_parts import bench_base, bench_codec
from engine.benchmarks.timing import Timing
from engine.benchmarks.transformer import EngineShape, measure_engine
from engine.errors import BadInputError
from engine.loaded_pack import load_pack
from engine.media.whole_files import write_text_file
from engine.precision import has_fast_bfloat16
from engine.processor import processor_facts

KINDS = ("engine", "vae")


def run_bench(kind: str, pack_name: str, device: str, shape: EngineShape | None) -> dict[str, Any]:
    """The figures of `vae` or `engine`; `BadInputError` for another kind or device.

    `engine` times the pack's own window on a processor and the transformer of `shape` against its peers.
    """
    if kind not in KINDS:
        raise BadInputError(f"there is no benchmark {kind!r}; known are {', '.join(KINDS)}")
    place = _device(kind, device)
    result: dict[str, Any] = {"benchmark": kind, **machine(place)}
    if place.type == "cpu":
        pack = load_pack(pack_name, "cpu")
        with torch.inference_mode():
            timings: list[Timing] = bench_codec(pack) if kind == "vae" else bench_base(pack)
        result |= {"pack": pack.manifest.name, "version": pack.manifest.version}
        result["timings"] = [timing.as_record() for timing in timings]
    if kind == "engine" and shape is not None:
        result["transformer"] = measure_engine(shape, place)
    return result


def write_figures(result: dict[str, Any], path: Path) -> None:
    """As JSON, the folder made where it is missing."""
    write_text_file(path, json.dumps(result, indent=1) + "\n")


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were taken on."""
    facts: dict[str, Any] = {
        "processor": processor_facts().get("cpu_name") or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "has_fast_bfloat16": has_fast_bfloat16(device),
        "torch": torch.__version__,
    }
    if hasattr(os, "getloadavg"):
        facts["load_before"] = round(os.getloadavg()[0], 1)
    if device.type == "cuda":
        facts["card"] = torch.cuda.get_device_name(device)
    return facts


def _device(kind: str, name: str) -> torch.device:
    if name == "cpu":
        return torch.device("cpu")
    if kind == "engine" and name.split(":")[0] == "cuda":
        if not torch.cuda.is_available():
            raise BadInputError("there is no NVIDIA GPU that this torch can use; use --device cpu")
        return torch.device(name)
    raise BadInputError(
        f"{kind} is measured on the processor{' or a GPU' * (kind == 'engine')}, not on {name!r}; use --device cpu"
    )
