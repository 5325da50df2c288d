"""The stages that make the small online models out of the small base model (paper 4.3), in the order they are run.

Each begins with `--start-from` the run before it: `tiny-online-causal`, then the paper's four, `-ode`, `-off-policy`, `-on-policy`
and `-refiner`. The first takes the base model of `--parts`, which is the teacher of the paper's four. The teacher's trajectories are
made once, beside the clips. Teacher, student and critic are told how the actor moved, as a plan of motion tells the pair live: what is
left is one picture, which a student of few steps can draw.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from engine.flow.preconditioning import preconditioning_named
from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from engine.packs import file_sha256
from training.data.shards import shard_paths
from training.data.windows import ClipFeatures
from training.distillation.causal import BatchNoise, backbone_rollout, refined
from training.distillation.clean_history import clean_history_rollout
from training.distillation.films import Film, StartShares, cut_film, film_of
from training.distillation.likeness import Likeness
from training.distillation.matching import Scores
from training.distillation.perceptual import ActorFeatures
from training.distillation.stage0_causal import causal_loss
from training.distillation.stage1_ode import stage1_loss, stage1_loss_behind_clean_history
from training.distillation.stage2_off_policy import PerceptualTerm, off_policy_film, stage2_loss
from training.distillation.stage3_on_policy import on_policy_film, stage3_loss
from training.distillation.stage4_refiner import refined_film, stage4_loss
from training.distillation.teacher import TeacherConfig, WindowedScore
from training.distillation.trajectories import (
    Trajectories,
    TrajectoryConfig,
    TrueFilms,
    build_trajectories,
    make_shards,
    trajectories_in,
)
from training.objectives.dmd import DmdConfig
from training.objectives.perceived_state import LatentReader
from training.optimizers import OptimizerConfig
from training.packing import BACKBONE_FILE, BASE_SETTINGS, ONLINE_SETTINGS, REFINER_FILE
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import Run
from training.recipes.tiny import NUM_HELD_OUT_CLIPS, features_slice, latent_reader, posed_features
from training.tasks.distillation import (
    CRITIC_FILE,
    DistillationTask,
    HeldOutFilms,
    MatchingTask,
    StageLoss,
    StageMake,
)
from training.tasks.latent_reader import READER_FILE, READER_FOLDER
from training.time_budget import TimeBudget
from training.trainer import TrainerConfig

FILM_LATENTS = 18  # so that chunks of every length meet keys that have left the window, as in a long session
MOST_FILMS = 4096
MOST_TRUE_FILMS = 2**31
STARTS = StartShares(portrait=0.3, altered=0.2)
OdeLoss = Callable[[Transformer, OnlineSettings, Film, Tensor, int, torch.Generator], dict[str, Tensor]]
Rollout = Callable[[Transformer, OnlineSettings, Film, BatchNoise, int], Tensor]
TEACHER = TeacherConfig(window_latents=BASE_SETTINGS.new_latents, substeps=1, guidance=BASE_SETTINGS.guidance)
DMD = DmdConfig(real_guidance=0.0, critic_steps=4)  # told the motion, the teacher draws without guidance, and judges so
TRUTH_SHARE = 0.25
LPIPS_WEIGHT = 1.0


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all stages stand on."""

    trajectories: Trajectories
    held_out: HeldOutFilms
    reader: LatentReader
    teacher: WindowedScore
    critic: Transformer

    @property
    def scores(self) -> Scores:
        """The teacher, and a critic that begins as the teacher."""
        return Scores(real=self.teacher, fake=replace(self.teacher, transformer=self.critic), config=DMD)


def tiny_online_causal(places: Places) -> Run:
    """Before the paper's stages: the base model becomes causal on what the actor did; one network is backbone and refiner."""
    features, network = posed_features(places), base_in_training(places)
    held_out = held_out_films(places, features, ONLINE_SETTINGS)

    def loss(film: Film, _trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> dict[str, Tensor]:
        return causal_loss(held_out.likeness, network, ONLINE_SETTINGS, film, chunk_latents, generator)

    task = DistillationTask(
        student=network,
        weights_file=BACKBONE_FILE,
        also_written_to=(REFINER_FILE,),
        films=_true_films(features),
        settings=ONLINE_SETTINGS,
        held_out=held_out,
        perform=partial(_finished, network, network),
        stage_loss=loss,
    )
    config = TrainerConfig(
        num_steps=1500,
        batch_samples=4,
        optimizer=OptimizerConfig(muon_learning_rate=4e-3, adamw_learning_rate=1.5e-3, weight_decay=0.02),
        warmup_steps=20,
        decay_steps=500,
        ema_decay=0.98,
        save_each_steps=50,
        sample_each_steps=100,
    )
    return Run(task=task, config=config)


def _true_films(features: ClipFeatures) -> TrueFilms:
    trained_on = features_slice(features, slice(NUM_HELD_OUT_CLIPS, None))
    return TrueFilms(features=trained_on, num_films=MOST_TRUE_FILMS, num_latents=FILM_LATENTS, starts=STARTS)


def tiny_online_ode(places: Places) -> Run:
    """Stage 1 (Eq. 5): the backbone, begun as the base model, follows the teacher's trajectories."""
    return ode_run(places, stage1_loss, backbone_rollout)


def tiny_online_ode_clean_history(places: Places) -> Run:
    """The ablation of stage 1: the same behind clean history."""
    return ode_run(places, stage1_loss_behind_clean_history, clean_history_rollout)


def ode_run(places: Places, ode_loss: OdeLoss, rollout: Rollout) -> Run:
    """Stage 1 with a kind of history, in training and performing alike."""
    ground, backbone = _ground(places), base_in_training(places)

    def loss(film: Film, trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> dict[str, Tensor]:
        return ode_loss(backbone, ONLINE_SETTINGS, film, trajectory, chunk_latents, generator)

    def perform(film: Film, noise: BatchNoise, chunk_latents: int) -> Tensor:
        return rollout(backbone, ONLINE_SETTINGS, film, noise, chunk_latents)

    task = DistillationTask(
        student=backbone,
        weights_file=BACKBONE_FILE,
        films=ground.trajectories,
        settings=ONLINE_SETTINGS,
        held_out=ground.held_out,
        perform=perform,
        stage_loss=loss,
    )
    config = TrainerConfig(
        num_steps=600,
        batch_samples=8,
        optimizer=OptimizerConfig(muon_learning_rate=2e-3, adamw_learning_rate=5e-4, weight_decay=0.01),
        warmup_steps=20,
        decay_steps=200,
        ema_decay=0.99,
        save_each_steps=50,
        sample_each_steps=50,
    )
    return Run(task=task, config=config)


def tiny_online_off_policy(places: Places) -> Run:
    """Stage 2 (Eq. 6): distribution matching on re-noised teacher films, with the perceptual term."""
    ground, backbone = _ground(places), base_in_training(places)
    perceptual = PerceptualTerm(distance=ActorFeatures(reader=ground.reader), weight=LPIPS_WEIGHT)

    def make(film: Film, trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> Tensor:
        return off_policy_film(backbone, ONLINE_SETTINGS, film, trajectory[:, -1], chunk_latents, generator)

    def loss(film: Film, trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> dict[str, Tensor]:
        made = make(film, trajectory, chunk_latents, generator)
        return stage2_loss(ground.scores, film, made, trajectory[:, -1], perceptual, generator)

    return Run(task=_matching(ground, backbone, make, loss), config=_matching_config(num_steps=500))


def tiny_online_on_policy(places: Places) -> Run:
    """Stage 3 (Eq. 7): distribution matching on the backbone's own films."""
    ground, backbone = _ground(places), base_in_training(places)

    def make(film: Film, trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> Tensor:
        return on_policy_film(backbone, ONLINE_SETTINGS, film, chunk_latents, TRUTH_SHARE, generator)

    def loss(film: Film, trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> dict[str, Tensor]:
        return stage3_loss(ground.scores, film, make(film, trajectory, chunk_latents, generator), generator)

    return Run(task=_matching(ground, backbone, make, loss), config=_matching_config(num_steps=300))


def tiny_online_refiner(places: Places) -> Run:
    """Stage 4 (Eq. 8): the refiner, begun as the backbone, on the frozen backbone's films. Exports both."""
    ground, refiner = _ground(places), base_in_training(places)
    backbone = base_in_training(places).requires_grad_(False)

    def make(film: Film, trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> Tensor:
        return refined_film(backbone, refiner, ONLINE_SETTINGS, film, chunk_latents, generator)

    def loss(film: Film, trajectory: Tensor, chunk_latents: int, generator: torch.Generator) -> dict[str, Tensor]:
        return stage4_loss(ground.scores, film, make(film, trajectory, chunk_latents, generator), generator)

    task = _matching(ground, refiner, make, loss)
    task = replace(
        task,
        weights_file=REFINER_FILE,
        perform=partial(_finished, backbone, refiner),
        others={**task.others, "backbone": (BACKBONE_FILE, backbone)},
    )
    return Run(task=task, config=_matching_config(num_steps=300))


def _draft(backbone: Transformer, film: Film, noise: BatchNoise, chunk_latents: int) -> Tensor:
    return backbone_rollout(backbone, ONLINE_SETTINGS, film, noise, chunk_latents)


def _finished(backbone: Transformer, refiner: Transformer, film: Film, noise: BatchNoise, chunk_latents: int) -> Tensor:
    draft_BFCHW = _draft(backbone, film, noise, chunk_latents)
    return refined(refiner, ONLINE_SETTINGS, film, noise, draft_BFCHW, chunk_latents)


def _matching(ground: Ground, student: Transformer, make: StageMake, loss: StageLoss) -> MatchingTask:
    return MatchingTask(
        student=student,
        weights_file=BACKBONE_FILE,
        films=ground.trajectories,
        settings=ONLINE_SETTINGS,
        held_out=ground.held_out,
        perform=partial(_draft, student),
        stage_loss=loss,
        scores=ground.scores,
        make=make,
        others={"critic": (CRITIC_FILE, ground.critic)},
    )


def _matching_config(*, num_steps: int) -> TrainerConfig:
    betas = (0.0, 0.999)
    return TrainerConfig(
        num_steps=num_steps,
        batch_samples=8,
        optimizer=OptimizerConfig(
            muon_learning_rate=3e-4, adamw_learning_rate=5e-5, weight_decay=0.0, adamw_betas=betas
        ),
        part_optimizers=(
            (
                "critic",
                OptimizerConfig(muon_learning_rate=3e-4, adamw_learning_rate=5e-5, weight_decay=0.0, adamw_betas=betas),
            ),
        ),
        warmup_steps=10,
        decay_steps=100,
        ema_decay=0.97,
        save_each_steps=25,
        sample_each_steps=25,
        report_each_steps=5,
    )


def base_in_training(places: Places) -> Transformer:
    """The base model of the parts, to be trained."""
    return parts.trained(places.parts, parts.BASE_FILE, Transformer(parts.BASE)).requires_grad_(True).train()


def base_teacher(places: Places) -> WindowedScore:
    """The base model of the parts, frozen, in the windows that its pack performs in."""
    return WindowedScore(
        transformer=base_in_training(places).eval().requires_grad_(False),
        precondition=preconditioning_named(
            BASE_SETTINGS.preconditioning, BASE_SETTINGS.residual_std, BASE_SETTINGS.history_share
        ),
        window_latents=BASE_SETTINGS.new_latents,
        history_keep=BASE_SETTINGS.history_keep,
        history_error=BASE_SETTINGS.history_error,
    )


def held_out_films(places: Places, features: ClipFeatures, settings: OnlineSettings) -> HeldOutFilms:
    """One film of each clip that training never draws from."""
    held_out = features_slice(features, slice(0, NUM_HELD_OUT_CLIPS))
    samples = [cut_film(held_out, number, FILM_LATENTS, STARTS) for number in range(NUM_HELD_OUT_CLIPS)]
    return HeldOutFilms(
        film=film_of({name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}),
        settings=settings,
        reader=parts.trained(places.clips / READER_FOLDER, READER_FILE, latent_reader()),
        likeness=Likeness(codec=parts.trained_codec(places.parts)),
    )


@dataclass(frozen=True, kw_only=True)
class TeacherFilms:
    """Where the teacher's films lie, how they are made and from what."""

    folder: Path
    config: TrajectoryConfig
    features: ClipFeatures
    teacher: WindowedScore


def make_teacher_films(places: Places, budget: TimeBudget) -> int:
    """As many films as there is time for, beside the clips; returns how many there are."""
    films = _teacher_films(replace(places, num_films=MOST_FILMS), posed_features(places))

    def goes_on() -> bool:
        budget.keep()
        return budget.left_s > 0

    return make_shards(films.folder, films.config, ONLINE_SETTINGS, films.teacher, films.features, goes_on)


def _teacher_films(places: Places, features: ClipFeatures) -> TeacherFilms:
    config = TrajectoryConfig(num_films=places.num_films, num_latents=FILM_LATENTS, teacher=TEACHER)
    folder = trajectories_in(
        places.clips,
        config,
        ONLINE_SETTINGS,
        file_sha256(places.parts / parts.BASE_FILE),
        f"{file_sha256(shard_paths(places.clips)[0])} {features.num_clips}",
    )
    trained_on = features_slice(features, slice(NUM_HELD_OUT_CLIPS, None))
    return TeacherFilms(folder=folder, config=config, features=trained_on, teacher=base_teacher(places))


def _ground(places: Places) -> Ground:
    features = posed_features(places)
    films = _teacher_films(places, features)
    held_out = held_out_films(places, features, ONLINE_SETTINGS)
    return Ground(
        trajectories=build_trajectories(films.folder, films.config, ONLINE_SETTINGS, films.teacher, films.features),
        held_out=held_out,
        reader=held_out.reader,
        teacher=films.teacher,
        critic=base_in_training(places),
    )
