"""A run of the smallest transformer that processes of a test can be started on, with everything it computes in float32."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.flow.noising import add_noise, velocity_target
from engine.model.transformer import DitInputs, Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.packs import fill_from_file
from engine.references import ReferenceLatents
from training.distributed.layout import ScaleConfig
from training.loader import numbered_batches
from training.optimizers import OptimizerConfig
from training.parallel import World, join_world, leave_world
from training.trainer import Batch, Trainer, TrainerConfig

FRAMES, ROWS = 3, 4
SMALL = DitConfig(
    dim=32,
    ffn_dim=48,
    num_layers=2,
    num_heads=4,
    patch_size=(1, 1, 1),
    in_channels=3,
    out_channels=3,
    text_dim=6,
    speak_dim=4,
    listen_dim=4,
    speak_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
    listen_window=AudioWindow(rows_per_latent=1, rows_before=0, rows_after=0),
)


def make_sample(number: int) -> Batch:
    """Latents, a global reference and one view that every second sample lacks, and all conditions."""
    generator = torch.Generator().manual_seed(number)
    return {
        "latents_FCHW": torch.randn(FRAMES, 3, ROWS, ROWS, generator=generator),
        "references_RCHW": torch.randn(2, 3, ROWS, ROWS, generator=generator),
        "present_R": torch.tensor([True, number % 2 == 0]),
        "text_SD": torch.randn(5, 6, generator=generator),
        "speak_AD": torch.randn(FRAMES, 4, generator=generator),
        "listen_AD": torch.randn(FRAMES, 4, generator=generator),
    }


class SmallTask:
    """Flow matching with noise that belongs to the sample, so that it does not matter who computes it."""

    adamw_names = ("embedding", "head", "modulation")

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = Transformer(SMALL)
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))

    def batches(self, first_sample: int, batch_samples: int, world: World, num_workers: int) -> Iterator[Batch]:
        return numbered_batches(make_sample, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        clean_BFCHW = batch["latents_FCHW"]
        noise_BFCHW = clean_BFCHW.flip(-1)
        sigma_BF = torch.full(clean_BFCHW.shape[:2], 0.6)
        kinds_BR = torch.tensor([[0, 1]]).expand(len(clean_BFCHW), -1)
        inputs = DitInputs(
            latents_BFCHW=add_noise(clean_BFCHW, noise_BFCHW, sigma_BF),
            timestep_BF=1000 * sigma_BF,
            references=ReferenceLatents(
                latents_BRCHW=batch["references_RCHW"],
                kinds_BR=kinds_BR,
                subtypes_BR=torch.zeros_like(kinds_BR),
                present_BR=batch["present_R"],
            ),
            text_BSD=batch["text_SD"],
            speak_BAD=batch["speak_AD"],
            listen_BAD=batch["listen_AD"],
        )
        error = self.model(inputs) - velocity_target(clean_BFCHW, noise_BFCHW)
        return {"loss": error.square().mean()}

    def measure(self) -> dict[str, float]:
        batch = {name: tensor[None] for name, tensor in make_sample(999).items()}
        return {"held_out": float(self.loss(batch, torch.Generator())["loss"])}

    def write_samples(self, folder: Path, step: int) -> None:
        (folder / f"sample-{step}.txt").write_text("seen")

    def export(self, folder: Path) -> None:
        tensors = {name: tensor.contiguous() for name, tensor in self.model.state_dict().items()}
        save_file(tensors, folder / "model.safetensors")

    def start_from(self, folder: Path) -> None:
        fill_from_file(folder / "model.safetensors", self.model)


def config(num_samples: int, num_steps: int = 3, **scale: Any) -> TrainerConfig:
    """Float32 throughout; `num_samples` a slot."""
    return TrainerConfig(
        num_steps=num_steps,
        batch_samples=num_samples,
        optimizer=OptimizerConfig(muon_learning_rate=0.01, adamw_learning_rate=1e-3),
        scale=ScaleConfig(precision="float32", **scale),
        warmup_steps=1,
        decay_steps=1,
        save_each_steps=100,
        sample_each_steps=100,
        report_each_steps=1,
        num_workers=0,
    )


def run(folder: Path, settings: TrainerConfig) -> None:
    """One process of a run; what it reported is in `metrics.jsonl`."""
    world = join_world()
    Trainer(SmallTask(), settings, folder, world).run(lambda record: None)
    leave_world(world)
