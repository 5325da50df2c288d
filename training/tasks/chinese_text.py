"""The task of the encoder that reads Chinese: to give the rows that the English encoder gives for the same direction.

Rows differ most by feelings, and where to look or to turn the head is told by what spreads far less. So errors are counted in spreads,
each direction of the rows by its own (whitening): without it feelings were understood in every film and half of the actions were not.

So whatever learned from English directions (the plan of motion, the model that draws) is told in Chinese what it knows, and nothing else
has to be trained. The English encoder is its teacher and its beginning, and stays as it is. (Distillation of one language into
another: Reimers and Gurevych 2020.)
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.characters import EXPRESSIONS
from engine.encoders.text import TextEncoder
from engine.packs import fill_from_file, save_weights
from training.data.bilingual_samples import BilingualSamples
from training.loader import first_samples, numbered_batches
from training.parallel import World
from training.tasks.text_encoder import HELD_OUT_SEED

MEANING_WEIGHT = 2.0  # of the mean row, by which a feeling is called for
NUM_MEASURED = 1024  # captions by which it is found how rows spread
EVENED = 0.003  # of the widest spread: what spreads less counts no more than this


@dataclass(kw_only=True)
class ChineseTextTask:
    """Satisfies `training.trainer.Task`. `english` is the teacher, filled; the pupil begins as its copy."""

    english: TextEncoder
    samples: BilingualSamples
    weights_file: str
    num_held_out: int = 400

    def __post_init__(self) -> None:
        self.chinese = copy.deepcopy(self.english).train().requires_grad_(True)
        self.english.eval().requires_grad_(False)
        captions = first_samples(self.samples, NUM_MEASURED)["english_L"]
        with torch.no_grad():
            rows_BSD = self.english(captions).float()
        self._even_rows_DD, self._even_means_DD = (
            _whitening(each_ND) for each_ND in (rows_BSD.flatten(0, 1), rows_BSD.mean(dim=1))
        )

    @property
    def model(self) -> nn.Module:
        """The pupil."""
        return self.chinese

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """Inputs."""
        return ("embedding", "positions")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Captions in both languages from sample `first_sample` on."""
        return numbered_batches(self.samples, first_sample, batch_samples, world, num_workers)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Squared errors of rows and of their mean in even spreads, each as a share of what there is to tell."""
        del generator
        rows_BSD = self.chinese(batch["chinese_L"]).float()
        with torch.no_grad():
            target_BSD = self.english(batch["english_L"]).float()
        rows = _unexplained(rows_BSD @ self._even_rows_DD, target_BSD @ self._even_rows_DD)
        means_BD, target_BD = (each_BSD.mean(dim=1) @ self._even_means_DD for each_BSD in (rows_BSD, target_BSD))
        meaning = _unexplained(means_BD, target_BD)
        return {"loss": rows + MEANING_WEIGHT * meaning, "rows": rows.detach(), "meaning": meaning.detach()}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """On captions that training never draws: what is left unexplained, and how often the nearest feeling is that of the English."""
        batch = first_samples(replace(self.samples, first_seed=HELD_OUT_SEED), self.num_held_out)
        rows_BSD, target_BSD = self.chinese(batch["chinese_L"]).float(), self.english(batch["english_L"]).float()
        names_ED = self.english.encode(EXPRESSIONS).float().mean(dim=1)
        called_B, right_B = (
            functional.cosine_similarity(rows.mean(dim=1)[:, None], names_ED, dim=-1).argmax(dim=1)
            for rows in (rows_BSD, target_BSD)
        )
        return {
            "held_out_rows": float(_unexplained(rows_BSD, target_BSD)),
            "held_out_even_meaning": float(
                _unexplained(rows_BSD.mean(dim=1) @ self._even_means_DD, target_BSD.mean(dim=1) @ self._even_means_DD)
            ),
            "held_out_meaning": float(_unexplained(rows_BSD.mean(dim=1), target_BSD.mean(dim=1))),
            "feeling_called": float((called_B == right_B).float().mean()),
        }

    def write_samples(self, folder: Path, step: int) -> None:
        """Nothing to look at beyond the curves."""

    def export(self, folder: Path) -> None:
        """The pupil's weights."""
        save_weights(folder / self.weights_file, self.chinese)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's pupil."""
        fill_from_file(folder / self.weights_file, self.chinese)


def _unexplained(made_BD: Tensor, target_BD: Tensor) -> Tensor:
    """The squared error through the targets' spread over a batch."""
    return (made_BD - target_BD).square().mean() / (target_BD - target_BD.mean(dim=0)).square().mean().clamp_min(1e-6)


def _whitening(rows_ND: Tensor) -> Tensor:
    """What brings rows to an even spread in all directions, [D, D]; those that hardly spread stay small."""
    spreads_D, axes_DD = torch.linalg.eigh(rows_ND.T.cov())
    evened_DD: Tensor = (axes_DD * (spreads_D.clamp_min(0.0) + EVENED * spreads_D.max()).rsqrt()) @ axes_DD.T
    return evened_DD
