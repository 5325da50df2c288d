"""One forward of the transformer by part, against the machine's peak and against two peers, all in one process.

The peers know neither references nor sound, so all three are given text and video; what both sounds cost is a line of its own.
"""

import importlib
import importlib.util
import statistics
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.benchmarks.plain_twin import PlainTwin
from engine.benchmarks.timing import PartClock, Timing, interleaved_ms, matrix_product, ratio
from engine.model.attend import report
from engine.model.attention.kernels import Task
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import DitConfig, dit_preset
from engine.references import ReferenceLatents

OURS, WITH_SOUND, TWIN, DIFFUSERS, PEAK = "lpm", "lpm with both sounds", "plain twin", "diffusers", "matrix product"
DTYPES = (torch.bfloat16, torch.float32)
NO_DIFFUSERS = "diffusers is not installed, so its model is not measured; pip install diffusers"


@dataclass(frozen=True, kw_only=True)
class EngineShape:
    """What is measured: a model and how much it is given. `tokens` are those of `frames` latent frames together."""

    config: DitConfig
    tokens: int
    frames: int = 6
    text_rows: int = 64
    num_runs: int = 5

    def __post_init__(self) -> None:
        if min(self.tokens, self.frames, self.text_rows, self.num_runs) < 1:
            raise ValueError("tokens, frames, rows of text and runs must be at least 1")
        if self.tokens % self.frames:
            raise ValueError(f"{self.tokens} tokens do not divide into {self.frames} latent frames")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens of a frame, as square as they come."""
        per_frame = self.tokens // self.frames
        rows = next(rows for rows in range(int(per_frame**0.5), 0, -1) if per_frame % rows == 0)
        return rows, per_frame // rows

    @property
    def title(self) -> str:
        """In words."""
        config = self.config
        return f"dim {config.dim}, {config.num_layers} layers, {config.num_heads} heads, {self.tokens} tokens"


def shaped_config(preset: str, dim: int | None, layers: int | None, heads: int | None, ffn: int | None) -> DitConfig:
    """A preset, or its change to these sizes; heads of 64 and a feed-forward network four times as wide where not given."""
    config = dit_preset(preset)
    if dim is not None:
        config = replace(config, dim=dim, num_heads=max(1, dim // 64), ffn_dim=4 * dim)
    return replace(
        config,
        num_layers=layers or config.num_layers,
        num_heads=heads or config.num_heads,
        ffn_dim=ffn or config.ffn_dim,
    )


def inputs_of(shape: EngineShape, device: torch.device) -> DitInputs:
    """Noise and text, both sounds silent, no references."""
    config, (rows, columns) = shape.config, shape.grid
    size = (config.in_channels, rows * config.patch_size[1], columns * config.patch_size[2])
    latents_BFCHW = torch.randn(1, shape.frames, *size, device=device)
    return DitInputs(
        latents_BFCHW=latents_BFCHW,
        timestep_BF=torch.full((1, shape.frames), 500.0, device=device),
        references=ReferenceLatents.none_for(latents_BFCHW),
        text_BSD=torch.randn(1, shape.text_rows, config.text_dim, device=device),
        speak_BAD=torch.zeros(1, shape.frames * config.speak_window.rows_per_latent, config.speak_dim, device=device),
        listen_BAD=torch.zeros(
            1, shape.frames * config.listen_window.rows_per_latent, config.listen_dim, device=device
        ),
    )


def measure_engine(shape: EngineShape, device: torch.device) -> dict[str, Any]:
    """Everything, as it stands in the JSON."""
    torch.manual_seed(0)
    model = Transformer(shape.config).to(device).eval().requires_grad_(False)
    inputs = inputs_of(shape, device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(inputs)
    gflop = counter.get_total_flops() / 1e9
    measured: dict[str, Any] = {"shape": shape.title, "frames": shape.frames, "text_rows": shape.text_rows}
    measured |= {"gflop_a_forward": float(f"{gflop:.4g}"), "attention": _attention(shape, device)}
    if importlib.util.find_spec("diffusers") is None:
        measured["not_measured"] = NO_DIFFUSERS
    with torch.inference_mode():
        measured["formats"] = {_name(dtype): _measure(model, inputs, shape, dtype, gflop) for dtype in DTYPES}
    return measured


def _measure(
    model: Transformer, inputs: DitInputs, shape: EngineShape, dtype: torch.dtype, gflop: float
) -> dict[str, Any]:
    device = inputs.latents_BFCHW.device
    peak_job, peak_gflop = matrix_product(dtype, device)
    sounding = replace(
        inputs, speak_BAD=torch.randn_like(inputs.speak_BAD), listen_BAD=torch.randn_like(inputs.listen_BAD)
    )
    twin = PlainTwin(model)
    jobs: dict[str, Callable[[], object]] = {
        PEAK: peak_job,
        OURS: _in(dtype, device, lambda: model(inputs)),
        WITH_SOUND: _in(dtype, device, lambda: model(sounding)),
        TWIN: _in(dtype, device, lambda: twin(inputs)),
    }
    if importlib.util.find_spec("diffusers") is not None:
        jobs[DIFFUSERS] = _in(dtype, device, _diffusers_job(inputs, shape.config))
    runs_ms = interleaved_ms(jobs, shape.num_runs, device)
    peak_gflops = peak_gflop / (statistics.median(runs_ms[PEAK]) / 1e3)
    reached_gflops = gflop / (statistics.median(runs_ms[OURS]) / 1e3)
    timings = [Timing.of_runs(name, _name(dtype), shape.title, runs) for name, runs in runs_ms.items()]
    peers = [name for name in (TWIN, DIFFUSERS) if name in runs_ms]
    return {
        "timings": [timing.as_record() for timing in timings],
        "parts_ms": _parts_ms(model, jobs[OURS], shape.num_runs, device),
        "gflops_reached": float(f"{reached_gflops:.4g}"),
        "peak_gflops": float(f"{peak_gflops:.4g}"),
        "share_of_peak": round(reached_gflops / peak_gflops, 3),
        "times_as_fast_as": {name: ratio(runs_ms[name], runs_ms[OURS]) for name in peers},
    }


def _parts_ms(model: Transformer, job: Callable[[], object], num_runs: int, device: torch.device) -> dict[str, float]:
    """Where a forward spends its time; what the modules do not account for are norms, modulation, residuals and positions."""
    blocks: Any = model.blocks
    parts: dict[str, list[nn.Module]] = {
        "embeddings": [model.patch_embedding, model.time_embedding, model.time_projection, model.text_embedding],
        "self-attention": [block.self_attn for block in blocks],
        "cross-attention": [block.cross_attn for block in blocks],
        "feed-forward": [block.ffn for block in blocks],
        "head": [model.head],
    }
    with PartClock(parts, device) as clock:
        whole_ms = sum(interleaved_ms({OURS: job}, num_runs, device)[OURS]) / num_runs
    by_part = {name: ms / (num_runs + 1) for name, ms in clock.ms.items()}
    by_part["norms and modulation"] = max(0.0, whole_ms - sum(by_part.values()))
    return {name: round(ms, 2) for name, ms in by_part.items()}


def _diffusers_job(inputs: DitInputs, config: DitConfig) -> Callable[[], Tensor]:
    """The public library's model of the same sizes, on the same latents."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diffusers: Any = importlib.import_module("diffusers")
        peer = diffusers.WanTransformer3DModel(
            patch_size=config.patch_size,
            num_attention_heads=config.num_heads,
            attention_head_dim=config.head_dim,
            in_channels=config.in_channels,
            out_channels=config.out_channels,
            text_dim=config.text_dim,
            freq_dim=config.frequency_dim,
            ffn_dim=config.ffn_dim,
            num_layers=config.num_layers,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
        )
    peer = peer.to(inputs.latents_BFCHW.device).eval().requires_grad_(False)
    latents_BCFHW = inputs.latents_BFCHW.transpose(1, 2).contiguous()

    def forward() -> Tensor:
        with warnings.catch_warnings():  # it warns of a norm of its own that cannot be fused
            warnings.simplefilter("ignore")
            output: Tensor = peer(latents_BCFHW, inputs.timestep_BF[:, 0], inputs.text_BSD, return_dict=False)[0]
        return output

    return forward


def _in(dtype: torch.dtype, device: torch.device, forward: Callable[[], Tensor]) -> Callable[[], object]:
    def run() -> Tensor:
        context: AbstractContextManager[None] = (
            nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)
        )
        with context:
            return forward()

    return run


def _attention(shape: EngineShape, device: torch.device) -> dict[str, Any]:
    """Which kernel each format takes, and what keeps the others from it."""
    listed: dict[str, Any] = {}
    for dtype in DTYPES:
        task = Task(
            queries=shape.tokens,
            keys=shape.tokens,
            heads=shape.config.num_heads,
            width=shape.config.head_dim,
            dtype=dtype,
            device=device,
            is_masked=False,
            needs_gradients=False,
        )
        kernels = report(task)
        listed[_name(dtype)] = {
            "chosen": next(kernel.name for kernel in kernels if kernel.is_chosen),
            "cannot": {kernel.name: kernel.refusal for kernel in kernels if kernel.refusal},
        }
    return listed


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
