"""The task of direct preference optimisation (paper 3.2): pairs of films in, a base model that makes more like the winners out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.flow.guidance import GuidanceScales
from engine.flow.noising import SigmaSampling, add_noise, sample_sigma
from engine.model.transformer import Transformer
from engine.packs import fill_from_file, save_weights
from training.distillation.films import Film, film_of
from training.distillation.teacher import WindowedScore
from training.dpo.pairs import CANDIDATES, PreferencePair, read_scene
from training.objectives.dpo import DpoConfig, PairErrors, dpo_loss, preference_margin, sample_errors
from training.parallel import World
from training.tasks.distillation import ADAMW_NAMES, HeldOutFilms, Perform

HELD_OUT_SIGMAS = (0.5, 0.8, 0.98)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Preference pairs and the folder of their scenes."""

    folder: Path
    pairs: tuple[PreferencePair, ...]

    def sample(self, number: int) -> dict[str, Tensor]:
        """The film of a pair's scene with both candidates."""
        pair = self.pairs[number % len(self.pairs)]
        scene = read_scene(self.folder, pair)
        candidates_NFCHW = scene.pop(CANDIDATES).float()
        return {**scene, "winner_FCHW": candidates_NFCHW[pair.winner], "loser_FCHW": candidates_NFCHW[pair.loser]}


@dataclass(kw_only=True)
class PreferenceTask:
    """Satisfies `training.trainer.Task`. The reference is the model as it was and stays frozen."""

    policy: WindowedScore
    reference: WindowedScore
    config: DpoConfig
    sigma: SigmaSampling
    trained_on: Pairs
    held_out_pairs: Pairs
    held_out: HeldOutFilms
    perform: Perform
    weights_file: str

    @property
    def model(self) -> nn.Module:
        """The policy's transformer."""
        return self.policy.transformer

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
        sigma_B = sample_sigma(self.sigma, (len(batch["winner_FCHW"]),), generator)
        model, reference = self._errors(batch, sigma_B, generator)
        return dpo_loss(self.config, model, reference)

    def measure(self) -> dict[str, float]:
        """Held-out pairs: the share preferred and the flow's error; held-out films as in distillation."""
        batch = stacked([self.held_out_pairs.sample(number) for number in range(len(self.held_out_pairs.pairs))])
        preferred, flow = [], []
        for sigma in HELD_OUT_SIGMAS:
            sigma_B = torch.full((len(batch["winner_FCHW"]),), sigma)
            model, reference = self._errors(batch, sigma_B, torch.Generator().manual_seed(1))
            preferred.append(float((preference_margin(model, reference) < 0).float().mean()))
            flow.append(float(model.winner_B.mean()))
        measures = {"held_out_preferred": float(np.mean(preferred)), "held_out_flow": float(np.mean(flow))}
        return {**measures, **self.held_out.measure(self.perform)}

    def write_samples(self, folder: Path, step: int) -> None:
        """Held-out films, truth above."""
        self.held_out.write_samples(self.perform, folder / f"sample-{step:06d}.png")

    def export(self, folder: Path) -> None:
        """The policy's transformer, in the base model's file."""
        save_weights(folder / self.weights_file, self.model)

    def start_from(self, folder: Path) -> None:
        """Another run's transformer for the policy; the reference stays that of the parts."""
        fill_from_file(folder / self.weights_file, self.model)

    def reason_to_stop(self) -> str | None:
        """The gate against stills and burnt-out films."""
        return self.held_out.complaint()

    def _errors(
        self, batch: dict[str, Tensor], sigma_B: Tensor, generator: torch.Generator
    ) -> tuple[PairErrors, PairErrors]:
        """Policy and reference, winner and loser, all with the same noise at the same level."""
        film = film_of(batch)
        noise_BFCHW = torch.randn(batch["winner_FCHW"].shape, generator=generator, device=generator.device)
        winner, loser = batch["winner_FCHW"], batch["loser_FCHW"]
        model = PairErrors(
            winner_B=self._error(self.policy, film, winner, noise_BFCHW, sigma_B),
            loser_B=self._error(self.policy, film, loser, noise_BFCHW, sigma_B),
        )
        with torch.no_grad():
            reference = PairErrors(
                winner_B=self._error(self.reference, film, winner, noise_BFCHW, sigma_B),
                loser_B=self._error(self.reference, film, loser, noise_BFCHW, sigma_B),
            )
        return model, reference

    def _error(
        self, score: WindowedScore, film: Film, clean_BFCHW: Tensor, noise_BFCHW: Tensor, sigma_B: Tensor
    ) -> Tensor:
        noisy_BFCHW = add_noise(clean_BFCHW, noise_BFCHW, sigma_B[:, None].expand(clean_BFCHW.shape[:2]))
        pointed_to_BFCHW = score.clean(film, noisy_BFCHW, sigma_B, clean_BFCHW, GuidanceScales())
        velocity_BFCHW = (noisy_BFCHW - pointed_to_BFCHW) / sigma_B[:, None, None, None, None]
        return sample_errors(self.config, velocity_BFCHW, noise_BFCHW - clean_BFCHW)

    def _shuffled(self, sample: int) -> int:
        epoch, place = divmod(sample, len(self.trained_on.pairs))
        return int(np.random.default_rng([epoch, 51]).permutation(len(self.trained_on.pairs))[place])


def stacked(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Samples as a batch."""
    return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


def frozen_copy(transformer: Transformer) -> Transformer:
    """The same weights, never to be trained."""
    copy = Transformer(transformer.config)
    copy.load_state_dict(transformer.state_dict())
    return copy.eval().requires_grad_(False)
