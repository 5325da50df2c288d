"""The text encoder's task: from a caption to the direction behind it, so that its rows carry what is asked for.

The read-out is thrown away afterwards; the base model attends to the rows in front of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.encoders.text import TextEncoder
from engine.packs import fill_from_file, save_weights
from training.actor.directions import LABEL_NAMES
from training.actor.state import EXPRESSIONS
from training.data.caption_samples import CaptionSamples
from training.loader import numbered_batches
from training.parallel import World

EXPRESSION_COLUMNS = tuple(index for index, name in enumerate(LABEL_NAMES) if name.endswith("expression"))
NUMBER_COLUMNS = tuple(index for index in range(len(LABEL_NAMES)) if index not in EXPRESSION_COLUMNS)
HELD_OUT_SEED = 5_000_000
POSE_SCALE = 4.0  # head poses are about a quarter of a radian; this brings them to the size of the other labels


class DirectionReadout(nn.Module):
    """The encoder, and read-outs of each moment's expression and of the numbers of a direction from its mean row."""

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.width
        self.expressions = nn.Linear(width, len(EXPRESSION_COLUMNS) * len(EXPRESSIONS))
        self.numbers = nn.Linear(width, len(NUMBER_COLUMNS))

    def forward(self, bytes_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Expression logits [B, moments, 8] and numbers [B, K]."""
        mean_BD = self.encoder(bytes_BL).mean(dim=1)
        return self.expressions(mean_BD).unflatten(-1, (-1, len(EXPRESSIONS))), self.numbers(mean_BD)


@dataclass(kw_only=True)
class TextEncoderTask:
    """Satisfies `training.trainer.Task`."""

    readout: DirectionReadout
    samples: CaptionSamples
    weights_file: str
    num_held_out: int = 400

    @property
    def model(self) -> nn.Module:
        """The encoder with its read-outs."""
        return self.readout

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """In- and outputs."""
        return ("embedding", "positions", "expressions", "numbers")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Captions from sample `first_sample` on."""
        return numbered_batches(self.samples, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Cross-entropy of the expressions and squared error of the numbers."""
        del generator
        logits_BME, numbers_BK = self.readout(batch["bytes_L"])
        target_BM, target_BK = split_labels(batch["labels_K"])
        expressions = functional.cross_entropy(logits_BME.float().transpose(1, 2), target_BM)
        numbers = (numbers_BK.float() - target_BK).square().mean()
        return {"loss": expressions + 2.0 * numbers, "expressions": expressions.detach(), "numbers": numbers.detach()}

    def measure(self) -> dict[str, float]:
        """Share of held-out captions whose expressions are read right, and the error of the numbers."""
        make = replace(self.samples, first_seed=HELD_OUT_SEED)
        samples = [make(number) for number in range(self.num_held_out)]
        batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        logits_BME, numbers_BK = self.readout(batch["bytes_L"])
        target_BM, target_BK = split_labels(batch["labels_K"])
        accuracy = (logits_BME.argmax(dim=-1) == target_BM).float().mean()
        return {
            "expression_accuracy": float(accuracy),
            "numbers_rmse": float((numbers_BK - target_BK).square().mean().sqrt()),
        }

    def write_samples(self, folder: Path, step: int) -> None:
        """Nothing to look at beyond the curves."""

    def export(self, folder: Path) -> None:
        """The encoder without its read-outs."""
        save_weights(folder / self.weights_file, self.readout.encoder)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's encoder; the read-outs start anew."""
        fill_from_file(folder / self.weights_file, self.readout.encoder)


def split_labels(labels_BK: Tensor) -> tuple[Tensor, Tensor]:
    """Expression indices [B, moments] and the other numbers [B, K], head poses brought to the size of the rest."""
    numbers_BK = labels_BK[:, NUMBER_COLUMNS]
    is_pose_K = [LABEL_NAMES[index].endswith(("yaw", "pitch", "roll")) for index in NUMBER_COLUMNS]
    scale_K = torch.tensor([POSE_SCALE if is_pose else 1.0 for is_pose in is_pose_K])
    return labels_BK[:, EXPRESSION_COLUMNS].long(), numbers_BK * scale_K
