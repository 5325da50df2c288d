"""The reader of latents' task: from true latents of clips to the actor's state; see `training.objectives.perceived_state`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.packs import fill_from_file, save_weights
from training.actor.state import EXPRESSION_CHANNELS, channel
from training.objectives.perceived_state import LatentReader, noised, perceived_scales, perceived_state_loss
from training.parallel import World

READER_FOLDER = "reader"
READER_FILE = "latent_reader.safetensors"
MOST_NOISE = 0.25
MEASURED = ("mouth_open", "mouth_width", "pitch", "yaw", "blink", "gaze_x", "brow_left", *EXPRESSION_CHANNELS[1:3])


@dataclass(kw_only=True)
class LatentReaderTask:
    """Satisfies `training.trainer.Task`. Latents [N, C, H, W] with the states of their frames [N, 4, K]."""

    reader: LatentReader
    latents_NCHW: Tensor
    states_NTK: Tensor
    num_held_out: int = 1024

    @property
    def model(self) -> nn.Module:
        """The reader."""
        return self.reader

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """In- and outputs."""
        return ("see.0", "read.2")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Single latents of clips, from sample `first_sample` on."""
        del num_workers
        number = first_sample
        while True:
            rng = np.random.default_rng([number, world.rank, 3])
            rows = torch.from_numpy(rng.integers(self.num_held_out, len(self.latents_NCHW), batch_samples))
            yield self._rows(rows)
            number += batch_samples * world.size

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Smooth absolute error of the state."""
        read_BTK = self.reader(noised(batch["latents_BFCHW"], MOST_NOISE, generator))
        num_samples = len(read_BTK)
        loss = perceived_state_loss(
            read_BTK, batch["state_BTK"], torch.ones(num_samples, 1, dtype=torch.bool), torch.ones(num_samples)
        )
        return {"loss": loss}

    def measure(self) -> dict[str, float]:
        """Correlation of what is read with the truth, over held-out clips."""
        batch = self._rows(torch.arange(self.num_held_out))
        read_BTK = self.reader(batch["latents_BFCHW"]) * perceived_scales()
        measures = {}
        for name in MEASURED:
            column = channel(name)
            pair = torch.stack([read_BTK[..., column].flatten(), batch["state_BTK"][..., column].flatten()])
            measures[f"r_{name}"] = float(torch.corrcoef(pair)[0, 1])
        return measures

    def write_samples(self, folder: Path, step: int) -> None:
        """Nothing to look at beyond the curves."""

    def export(self, folder: Path) -> None:
        """The reader."""
        save_weights(folder / READER_FILE, self.reader)

    def start_from(self, folder: Path) -> None:
        """Another run's reader."""
        fill_from_file(folder / READER_FILE, self.reader)

    def _rows(self, rows_B: Tensor) -> dict[str, Tensor]:
        return {
            "latents_BFCHW": self.latents_NCHW[rows_B].float()[:, None],
            "state_BTK": self.states_NTK[rows_B].float(),
        }
