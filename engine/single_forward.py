"""One forward of a transformer on noise with its blocks on disk: what it takes, measured. Called by `lpm models forward`."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.figures.flops import audio_rows, forward_flops
from engine.figures.workload import Workload
from engine.memory import peak_memory_mb
from engine.model.streamed import transformer_on_disk
from engine.model.transformer import DitInputs
from engine.model_config import AudioWindow, DitConfig
from engine.precision import fast_autocast, has_fast_bfloat16
from engine.references import ReferenceLatents


@dataclass(frozen=True, kw_only=True)
class ForwardFigures:
    """What a forward took. The output's deviation and whether it is finite say that something was computed."""

    seconds: float
    peak_memory_mb: float
    weights_bytes: int
    flops: int
    computes_in: str
    output_shape: tuple[int, ...]
    output_std: float
    is_finite: bool


def noise_inputs(config: DitConfig, work: Workload, seed: int = 0) -> DitInputs:
    """Noise in every input of a whole forward: latents, references, text and both sounds."""
    generator = torch.Generator().manual_seed(seed)
    latents, rows, columns = work.geometry.latents_per_chunk, work.geometry.latent_rows, work.geometry.latent_columns
    kinds = [("global", ""), *(("view", name) for name in ("front", "left", "right", "rear"))][: work.num_references]

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    def sound(window: AudioWindow, width: int) -> torch.Tensor:
        return noise(1, audio_rows(window, latents), width)

    return DitInputs(
        latents_BFCHW=noise(1, latents, config.in_channels, rows, columns),
        timestep_BF=torch.full((1, latents), 500.0),
        references=ReferenceLatents.of_names(noise(len(kinds), config.in_channels, rows, columns), kinds),
        text_BSD=noise(1, work.text_rows, config.text_dim),
        speak_BAD=sound(config.speak_window, config.speak_dim),
        listen_BAD=sound(config.listen_window, config.listen_dim),
        speak_start_row=-config.speak_window.rows_before,
        listen_start_row=-config.listen_window.rows_before,
    )


@torch.inference_mode()
def forward_from_disk(config: DitConfig, path: Path, work: Workload) -> ForwardFigures:
    """Opens the weights and runs one forward over the whole window, block by block."""
    device = torch.device("cpu")
    is_fast = has_fast_bfloat16(device)
    model = transformer_on_disk(config, path, None if is_fast else torch.float32)
    inputs = noise_inputs(config, work)
    started_s = time.perf_counter()
    with fast_autocast(device):
        output_BFCHW = model(inputs)
    return ForwardFigures(
        seconds=round(time.perf_counter() - started_s, 3),
        peak_memory_mb=round(peak_memory_mb(), 1),
        weights_bytes=path.stat().st_size,
        flops=sum(forward_flops(config, work).values()),
        computes_in="bfloat16" if is_fast else "float32",
        output_shape=tuple(output_BFCHW.shape),
        output_std=round(output_BFCHW.std().item(), 4),
        is_finite=bool(output_BFCHW.isfinite().all()),
    )
