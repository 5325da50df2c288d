"""What this machine makes of a pack: `lpm bench vae|engine`. Ratios within one run say more than seconds.

Each fast path is timed beside its plain twin in the same process, in turn. Called by the command line; results go to
docs/results.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.base.settings import BaseSettings
from engine.errors import BadInputError
from engine.loaded_pack import LoadedPack, load_pack
from engine.model.transformer import DitInputs
from engine.precision import fast_autocast, has_fast_bfloat16
from engine.references import ReferenceLatents

NUM_RUNS = 7
CHUNK_FRAMES = 24


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One thing timed: median and spread of its runs, in milliseconds."""

    name: str
    dtype: str
    shape: str
    ms: float
    fastest_ms: float
    slowest_ms: float

    def as_record(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return dict(vars(self))


def run_bench(kind: str, pack_name: str, device: str, json_path: Path | None) -> dict[str, Any]:
    """Times `vae` or `engine` and writes the JSON; `BadInputError` for another kind or device."""
    measures = {"vae": bench_codec, "engine": bench_transformer}
    if kind not in measures:
        raise BadInputError(f"there is no benchmark {kind!r}; known are {', '.join(measures)}")
    if device != "cpu":
        raise BadInputError(f"this release computes on the processor only, not on {device!r}; use --device cpu")
    pack = load_pack(pack_name)
    with torch.inference_mode():
        timings = measures[kind](pack)
    result = {"benchmark": kind, "pack": pack.manifest.name, "version": pack.manifest.version, **machine()}
    result["timings"] = [timing.as_record() for timing in timings]
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    device = torch.device("cpu")
    return {
        "processor": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "has_fast_bfloat16": has_fast_bfloat16(device),
        "torch": torch.__version__,
    }


def bench_codec(pack: LoadedPack) -> list[Timing]:
    """Encoding and decoding one second at the pack's size, in the fast format and in float32."""
    pixels_BTCHW = torch.rand(1, CHUNK_FRAMES, 3, pack.size_px, pack.size_px) * 2 - 1
    latents_BFCHW = pack.codec.encode(pixels_BTCHW)
    jobs = {
        f"encode {CHUNK_FRAMES} frames": lambda: pack.codec.encode(pixels_BTCHW),
        f"decode {CHUNK_FRAMES} frames": lambda: pack.codec.decode(latents_BFCHW),
    }
    shape = f"{CHUNK_FRAMES}x{pack.size_px}x{pack.size_px}"
    return [timing for name, job in jobs.items() for timing in time_twins(name, shape, job)]


def bench_transformer(pack: LoadedPack) -> list[Timing]:
    """One forward of the base model over a window with one reference, in the fast format and in float32."""
    inputs = window_inputs(pack, pack.base)
    _, frames, _, rows, columns = inputs.latents_BFCHW.shape
    return time_twins("base forward", f"{frames}x{rows}x{columns}+1 reference", lambda: pack.transformer(inputs))


def window_inputs(pack: LoadedPack, settings: BaseSettings) -> DitInputs:
    """A window of noise with conditions of the right shapes."""
    config = pack.transformer.config
    side = pack.size_px // pack.codec.spatial_stride
    frames, channels = settings.window_latents, config.in_channels
    speak, listen = config.speak_window, config.listen_window
    return DitInputs(
        latents_BFCHW=torch.randn(1, frames, channels, side, side),
        timestep_BF=torch.full((1, frames), 500.0),
        references=ReferenceLatents.of_names(torch.randn(1, channels, side, side), [("global", "")]),
        text_BSD=torch.randn(1, pack.text_encoder.config.num_tokens, config.text_dim),
        speak_BAD=torch.randn(1, frames * speak.rows_per_latent + speak.rows_before, config.speak_dim),
        listen_BAD=torch.randn(1, frames * listen.rows_per_latent + listen.rows_before, config.listen_dim),
        speak_start_row=-speak.rows_before,
        listen_start_row=-listen.rows_before,
    )


def time_twins(name: str, shape: str, job: Callable[[], Tensor]) -> list[Timing]:
    """The job in the fast format and in float32, in turn."""
    device = torch.device("cpu")
    runs_ms: dict[str, list[float]] = {"fast": [], "float32": []}
    for _ in range(NUM_RUNS + 1):
        with fast_autocast(device):
            runs_ms["fast"].append(elapsed_ms(job))
        runs_ms["float32"].append(elapsed_ms(job))
    fast_name = "bfloat16" if has_fast_bfloat16(device) else "float32"
    return [
        Timing(
            name=name,
            dtype=fast_name if twin == "fast" else "float32",
            shape=shape,
            ms=round(statistics.median(warm), 2),
            fastest_ms=round(min(warm), 2),
            slowest_ms=round(max(warm), 2),
        )
        for twin, warm in ((twin, runs[1:]) for twin, runs in runs_ms.items())
    ]


def elapsed_ms(job: Callable[[], Tensor]) -> float:
    """How long one run takes."""
    started_s = time.perf_counter()
    job()
    return (time.perf_counter() - started_s) * 1e3
