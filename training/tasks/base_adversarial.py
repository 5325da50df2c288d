"""Post-training of the base model's single step: the flow-matching task beside what its answers look like, decoded and to a critic."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.codec.folded_vae import FoldedVae
from engine.packs import fill_from_file, save_weights
from training.objectives.adversarial import (
    AdversarialConfig,
    LatentCritic,
    balanced,
    critic_loss,
    frozen,
    realism_loss,
)
from training.objectives.pictures import PictureConfig, choose_latents, drawn, picture_loss, picture_weights
from training.parallel import World
from training.tasks.base_model import BaseModelTask, Made

CRITIC_FILE = "latent_critic.safetensors"


@dataclass(kw_only=True)
class AdversarialBaseTask:
    """Satisfies `training.trainer.Task`. Samples at full noise alone are judged: the model's own answers."""

    base_task: BaseModelTask
    critic: LatentCritic
    codec: FoldedVae
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    pictures: PictureConfig = field(default_factory=PictureConfig)

    def __post_init__(self) -> None:
        self._both = nn.ModuleDict({"base": self.base_task.model, "critic": self.critic})

    @property
    def model(self) -> nn.Module:
        """The base model and its critic."""
        return self._both

    @property
    def carried(self) -> dict[str, Tensor]:
        """What the base's task carries."""
        return self.base_task.carried

    @carried.setter
    def carried(self, carried: dict[str, Tensor]) -> None:
        self.base_task.carried = carried

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """As in the base's task; and all of the critic."""
        return (*self.base_task.adamw_names, "critic")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """The base's windows."""
        return self.base_task.batches(first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The base's costs with pictures and realism beside them, and the critic's own cost on what was made."""
        made = self.base_task.make(batch, generator)
        judged = made.is_own_B.nonzero()[:, 0]
        if not len(judged):
            return made.losses
        pictures = self._pictures(batch, made, judged[: self.pictures.most_samples], generator)
        true_BFCHW, made_BFCHW = batch["latents_FCHW"][judged], made.film_BFCHW[judged]
        reference_BCHW = batch["references_RCHW"][judged, 0]
        realism = realism_loss(frozen(self.critic), true_BFCHW, made_BFCHW, reference_BCHW)
        pulls = [
            balanced(cost, made.losses["loss"], made.velocity_BFCHW, share)
            for cost, share in ((pictures, self.pictures.share), (realism, self.adversarial.share))
        ]
        judgement = critic_loss(
            self.adversarial, self.critic, true_BFCHW, made_BFCHW.detach(), reference_BCHW, generator
        )
        return {
            **made.losses,
            "loss": made.losses["loss"] + sum(pulls) + judgement,
            "pictures": pictures.detach(),
            "realism": realism.detach(),
            "critic": judgement.detach(),
        }

    def _pictures(self, batch: dict[str, Tensor], made: Made, shown: Tensor, generator: torch.Generator) -> Tensor:
        """What some of the windows look like, against what their truth does."""
        frames = batch["latents_FCHW"].shape[1]
        is_new_BF = torch.arange(frames)[None] >= batch["history"][shown, None]
        chosen_B = choose_latents(is_new_BF, generator)
        samples_B = torch.arange(len(shown))
        with torch.no_grad():
            target_BTCHW = drawn(self.codec, batch["latents_FCHW"][shown], chosen_B)
        weight_B11HW = picture_weights(
            self.pictures,
            batch["mouth_FHW"][shown][samples_B, chosen_B],
            batch["eyes_FHW"][shown][samples_B, chosen_B],
            target_BTCHW.shape[-1],
        )
        return picture_loss(
            self.pictures, drawn(self.codec, made.film_BFCHW[shown], chosen_B), target_BTCHW, weight_B11HW
        )

    def measure(self) -> dict[str, float]:
        """The base's measures."""
        return self.base_task.measure()

    def write_samples(self, folder: Path, step: int) -> None:
        """The base's samples."""
        self.base_task.write_samples(folder, step)

    def export(self, folder: Path) -> None:
        """The base, and the critic beside it for a run that starts from here."""
        self.base_task.export(folder)
        save_weights(folder / CRITIC_FILE, self.critic)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's base, and the critic where it is still there."""
        self.base_task.start_from(folder)
        if (folder / CRITIC_FILE).is_file():
            fill_from_file(folder / CRITIC_FILE, self.critic)
