"""The task of fine-tuning: flow matching on windows of a person's clips, whole or through adapters."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.flow.guidance import GuidanceScales
from engine.flow.noising import SigmaSampling, add_noise, sample_sigma
from engine.model.transformer import Transformer
from engine.packs import fill_from_file, save_weights
from training.buckets import BucketConfig, TokenBuckets
from training.data.windows import ClipFeatures
from training.distillation.films import cut_film, film_of
from training.distillation.teacher import WindowedScore
from training.fine_tuning.lora import LoraConfig, merged_transformer, own_state, save_adapter
from training.parallel import World
from training.tasks.distillation import ADAMW_NAMES
from training.tasks.preference import stacked

HELD_OUT_SIGMAS = (0.5, 0.8, 0.98)
ADAPTER_FILE = "adapter.safetensors"
LINEAR = 2**40


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of a clip, by the clip's number; where it begins is drawn anew each time."""

    clip: int
    num_latents: int


@dataclass(kw_only=True)
class FineTuningTask:
    """Satisfies `training.trainer.Task`. Every `held_out_each`-th clip is held out where there are at least two.

    lora: how the transformer's adapters are scaled, None where all of it is trained. caption_dropout: share of stretches without text.
    longest_windows: windows side by side in a stretch at most.
    """

    score: WindowedScore
    clips: list[ClipFeatures]
    weights_file: str
    base_sha256: str
    lora: LoraConfig | None = None
    sigma: SigmaSampling = field(default_factory=lambda: SigmaSampling(kind="uniform", shift=5.0))
    caption_dropout: float = 0.05
    held_out_each: int = 8
    longest_windows: int = 8

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
        """Stretches of clips in token buckets, `batch_samples` windows' worth of tokens each; every clip by its length."""
        stretches, first_step = self.stretches, first_sample // (batch_samples * world.size)
        tokens_N = np.array([stretch.num_latents for stretch in stretches]) * self._tokens_a_latent
        budget = max(batch_samples * self.score.window_latents * self._tokens_a_latent, int(tokens_N.max()))
        buckets = TokenBuckets(
            tokens_N=tokens_N,
            # Windows of a stretch do not see each other, so work grows with its tokens and no faster.
            config=BucketConfig(tokens_a_batch=budget, linear_tokens=LINEAR),
            num_slots=world.size,
        )
        for step, batches in enumerate(buckets.steps(first_step), start=first_step):
            mine = batches[world.rank]
            yield stacked(
                [self._sample(stretches[index], (step, world.rank, place)) for place, index in enumerate(mine)]
            )

    @property
    def stretches(self) -> list[Stretch]:
        """What an epoch takes of each clip: its length in stretches of `longest_windows` windows, and what is left in whole windows."""
        window = self.score.window_latents
        found = []
        for number, clip in enumerate(self.trained_on):
            num_windows = (clip.clips["latents_FCHW"].shape[1] - 1) // window  # behind one latent of history
            whole, rest = divmod(num_windows, self.longest_windows)
            lengths = [self.longest_windows] * whole + ([rest] if rest else [])
            found += [Stretch(clip=number, num_latents=length * window) for length in lengths]
        return found

    @property
    def _tokens_a_latent(self) -> int:
        rows, columns = self.clips[0].clips["latents_FCHW"].shape[-2:]
        _, patch_rows, patch_columns = self.score.transformer.config.patch_size
        return (rows // patch_rows) * (columns // patch_columns)

    def _sample(self, stretch: Stretch, seed: tuple[int, int, int]) -> dict[str, Tensor]:
        rng = np.random.default_rng([*seed, 71])
        sample = cut_film(self.trained_on[stretch.clip], int(rng.integers(2**31)), stretch.num_latents)
        keeps = float(rng.random() >= self.caption_dropout)
        return {**sample, "text_FSD": keeps * sample["text_FSD"]}

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
        film = replace(film_of(batch), motion_BFM=None)  # nobody knows how people moved
        clean_BFCHW = film.latents_BFCHW
        noise_BFCHW = torch.randn(clean_BFCHW.shape, generator=generator, device=generator.device)
        noisy_BFCHW = add_noise(clean_BFCHW, noise_BFCHW, sigma_B[:, None].expand(clean_BFCHW.shape[:2]))
        pointed_to_BFCHW = self.score.clean(film, noisy_BFCHW, sigma_B, clean_BFCHW, GuidanceScales())
        # An error of the velocity is one of the clean latents over the noise level.
        error_B = ((pointed_to_BFCHW - clean_BFCHW).float().square().flatten(1).mean(dim=1)) / sigma_B.square()
        return error_B.mean()
