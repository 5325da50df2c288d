"""The teacher's denoising trajectories on disk: made once, used by stages 1, 2 and 4 for as many epochs as they last (paper 4.3).

Built by the processes of a run that needs them, each its share of the shards, then held in memory. A folder belongs to one teacher
and one way of asking it; both are in its name, so that trajectories of another can never be mistaken for them.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.online.settings import OnlineSettings
from engine.precision import fast_autocast
from training.data.windows import ClipFeatures
from training.distillation.films import StartShares, cut_film, film_of
from training.distillation.teacher import TeacherConfig, WindowedScore, teacher_trajectory

logger = logging.getLogger(__name__)

FILMS_PER_SHARD = 8
POLL_S = 2.0
TOLD: Final = ("text", "speak", "listen", "motion", "posed anchor")
"""What films tell the teacher, as part of a folder's name: films that told less are others."""


@dataclass(frozen=True, kw_only=True)
class TrajectoryConfig:
    """How many films, how long, and how the teacher is asked for them."""

    num_films: int = 384
    num_latents: int = 12
    teacher: TeacherConfig

    def __post_init__(self) -> None:
        if self.num_films % FILMS_PER_SHARD:
            raise ValueError(f"num_films must be a multiple of {FILMS_PER_SHARD}")


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """Films with their trajectories: states at the student's timesteps, then clean, float16."""

    features: ClipFeatures
    config: TrajectoryConfig
    states_NKFCHW: Tensor

    @property
    def num_films(self) -> int:
        """As many as were asked for."""
        return self.config.num_films

    def sample(self, number: int) -> dict[str, Tensor]:
        """Film `number` and its trajectory."""
        return {
            **cut_film(self.features, number, self.config.num_latents),
            "trajectory_KFCHW": self.states_NKFCHW[number].float(),
        }


@dataclass(frozen=True, kw_only=True)
class TrueFilms:
    """Films whose trajectories have one state alone: what the actor did. As many as are wanted, for nothing is kept of them."""

    features: ClipFeatures
    num_films: int
    num_latents: int
    starts: StartShares

    def sample(self, number: int) -> dict[str, Tensor]:
        """Film `number`."""
        film = cut_film(self.features, number, self.num_latents, self.starts)
        return {**film, "trajectory_KFCHW": film["latents_FCHW"][None, 1:]}


class FilmSamples(Protocol):
    """What tasks take films and their trajectories from."""

    @property
    def num_films(self) -> int:
        """How many there are."""

    def sample(self, number: int) -> dict[str, Tensor]:
        """Film `number` and its trajectory."""


def trajectories_in(
    parent: Path, config: TrajectoryConfig, settings: OnlineSettings, teacher_sha256: str, clips: str
) -> Path:
    """The folder of these trajectories, however many; `clips` says which clips the films are cut from."""
    timesteps = (*settings.backbone_timesteps, settings.refiner_timestep)
    each = {name: value for name, value in asdict(config).items() if name != "num_films"}
    asked = repr((sorted(each.items()), timesteps, teacher_sha256, clips, TOLD))
    return parent / f"trajectories-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def build_trajectories(
    folder: Path, config: TrajectoryConfig, settings: OnlineSettings, score: WindowedScore, features: ClipFeatures
) -> Trajectories:
    """Makes this process's share of the missing shards, waits for the others' and reads them all."""
    make_shards(folder, config, settings, score, features)
    paths = [_shard_path(folder, number) for number in range(config.num_films // FILMS_PER_SHARD)]
    while not all(path.exists() for path in paths):
        time.sleep(POLL_S)
    states = [load_file(path)["states_NKFCHW"] for path in paths]
    return Trajectories(features=features, config=config, states_NKFCHW=torch.cat(states))


def make_shards(
    folder: Path,
    config: TrajectoryConfig,
    settings: OnlineSettings,
    score: WindowedScore,
    features: ClipFeatures,
    goes_on: Callable[[], bool] = lambda: True,
) -> int:
    """Makes this process's share of the missing shards, one at least and as long as it `goes_on`; returns `num_films_in`."""
    folder.mkdir(parents=True, exist_ok=True)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    num_shards = config.num_films // FILMS_PER_SHARD
    for number in range(rank, num_shards, size):
        if number >= size and not goes_on():
            break
        if not _shard_path(folder, number).exists():
            _build_shard(_shard_path(folder, number), number, config, settings, score, features)
            logger.info("trajectories: shard %d of %d", number + 1, num_shards)
    return num_films_in(folder)


def num_films_in(folder: Path) -> int:
    """Films in the shards that follow on each other from the first."""
    number = 0
    while _shard_path(folder, number).exists():
        number += 1
    return number * FILMS_PER_SHARD


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"films-{number:05d}.safetensors"


def _build_shard(
    path: Path,
    number: int,
    config: TrajectoryConfig,
    settings: OnlineSettings,
    score: WindowedScore,
    features: ClipFeatures,
) -> None:
    first = number * FILMS_PER_SHARD
    samples = [cut_film(features, film, config.num_latents) for film in range(first, first + FILMS_PER_SHARD)]
    film = film_of({name: torch.stack([sample[name] for sample in samples]) for name in samples[0]})
    noise_BFCHW = torch.randn(film.latents_BFCHW.shape, generator=torch.Generator().manual_seed(number))
    timesteps = (*settings.backbone_timesteps, settings.refiner_timestep)
    with fast_autocast(torch.device("cpu")):
        states_NKFCHW = teacher_trajectory(score, config.teacher, film, noise_BFCHW, timesteps)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    save_file({"states_NKFCHW": states_NKFCHW.half().contiguous()}, partial)
    partial.replace(path)
