"""The task of direct preference optimisation (paper 3.2): pairs of candidates in, a model that makes more like the winners out.

What a candidate is, a plan of motion or a film, only the error knows: `training.dpo.plan_scenes` and `training.dpo.film_scenes`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engine.flow.noising import SigmaSampling, sample_sigma
from engine.model.transformer import Transformer
from engine.packs import fill_from_file, save_weights
from training.dpo.pairs import PreferencePair, read_scene
from training.objectives.dpo import DpoConfig, PairErrors, dpo_loss, preference_margin
from training.parallel import World
from training.tasks.distillation import ADAMW_NAMES

HELD_OUT_SIGMAS = (0.5, 0.8, 0.98)
# e(theta, x) [B] of a model, a batch, its candidates, noise like these, and a noise level each [B].
CandidateError = Callable[[Transformer, dict[str, Tensor], Tensor, Tensor, Tensor], Tensor]


class HeldOut(Protocol):
    """What is made of scenes that training never sees."""

    def measure(self) -> dict[str, float]:
        """Figures of what the policy makes now."""

    def complaint(self) -> str | None:
        """Why the latest figures are those of a collapse, or None."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Preference pairs and the folder of their scenes, whose `candidates` are PLANS or FILMS."""

    folder: Path
    pairs: tuple[PreferencePair, ...]
    candidates: str

    def sample(self, number: int) -> dict[str, Tensor]:
        """What a pair's scene was told, with both candidates."""
        pair = self.pairs[number % len(self.pairs)]
        tensors = read_scene(self.folder, pair, self.candidates)
        scene = {name: x.float() if x.is_floating_point() else x for name, x in tensors.items()}
        candidates = scene.pop(self.candidates)
        return {**scene, "winner": candidates[pair.winner], "loser": candidates[pair.loser]}

    def parted(self, held_out_each: int) -> tuple["Pairs", "Pairs"]:
        """Those to learn from and those held out: all pairs of every so-manieth scene, so that no scene is in both."""
        scenes = list(dict.fromkeys(pair.scene for pair in self.pairs))
        held_out = frozenset(scenes[::held_out_each])
        learned, kept = (
            tuple(pair for pair in self.pairs if (pair.scene in held_out) == is_held_out)
            for is_held_out in (False, True)
        )
        return (
            Pairs(folder=self.folder, pairs=learned, candidates=self.candidates),
            Pairs(folder=self.folder, pairs=kept, candidates=self.candidates),
        )


@dataclass(kw_only=True)
class PreferenceTask:
    """Satisfies `training.trainer.Task`. The reference is the model as it was and stays frozen.

    held_out: what else is measured, where something can be made of held-out scenes.
    """

    policy: Transformer
    reference: Transformer
    error: CandidateError
    config: DpoConfig
    sigma: SigmaSampling
    trained_on: Pairs
    held_out_pairs: Pairs
    weights_file: str
    held_out: HeldOut | None = None

    @property
    def model(self) -> nn.Module:
        """The policy."""
        return self.policy

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """In- and outputs, time and the tables of modulation."""
        return ADAMW_NAMES

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Pairs in an order drawn anew for each pass over them."""
        number, step_samples = first_sample, batch_samples * world.size
        while True:
            numbers = range(number + world.rank, number + step_samples, world.size)
            yield stacked([self.trained_on.sample(self._shuffled(each)) for each in numbers])
            number += step_samples

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """DPO at one noise level a pair."""
        sigma_B = sample_sigma(self.sigma, (len(batch["winner"]),), generator)
        model, reference = self._errors(batch, sigma_B, generator)
        return dpo_loss(self.config, model, reference)

    def measure(self) -> dict[str, float]:
        """Held-out pairs: the share preferred and the winners' error; and what is made of held-out scenes."""
        batch = stacked([self.held_out_pairs.sample(number) for number in range(len(self.held_out_pairs.pairs))])
        preferred, flow = [], []
        with torch.no_grad():
            for sigma in HELD_OUT_SIGMAS:
                sigma_B = torch.full((len(batch["winner"]),), sigma)
                model, reference = self._errors(batch, sigma_B, torch.Generator().manual_seed(1))
                preferred.append(float((preference_margin(model, reference) < 0).float().mean()))
                flow.append(float(model.winner_B.mean()))
        measures = {"held_out_preferred": float(np.mean(preferred)), "held_out_flow": float(np.mean(flow))}
        return measures if self.held_out is None else {**measures, **self.held_out.measure()}

    def write_samples(self, folder: Path, step: int) -> None:
        """None: `lpm perform` with the exported weights shows what a person wants to see."""

    def export(self, folder: Path) -> None:
        """The policy."""
        save_weights(folder / self.weights_file, self.policy)

    def start_from(self, folder: Path) -> None:
        """Another run's weights for the policy; the reference stays that of the parts."""
        fill_from_file(folder / self.weights_file, self.policy)

    def reason_to_stop(self) -> str | None:
        """Where what is made collapses."""
        return None if self.held_out is None else self.held_out.complaint()

    def _errors(
        self, batch: dict[str, Tensor], sigma_B: Tensor, generator: torch.Generator
    ) -> tuple[PairErrors, PairErrors]:
        """Policy and reference, winner and loser, all with the same noise at the same level."""
        winner, loser = batch["winner"], batch["loser"]
        noise = torch.randn(winner.shape, generator=generator, device=generator.device)
        model = PairErrors(
            winner_B=self.error(self.policy, batch, winner, noise, sigma_B),
            loser_B=self.error(self.policy, batch, loser, noise, sigma_B),
        )
        with torch.no_grad():
            reference = PairErrors(
                winner_B=self.error(self.reference, batch, winner, noise, sigma_B),
                loser_B=self.error(self.reference, batch, loser, noise, sigma_B),
            )
        return model, reference

    def _shuffled(self, sample: int) -> int:
        epoch, place = divmod(sample, len(self.trained_on.pairs))
        return int(np.random.default_rng([epoch, 51]).permutation(len(self.trained_on.pairs))[place])


def stacked(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Samples as a batch."""
    return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
