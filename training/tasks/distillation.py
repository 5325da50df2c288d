"""The tasks of distillation (paper 4.3): what the four stages share around their losses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from engine.flow.preconditioning import global_latent
from engine.online.settings import OnlineSettings
from engine.packs import fill_from_file, save_weights
from training.actor.state import channel
from training.distillation.causal import BatchNoise
from training.distillation.collapse import BestMark, CollapseGate, FilmFigures
from training.distillation.films import Film, film_of
from training.distillation.likeness import Likeness
from training.distillation.matching import Scores, film_critic_loss
from training.distillation.trajectories import FilmSamples
from training.grown_weights import fill_grown
from training.objectives.perceived_state import LatentReader
from training.parallel import World

ADAMW_NAMES: Final = ("embedding", "time_projection", "head", "modulation")
READ_CHANNELS: Final = ("mouth_open", "pitch", "yaw")
CRITIC_FILE: Final = "distillation_critic.safetensors"
NUM_SHOWN: Final = 4

Perform = Callable[[Film, BatchNoise, int], Tensor]
StageLoss = Callable[[Film, Tensor, int, torch.Generator], dict[str, Tensor]]
StageMake = Callable[[Film, Tensor, int, torch.Generator], Tensor]


@dataclass(kw_only=True)
class HeldOutFilms:
    """Films that training never sees, and what is measured of a model's version of them."""

    film: Film
    settings: OnlineSettings
    reader: LatentReader
    likeness: Likeness
    gate: CollapseGate = field(default_factory=CollapseGate)
    latest: FilmFigures | None = None
    is_new: bool = False

    def measure(self, perform: Perform) -> dict[str, float]:
        """Figures of the whole rollout at fixed noise, and how far what it shows follows what the truth shows."""
        made_BFCHW = self._made(perform)
        self.latest, self.is_new = FilmFigures.of(made_BFCHW, self.film.latents_BFCHW), True
        reference_BCHW = global_latent(self.film.references)
        shown_BTK, true_BTK = (self.reader(films, reference_BCHW) for films in (made_BFCHW, self.film.latents_BFCHW))
        measures = {f"held_out_{name}": value for name, value in self.latest.__dict__.items()}
        for name in READ_CHANNELS:
            pair = torch.stack([films[..., channel(name)].flatten() for films in (shown_BTK, true_BTK)])
            measures[f"shown_r_{name}"] = float(torch.corrcoef(pair)[0, 1])
        return {**measures, "held_out_pictures": self.likeness.unlikeness(self.film, made_BFCHW)}

    def write_samples(self, perform: Perform, path: Path) -> None:
        """Truth above, made below, every fourth frame."""
        made_BFCHW = self._made(perform)[:NUM_SHOWN]
        rows = []
        for films in zip(self.film.latents_BFCHW, made_BFCHW, strict=False):
            pixels = self.likeness.codec.decode(torch.stack(films)).float().clamp(-1, 1)[:, 1::4]
            rows.append(rearrange((pixels + 1) * 127.5, "row t c h w -> (row h) (t w) c").byte().numpy())
        cv2.imwrite(str(path), np.concatenate(rows)[:, :, ::-1])

    def _made(self, perform: Perform) -> Tensor:
        noise = BatchNoise.drawn(self.film, self.settings, torch.Generator().manual_seed(5))
        return perform(self.film, noise, self.settings.chunk_latents).float()

    def complaint(self) -> str | None:
        """What the gate says of the latest figures."""
        return None if self.latest is None else self.gate.complaint(self.latest)


@dataclass(kw_only=True)
class DistillationTask:
    """Satisfies `training.trainer.Task` for stage 1; `student` is the part of the model that is shipped as `weights_file`.

    others: parts of the model that are exported beside it as they are (a frozen backbone, the critic).
    also_written_to: further files of the student's weights, where one network is more than one part of a pack.
    """

    student: nn.Module
    weights_file: str
    films: FilmSamples
    settings: OnlineSettings
    held_out: HeldOutFilms
    perform: Perform
    stage_loss: StageLoss
    others: dict[str, tuple[str, nn.Module]] = field(default_factory=dict)
    also_written_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = {name: module for name, (_, module) in self.others.items()}
        self._model = nn.ModuleDict({"student": self.student, **parts})

    @property
    def model(self) -> nn.Module:
        """Student and others."""
        return self._model

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """In- and outputs, time and the tables of modulation."""
        return ADAMW_NAMES

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Films with their trajectories, in chunks of a length drawn for each step from those that the pack offers."""
        step_samples = batch_samples * world.size
        number = first_sample
        while True:
            step = number // step_samples
            chunk = self.settings.chunk_choices[
                int(np.random.default_rng([step, 41]).integers(len(self.settings.chunk_choices)))
            ]
            samples = [
                self.films.sample(self._film_number(each))
                for each in range(number + world.rank, number + step_samples, world.size)
            ]
            batch = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
            yield {**batch, "chunk_latents": torch.tensor(chunk), "turn": torch.tensor(step)}
            number += step_samples

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The stage's loss."""
        film, chunk = film_of(batch).to(generator.device), int(batch["chunk_latents"])
        return self.stage_loss(film, batch["trajectory_KFCHW"], chunk, generator)

    def measure(self) -> dict[str, float]:
        """Held-out figures."""
        return self.held_out.measure(self.perform)

    def write_samples(self, folder: Path, step: int) -> None:
        """Held-out films, truth above."""
        self.held_out.write_samples(self.perform, folder / f"sample-{step:06d}.png")

    def export(self, folder: Path) -> None:
        """The student where its latest measure is the best inside the gate (the first of all in any case), else nothing new."""
        figures, mark = self.held_out.latest, BestMark(path=folder / "best.json")
        is_best = (
            self.held_out.is_new
            and figures is not None
            and self.held_out.complaint() is None
            and mark.is_beaten_by(figures.distance)
        )
        if is_best or not (folder / self.weights_file).exists():
            for file_name in (self.weights_file, *self.also_written_to):
                save_weights(folder / file_name, self.student)
        if is_best and figures is not None:
            mark.set(figures)
        self.held_out.is_new = False
        for file_name, module in self.others.values():
            save_weights(folder / file_name, module)

    def start_from(self, folder: Path) -> None:
        """An earlier stage's backbone for the student, perhaps of fewer channels, and of the others what is there."""
        source = folder / self.weights_file
        fill_grown(source if source.is_file() else folder / "backbone.safetensors", self.student)
        for file_name, module in self.others.values():
            if (folder / file_name).is_file():
                fill_from_file(folder / file_name, module)

    def reason_to_stop(self) -> str | None:
        """The gate's complaint."""
        return self.held_out.complaint()

    def _film_number(self, sample: int) -> int:
        return int(np.random.default_rng([sample, 43]).integers(self.films.num_films))


@dataclass(kw_only=True)
class MatchingTask(DistillationTask):
    """Stages 2 to 4: the student each `critic_steps + 1`-th step, on the others the critic, on what the student makes then."""

    scores: Scores
    make: StageMake

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """The generator's or the critic's."""
        if int(batch["turn"]) % (self.scores.config.critic_steps + 1) == 0:
            return super().loss(batch, generator)
        film, chunk = film_of(batch).to(generator.device), int(batch["chunk_latents"])
        with torch.no_grad():
            made_BFCHW = self.make(film, batch["trajectory_KFCHW"], chunk, generator)
        return film_critic_loss(self.scores, film, made_BFCHW, generator)
