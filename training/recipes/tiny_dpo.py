"""Direct preference optimisation of the small base model, on pairs that the actor's exact measures decide (paper 3.2)."""

import hashlib
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from engine.flow.noising import SigmaSampling
from engine.packs import file_sha256
from training.bench.regressor import load_regressor
from training.data.windows import ClipFeatures
from training.distillation.causal import BatchNoise
from training.distillation.films import Film
from training.distillation.teacher import TeacherConfig, teacher_trajectory
from training.dpo.candidates import CandidateConfig, CandidateMaker, asked
from training.dpo.pareto import ParetoConfig
from training.objectives.dpo import DpoConfig
from training.optimizers import OptimizerConfig
from training.packing import BASE_SETTINGS, ONLINE_SETTINGS
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import NothingToLearn, Run
from training.recipes.tiny import NUM_HELD_OUT_CLIPS, clip_features, features_slice
from training.recipes.tiny_online import base_in_training, base_teacher, held_out_films
from training.tasks.preference import Pairs, PreferenceTask
from training.time_budget import TimeBudget
from training.trainer import TrainerConfig

CANDIDATES = CandidateConfig(
    num_latents=2 * BASE_SETTINGS.new_latents,
    num_seeds=5,
    teacher=TeacherConfig(window_latents=BASE_SETTINGS.new_latents, guidance=BASE_SETTINGS.guidance),
    pareto=ParetoConfig(margins={"lip_sync": 0.015, "mouth_closed": 0.01, "identity": 0.01, "expression": 0.01}),
)
LEAST_PAIRS = 8
MOST_SCENES = 1024
SIGMA_SHIFT = 5.0
HELD_OUT_SHARE = 8  # one pair in so many


def make_preferences(places: Places, budget: TimeBudget) -> int:
    """As many scenes with judged candidates as there is time for, beside the clips; returns how many there are."""
    places = replace(places, num_scenes=MOST_SCENES)
    features = clip_features(places)

    def goes_on() -> bool:
        budget.keep()
        return budget.left_s > 0

    return candidate_maker(places, trained_on(features)).make_scenes(_folder(places, features), goes_on)


def tiny_dpo(places: Places) -> Run:
    """Makes and judges the candidates of `places.parts` first, where they are not there yet."""
    features = clip_features(places)
    maker, folder = candidate_maker(places, trained_on(features)), _folder(places, features)
    reference = maker.score
    policy = replace(reference, transformer=base_in_training(places))
    pairs = maker.build(folder)
    if len(pairs) < LEAST_PAIRS:
        raise NothingToLearn(
            f"{len(pairs)} preference pairs in {places.num_scenes} scenes are too few to learn from ({LEAST_PAIRS} at least)"
        )

    def perform(film: Film, noise: BatchNoise, chunk_latents: int) -> Tensor:
        start = noise.draw(0, film.num_latents, 0)
        return teacher_trajectory(policy, CANDIDATES.teacher, film, start, CANDIDATES.timesteps)[:, -1]

    task = PreferenceTask(
        policy=policy,
        reference=reference,
        config=DpoConfig(),
        sigma=SigmaSampling(kind="uniform", shift=SIGMA_SHIFT),
        trained_on=Pairs(folder=folder, pairs=tuple(p for i, p in enumerate(pairs) if i % HELD_OUT_SHARE)),
        held_out_pairs=Pairs(folder=folder, pairs=tuple(pairs[::HELD_OUT_SHARE])),
        held_out=held_out_films(places, features, ONLINE_SETTINGS),
        perform=perform,
        weights_file=parts.BASE_FILE,
    )
    config = TrainerConfig(
        num_steps=200,
        batch_samples=8,
        optimizer=OptimizerConfig(muon_learning_rate=1e-4, adamw_learning_rate=2e-5, weight_decay=0.0),
        warmup_steps=20,
        decay_steps=60,
        ema_decay=0.97,
        save_each_steps=25,
        sample_each_steps=25,
        report_each_steps=5,
    )
    return Run(task=task, config=config)


def candidate_maker(places: Places, features: ClipFeatures) -> CandidateMaker:
    """Makes films with the base of `places.parts` and judges them, on scenes cut from these clips."""
    return CandidateMaker(
        score=base_teacher(places),
        codec=parts.trained_codec(places.parts),
        regressor=load_regressor(),
        features=features,
        config=replace(CANDIDATES, num_scenes=places.num_scenes),
    )


def trained_on(features: ClipFeatures) -> ClipFeatures:
    """The clips that are not held out."""
    return features_slice(features, slice(NUM_HELD_OUT_CLIPS, None))


def _folder(places: Places, features: ClipFeatures) -> Path:
    identity = f"{asked(CANDIDATES)} {file_sha256(places.parts / parts.BASE_FILE)} {features.num_clips}"
    return places.clips / f"preferences-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
