"""Candidates of many seeds for the same scene, judged: the preference data of the actor (paper 3.2).

Built once for a base model, scene by scene, so that a kill costs one scene. Called by the recipe of DPO.
"""

import itertools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from engine.codec.protocol import VideoCodec
from engine.flow.preconditioning import global_latent
from engine.precision import fast_autocast
from training.bench.reading import read_film
from training.bench.regressor import LoadedRegressor
from training.data.windows import ClipFeatures
from training.distillation.films import Film, cut_film, film_of
from training.distillation.teacher import TeacherConfig, WindowedScore, teacher_trajectory
from training.dpo.pairs import CANDIDATES, PAIRS_NAME, PreferencePair, read_pairs, write_pairs
from training.dpo.pareto import Candidate, ParetoConfig, winning_pairs
from training.dpo.scores import score_candidate

logger = logging.getLogger(__name__)

POLL_S = 2.0


@dataclass(frozen=True, kw_only=True)
class CandidateConfig:
    """How many scenes, of how many latents, with how many seeds each, made how and chosen how.

    timesteps: where the base model's steps begin, from pure noise on.
    """

    num_scenes: int = 96
    num_latents: int = 6
    num_seeds: int = 5
    timesteps: tuple[float, ...] = (1000.0,)
    teacher: TeacherConfig
    pareto: ParetoConfig

    def __post_init__(self) -> None:
        if self.num_seeds < 2:
            raise ValueError("a preference needs two candidates")


@dataclass(frozen=True, kw_only=True)
class CandidateMaker:
    """Who makes candidates and who judges them."""

    score: WindowedScore
    codec: VideoCodec
    regressor: LoadedRegressor
    features: ClipFeatures
    config: CandidateConfig

    def build(self, folder: Path) -> list[PreferencePair]:
        """Every scene's pairs; makes this process's share of the missing, waits for the others' and writes the one file of all."""
        self.make_scenes(folder)
        parts = [scene_pairs_path(folder, number) for number in range(self.config.num_scenes)]
        while not all(part.exists() for part in parts):
            time.sleep(POLL_S)
        pairs = [pair for part in parts for pair in read_pairs(part)]
        if os.environ.get("RANK", "0") == "0":
            write_pairs(folder / PAIRS_NAME, pairs)
        return pairs

    def make_scenes(self, folder: Path, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Makes and judges this process's share of the missing scenes, one at least and as long as it `goes_on`.

        Returns how many scenes follow on each other from the first.
        """
        (folder / "scenes").mkdir(parents=True, exist_ok=True)
        rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        for number in range(rank, self.config.num_scenes, size):
            if number >= size and not goes_on():
                break
            if not scene_pairs_path(folder, number).exists():
                write_pairs(scene_pairs_path(folder, number), self._scene(folder, number))
                logger.info("preferences: scene %d of %d", number + 1, self.config.num_scenes)
        return next(number for number in itertools.count() if not scene_pairs_path(folder, number).exists())

    def _scene(self, folder: Path, number: int) -> list[PreferencePair]:
        sample = cut_film(self.features, number, self.config.num_latents)
        candidates_NFCHW, judged = self.judged(sample, number)
        name = f"scene-{number:06d}"
        tensors = {key: tensor.contiguous() for key, tensor in sample.items()}
        path = folder / "scenes" / f"{name}.safetensors"
        partial = path.with_suffix(f".partial-{os.getpid()}")
        save_file({**tensors, CANDIDATES: candidates_NFCHW.half().contiguous()}, partial)
        partial.replace(path)
        return [
            PreferencePair(
                scene=name,
                winner=winner,
                loser=loser,
                judge="measures",
                scores={"winner": dict(judged[winner].scores), "loser": dict(judged[loser].scores)},
            )
            for winner, loser in winning_pairs(self.config.pareto, judged)
        ]

    def judged(self, sample: dict[str, Tensor], seed: int) -> tuple[Tensor, list[Candidate]]:
        """A film's candidates [N, F, C, H, W] and what the measures say of each."""
        candidates_NFCHW = self._make(sample, seed)
        film = film_of({name: tensor[None] for name, tensor in sample.items()})
        reference_D = self._reference_identity(film)
        state_TK = sample["state_TK"].numpy()
        return candidates_NFCHW, [
            score_candidate(self.regressor, self._frames(latents_FCHW, film), state_TK, reference_D)
            for latents_FCHW in candidates_NFCHW
        ]

    def _make(self, sample: dict[str, Tensor], number: int) -> Tensor:
        """One candidate a seed, as one batch, [N, F, C, H, W]."""
        film = film_of({name: torch.stack([tensor] * self.config.num_seeds) for name, tensor in sample.items()})
        noise = torch.randn(film.latents_BFCHW.shape, generator=torch.Generator().manual_seed(number))
        with fast_autocast(torch.device("cpu")):
            states = teacher_trajectory(self.score, self.config.teacher, film, noise, self.config.timesteps)
        return states[:, -1].float()

    @torch.no_grad()
    def _frames(self, latents_FCHW: Tensor, film: Film) -> NDArray[np.uint8]:
        """Decoded behind the latent that stands before the film."""
        with fast_autocast(torch.device("cpu")):
            state = self.codec.initial_state()
            self.codec.decode_chunk(film.first_BCHW[:, None], state)
            pixels_BTCHW = self.codec.decode_chunk(latents_FCHW[None], state)
        return as_frames(pixels_BTCHW[0])

    @torch.no_grad()
    def _reference_identity(self, film: Film) -> NDArray[np.float32]:
        with fast_autocast(torch.device("cpu")):
            pixels_BTCHW = self.codec.decode(global_latent(film.references)[:, None])
        identity_D = read_film(self.regressor, as_frames(pixels_BTCHW[0])).identity_TD.mean(axis=0)
        unit_D: NDArray[np.float32] = identity_D / max(float(np.linalg.norm(identity_D)), 1e-6)
        return unit_D


def scene_pairs_path(folder: Path, number: int) -> Path:
    """The pairs of one scene, written when its candidates are."""
    return folder / "scenes" / f"scene-{number:06d}.jsonl"


def as_frames(pixels_TCHW: Tensor) -> NDArray[np.uint8]:
    """Pixels in [-1, 1] as uint8 RGB."""
    frames_THWC = rearrange((pixels_TCHW.float().clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
    return frames_THWC.round().to(torch.uint8).contiguous().numpy()


def asked(config: CandidateConfig) -> str:
    """Everything that decides what a scene's candidates are, as text."""
    return repr(sorted((name, value) for name, value in asdict(config).items() if name != "num_scenes"))
