"""The audio encoders' task: from sound alone to what the face does, so that their features carry it.

The speaking encoder learns mouth channels and visemes, the listening encoder the reactions. The read-outs are thrown away
afterwards; the base model attends to the features in front of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.encoders.audio import AudioEncoder
from engine.packs import fill_from_file, save_weights
from training.actor.state import channel
from training.data.performances import SoundSamples
from training.loader import numbered_batches
from training.parallel import World

HELD_OUT_SEED = 5_000_000


class AudioReadout(nn.Module):
    """The encoder and two linear read-outs: channels of the state, and the viseme."""

    def __init__(self, encoder: AudioEncoder, num_channels: int, num_visemes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.channels = nn.Linear(encoder.config.width, num_channels)
        self.visemes = nn.Linear(encoder.config.width, num_visemes)

    def forward(self, sound_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Channels [B, T, K] and viseme logits [B, T, V]."""
        rows_BTD = self.encoder(sound_BS)
        return self.channels(rows_BTD), self.visemes(rows_BTD)


@dataclass(kw_only=True)
class AudioEncoderTask:
    """Satisfies `training.trainer.Task`."""

    readout: AudioReadout
    samples: SoundSamples
    channel_names: tuple[str, ...]
    channel_scales: tuple[float, ...]
    weights_file: str
    settle_frames: int
    viseme_weight: float = 0.0
    num_held_out: int = 64

    @property
    def model(self) -> nn.Module:
        """The encoder with its read-outs."""
        return self.readout

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """In- and outputs."""
        return ("stem", "channels", "visemes")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Sound samples from `first_sample` on."""
        return numbered_batches(self.samples, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Squared error of the channels in units of their spread, and cross-entropy of the viseme."""
        del generator
        predicted_BTK, logits_BTV = self.readout(batch["sound_S"])
        target_BTK = self._target(batch["state_TK"])
        settled = slice(self.settle_frames, None)
        channels = (predicted_BTK.float() - target_BTK)[:, settled].square().mean()
        visemes = functional.cross_entropy(
            logits_BTV.float()[:, settled].transpose(1, 2), batch["viseme_T"][:, settled]
        )
        return {"loss": channels + self.viseme_weight * visemes, "channels": channels.detach()}

    def measure(self) -> dict[str, float]:
        """Correlation of each channel with its truth over held-out clips."""
        make = replace(self.samples, first_seed=HELD_OUT_SEED)
        clips = [make(number) for number in range(self.num_held_out)]
        predicted_BTK, _ = self.readout(torch.stack([clip["sound_S"] for clip in clips]))
        target_BTK = self._target(torch.stack([clip["state_TK"] for clip in clips]))
        pairs = torch.stack([predicted_BTK.float(), target_BTK])[:, :, self.settle_frames :].flatten(1, 2)
        centred = pairs - pairs.mean(dim=1, keepdim=True)
        products_K = (centred[0] * centred[1]).sum(dim=0)
        r_K = products_K / (centred.square().sum(dim=1).prod(dim=0).sqrt() + 1e-9)
        return {f"r_{name}": float(r) for name, r in zip(self.channel_names, r_K, strict=True)}

    def write_samples(self, folder: Path, step: int) -> None:
        """Nothing to look at beyond the curves."""

    def export(self, folder: Path) -> None:
        """The encoder without its read-outs."""
        save_weights(folder / self.weights_file, self.readout.encoder)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's encoder; the read-outs start anew."""
        fill_from_file(folder / self.weights_file, self.readout.encoder)

    def _target(self, state_BTK: Tensor) -> Tensor:
        columns = [channel(name) for name in self.channel_names]
        return state_BTK[:, :, columns] / torch.tensor(self.channel_scales)
