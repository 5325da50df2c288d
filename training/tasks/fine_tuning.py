"""The task of fine-tuning: flow matching on windows of a person's clips, whole or through adapters."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.flow.guidance import GuidanceScales
from engine.flow.noising import SigmaSampling, add_noise, sample_sigma
from engine.model.transformer import Transformer
from engine.packs import fill_from_file, save_weights
from training.data.windows import ClipFeatures
from training.distillation.films import cut_film, film_of
from training.distillation.teacher import WindowedScore
from training.fine_tuning.lora import LoraConfig, merged_transformer, own_state, save_adapter
from training.parallel import World
from training.tasks.distillation import ADAMW_NAMES
from training.tasks.preference import stacked

HELD_OUT_SIGMAS = (0.5, 0.8, 0.98)
ADAPTER_FILE = "adapter.safetensors"


@dataclass(kw_only=True)
class FineTuningTask:
    """Satisfies `training.trainer.Task`. Every `held_out_each`-th clip is held out where there are at least two.

    lora: how the transformer's adapters are scaled, None where all of it is trained. caption_dropout: share of windows without text.
    """

    score: WindowedScore
    clips: list[ClipFeatures]
    weights_file: str
    base_sha256: str
    lora: LoraConfig | None = None
    sigma: SigmaSampling = field(default_factory=lambda: SigmaSampling(kind="uniform", shift=5.0))
    caption_dropout: float = 0.05
    held_out_each: int = 8

    @property
    def model(self) -> nn.Module:
        """The transformer, with its adapters where it has some."""
        return self.score.transformer

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """Adapters are AdamW's besides: their factors are no matrices that Muon is made for."""
        return (*ADAMW_NAMES, "lora_")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Windows from clips drawn in proportion to their length."""
        clips = self.trained_on
        lengths_N = np.array([clip.clips["latents_FCHW"].shape[1] for clip in clips])
        number, step_samples = first_sample, batch_samples * world.size
        while True:
            samples = []
            for each in range(number + world.rank, number + step_samples, world.size):
                rng = np.random.default_rng([each, 71])
                clip = clips[int(rng.choice(len(clips), p=lengths_N / lengths_N.sum()))]
                sample = cut_film(clip, each, self.score.window_latents)
                keeps = float(rng.random() >= self.caption_dropout)
                samples.append({**sample, "text_FSD": keeps * sample["text_FSD"]})
            yield stacked(samples)
            number += step_samples

    @property
    def trained_on(self) -> list[ClipFeatures]:
        """All clips but the held-out ones."""
        if len(self.clips) < 2:
            return self.clips
        return [clip for number, clip in enumerate(self.clips) if number % self.held_out_each]

    @property
    def held_out(self) -> list[ClipFeatures]:
        """At least one clip; the only one where there is but one."""
        return self.clips[:: self.held_out_each]

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Squared error of the velocity at one noise level a window."""
        sigma_B = sample_sigma(self.sigma, (len(batch["latents_FCHW"]),), generator)
        return {"loss": self._error(batch, sigma_B, generator)}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """The same at fixed noise on held-out windows."""
        batch = stacked(
            [cut_film(clip, number, self.score.window_latents) for clip in self.held_out for number in range(4)]
        )
        errors = [
            self._error(batch, torch.full((len(batch["latents_FCHW"]),), sigma), torch.Generator().manual_seed(1))
            for sigma in HELD_OUT_SIGMAS
        ]
        return {"held_out_flow": float(torch.stack(errors).mean())}

    def write_samples(self, folder: Path, step: int) -> None:
        """None: `lpm perform` with the exported weights shows what a person wants to see."""

    def export(self, folder: Path) -> None:
        """Weights that a pack takes, adapters merged into them; and the adapter alone."""
        if self.lora is None:
            save_weights(folder / self.weights_file, self.model)
            return
        save_weights(folder / self.weights_file, merged_transformer(self.score.transformer, self.lora))
        save_adapter(folder / ADAPTER_FILE, self.model, self.lora, self.base_sha256)

    def start_from(self, folder: Path) -> None:
        """Another run's weights; adapters begin anew on top of them."""
        transformer = self.score.transformer
        plain = Transformer(transformer.config)
        fill_from_file(folder / self.weights_file, plain)
        given = plain.state_dict()
        with torch.no_grad():
            for name, tensor in own_state(transformer).items():
                tensor.copy_(given[name])

    def _error(self, batch: dict[str, Tensor], sigma_B: Tensor, generator: torch.Generator) -> Tensor:
        film = film_of(batch)
        clean_BFCHW = film.latents_BFCHW
        noise_BFCHW = torch.randn(clean_BFCHW.shape, generator=generator, device=generator.device)
        noisy_BFCHW = add_noise(clean_BFCHW, noise_BFCHW, sigma_B[:, None].expand(clean_BFCHW.shape[:2]))
        pointed_to_BFCHW = self.score.clean(film, noisy_BFCHW, sigma_B, clean_BFCHW, GuidanceScales())
        # An error of the velocity is one of the clean latents over the noise level.
        error_B = ((pointed_to_BFCHW - clean_BFCHW).float().square().flatten(1).mean(dim=1)) / sigma_B.square()
        return error_B.mean()
