"""The reader of latents' task: from true latents of clips to the actor's state; see `training.objectives.perceived_state`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
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
    """Satisfies `training.trainer.Task`. Clips' latents, the states of their frames, and their global references."""

    reader: LatentReader
    latents_NFCHW: Tensor
    states_NTK: Tensor
    reference_NCHW: Tensor
    num_held_out: int = 48

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
            num_clips, num_latents = self.latents_NFCHW.shape[:2]
            clips = rng.integers(self.num_held_out, num_clips, batch_samples)
            yield self._latents(
                torch.from_numpy(clips), torch.from_numpy(rng.integers(num_latents, size=batch_samples))
            )
            number += batch_samples * world.size

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Smooth absolute error of the state."""
        read_BTK = self.reader(noised(batch["latents_BFCHW"], MOST_NOISE, generator), batch["reference_BCHW"])
        num_samples = len(read_BTK)
        loss = perceived_state_loss(
            read_BTK, batch["state_BTK"], torch.ones(num_samples, 1, dtype=torch.bool), torch.ones(num_samples)
        )
        return {"loss": loss}

    def measure(self) -> dict[str, float]:
        """Correlation of what is read with the truth, over held-out clips."""
        num_latents = self.latents_NFCHW.shape[1]
        clips = torch.arange(self.num_held_out).repeat_interleave(num_latents)
        batch = self._latents(clips, torch.arange(num_latents).repeat(self.num_held_out))
        read_BTK = self.reader(batch["latents_BFCHW"], batch["reference_BCHW"]) * perceived_scales()
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

    def _latents(self, clips_B: Tensor, frames_B: Tensor) -> dict[str, Tensor]:
        states_NFTK = rearrange(self.states_NTK, "n (f fold) k -> n f fold k", f=self.latents_NFCHW.shape[1])
        return {
            "latents_BFCHW": self.latents_NFCHW[clips_B, frames_B].float()[:, None],
            "reference_BCHW": self.reference_NCHW[clips_B].float(),
            "state_BTK": states_NFTK[clips_B, frames_B].float(),
        }
