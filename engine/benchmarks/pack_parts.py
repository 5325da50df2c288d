"""The components of a pack as they are used: codec and base model, each in the fast format beside float32."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.base.settings import BaseSettings
from engine.benchmarks.timing import Timing, interleaved_ms
from engine.loaded_pack import LoadedPack
from engine.model.transformer import DitInputs
from engine.precision import fast_autocast, has_fast_bfloat16
from engine.references import ReferenceLatents

NUM_RUNS = 7
CHUNK_FRAMES = 24


def bench_codec(pack: LoadedPack) -> list[Timing]:
    """Encoding and decoding one second at the pack's size."""
    pixels_BTCHW = torch.rand(1, CHUNK_FRAMES, 3, pack.size_px, pack.size_px) * 2 - 1
    latents_BFCHW = pack.codec.encode(pixels_BTCHW)
    jobs: dict[str, Callable[[], Tensor]] = {
        f"encode {CHUNK_FRAMES} frames": lambda: pack.codec.encode(pixels_BTCHW),
        f"decode {CHUNK_FRAMES} frames": lambda: pack.codec.decode(latents_BFCHW),
    }
    shape = f"{CHUNK_FRAMES}x{pack.size_px}x{pack.size_px}"
    return [timing for name, job in jobs.items() for timing in _both_formats(name, shape, job)]


def bench_base(pack: LoadedPack) -> list[Timing]:
    """One forward of the base model over a window with one reference."""
    inputs = window_inputs(pack, pack.base)
    _, frames, _, rows, columns = inputs.latents_BFCHW.shape
    return _both_formats("base forward", f"{frames}x{rows}x{columns}+1 reference", lambda: pack.transformer(inputs))


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
        text_BSD=torch.randn(1, pack.text_encoder.num_tokens, config.text_dim),
        speak_BAD=torch.randn(1, frames * speak.rows_per_latent + speak.rows_before, config.speak_dim),
        listen_BAD=torch.randn(1, frames * listen.rows_per_latent + listen.rows_before, config.listen_dim),
        speak_start_row=-speak.rows_before,
        listen_start_row=-listen.rows_before,
    )


def _both_formats(name: str, shape: str, job: Callable[[], Tensor]) -> list[Timing]:
    """The job in the fast format and in float32, in turn."""
    device = torch.device("cpu")

    def fast() -> Tensor:
        with fast_autocast(device):
            return job()

    jobs: dict[str, Any] = {"bfloat16" if has_fast_bfloat16(device) else "float32, fast": fast, "float32": job}
    runs_ms = interleaved_ms(jobs, NUM_RUNS, device)
    return [Timing.of_runs(name, dtype.split(",")[0], shape, runs) for dtype, runs in runs_ms.items()]
