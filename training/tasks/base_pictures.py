"""The base model further, held to what its answers look like: the flow-matching task with a cost of decoded pictures beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.codec.folded_vae import FoldedVae
from training.objectives.pictures import (
    PictureConfig,
    balanced,
    choose_latents,
    covering,
    drawn,
    picture_loss,
    picture_weights,
)
from training.parallel import World
from training.tasks.base_model import BaseModelTask

MEASURED_SAMPLES = 24


@dataclass(kw_only=True)
class PicturedBaseTask:
    """Satisfies `training.trainer.Task`. Samples at full noise alone are drawn: the model's own answers."""

    base_task: BaseModelTask
    codec: FoldedVae
    pictures: PictureConfig = field(default_factory=PictureConfig)

    @property
    def model(self) -> nn.Module:
        """The base model."""
        return self.base_task.model

    @property
    def carried(self) -> dict[str, Tensor]:
        """What the base's task carries."""
        return self.base_task.carried

    @carried.setter
    def carried(self, carried: dict[str, Tensor]) -> None:
        self.base_task.carried = carried

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """As in the base's task."""
        return self.base_task.adamw_names

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """The base's windows."""
        return self.base_task.batches(first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The base's costs, and beside them what some of its answers look like."""
        made = self.base_task.make(batch, generator)
        answers = made.is_own_B.nonzero()[: self.pictures.most_samples, 0]
        if not len(answers):
            return made.losses
        pictures = self._pictures(batch, made.film_BFCHW, answers, generator)
        pull = balanced(pictures, made.losses["loss"], made.velocity_BFCHW, self.pictures.share)
        return {**made.losses, "loss": made.losses["loss"] + pull, "pictures": pictures.detach()}

    def measure(self) -> dict[str, float]:
        """The base's measures, and the cost of the pictures of held-out windows, each answered from noise alone."""
        batch = self.base_task.held_out_batch()
        made = self.base_task.answer(batch, torch.Generator().manual_seed(1))
        shown = torch.arange(min(MEASURED_SAMPLES, len(made.is_own_B)))
        pictures = self._pictures(batch, made.film_BFCHW, shown, torch.Generator().manual_seed(2))
        return {**self.base_task.measure(), "held_out_pictures": float(pictures)}

    def write_samples(self, folder: Path, step: int) -> None:
        """The base's samples."""
        self.base_task.write_samples(folder, step)

    def export(self, folder: Path) -> None:
        """The base."""
        self.base_task.export(folder)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's base."""
        self.base_task.start_from(folder)

    def _pictures(
        self, batch: dict[str, Tensor], film_BFCHW: Tensor, shown: Tensor, generator: torch.Generator
    ) -> Tensor:
        """What some of the windows look like, against what their truth does: one new latent of each, by lot."""
        is_new_BF = torch.arange(film_BFCHW.shape[1])[None] >= batch["history"][shown, None]
        chosen_B = choose_latents(is_new_BF, generator)
        with torch.no_grad():
            target_BTCHW = drawn(self.codec, batch["latents_FCHW"][shown], chosen_B)
        mouth_BHW, eyes_BHW = batch["mouth_FHW"][shown, chosen_B], batch["eyes_FHW"][shown, chosen_B]
        size_px = target_BTCHW.shape[-1]
        return picture_loss(
            self.pictures,
            drawn(self.codec, film_BFCHW[shown], chosen_B),
            target_BTCHW,
            picture_weights(self.pictures, mouth_BHW, eyes_BHW, size_px),
            covering(mouth_BHW, size_px),
        )
