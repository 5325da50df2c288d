"""Direct preference optimisation of the small motion model, on pairs that the actor's exact measures decide (paper 3.2).

The base model draws one picture of each plan, so what a preference can change is decided in the plan: lips, nods, reactions, stillness.
For base models that draw without a plan, and for people's votes, there is `training.recipes.dpo_votes`.
"""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.flow.noising import SigmaSampling
from engine.model.transformer import Transformer
from engine.motion.plan import MotionModel
from engine.packs import file_sha256
from training.data.windows import ClipFeatures
from training.dpo.candidates import CandidateConfig, CandidateMaker, asked
from training.dpo.held_out_plans import HeldOutPlans
from training.dpo.pairs import PLANS
from training.dpo.pareto import ParetoConfig
from training.dpo.plan_scenes import plan_errors
from training.objectives.dpo import DpoConfig
from training.optimizers import OptimizerConfig
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import NothingToLearn, Run
from training.recipes.tiny import clip_features
from training.recipes.tiny_motion import motions_apart
from training.tasks.motion import MotionTask
from training.tasks.preference import Pairs, PreferenceTask
from training.time_budget import TimeBudget
from training.trainer import TrainerConfig

CANDIDATES = CandidateConfig(
    pareto=ParetoConfig(
        margins={
            "lip_sync": 0.01,
            "mouth_closed": 0.01,
            "nods": 0.5,
            "reactions": 0.015,
            "expression": 0.01,
            "motion": 0.15,
        }
    )
)
HELD_OUT_SCENES = 128
HELD_OUT_SEEDS = 2
LEAST_PAIRS = 64
MOST_SCENES = 4096
SIGMA_SHIFT = 1.5  # as the motion model is trained
HELD_OUT_EACH = 8  # scenes of which one is held out


def make_preferences(places: Places, budget: TimeBudget) -> int:
    """As many scenes with judged candidates as there is time for, beside the clips; returns how many there are."""
    features = clip_features(places)
    maker = candidate_maker(places, trained_on(features))
    maker = replace(maker, config=replace(maker.config, num_scenes=MOST_SCENES))

    def goes_on() -> bool:
        budget.keep()
        return budget.left_s > 0

    return maker.make_scenes(_folder(places, features), goes_on)


def tiny_dpo(places: Places) -> Run:
    """Makes and judges the candidates of `places.parts` first, where they are not there yet."""
    features = clip_features(places)
    maker, folder = candidate_maker(places, trained_on(features)), _folder(places, features)
    pairs = maker.build(folder)
    if len(pairs) < LEAST_PAIRS:
        raise NothingToLearn(
            f"{len(pairs)} preference pairs in {places.num_scenes} scenes are too few to learn from ({LEAST_PAIRS} at least)"
        )
    config, policy = DpoConfig(), motion_of(places).transformer.requires_grad_(True).train()
    learned, held_out_pairs = Pairs(folder=folder, pairs=tuple(pairs), candidates=PLANS).parted(HELD_OUT_EACH)
    task = PreferenceTask(
        policy=policy,
        reference=maker.motion.transformer,
        error=partial(plan_errors, config, CANDIDATES.shape),
        config=config,
        sigma=SigmaSampling(kind="uniform", shift=SIGMA_SHIFT),
        trained_on=learned,
        held_out_pairs=held_out_pairs,
        held_out=HeldOutPlans(
            maker=held_out_maker(places, features),
            policy=policy,
            further=MotionTask(
                transformer=policy,
                settings=parts.MOTION_SETTINGS,
                features=trained_on(features),
                held_out=held_out(features),
                weights_file=parts.MOTION_FILE,
            ).measure,
        ),
        weights_file=parts.MOTION_FILE,
    )
    return Run(
        task=task,
        config=TrainerConfig(
            num_steps=400,
            batch_samples=16,
            optimizer=OptimizerConfig(muon_learning_rate=5e-4, adamw_learning_rate=1e-4, weight_decay=0.0),
            warmup_steps=20,
            decay_steps=120,
            ema_decay=0.97,
            save_each_steps=100,
            sample_each_steps=100,
            report_each_steps=5,
        ),
    )


def candidate_maker(places: Places, features: ClipFeatures) -> CandidateMaker:
    """Plans with the motion model of `places.parts`, in scenes cut from these clips."""
    return CandidateMaker(
        motion=motion_of(places), features=features, config=replace(CANDIDATES, num_scenes=places.num_scenes)
    )


def held_out_maker(places: Places, features: ClipFeatures) -> CandidateMaker:
    """The same for clips that are held out, in as many scenes as a figure needs."""
    maker = candidate_maker(places, held_out(features))
    return replace(maker, config=replace(CANDIDATES, num_scenes=HELD_OUT_SCENES, num_seeds=HELD_OUT_SEEDS))


def motion_of(places: Places) -> MotionModel:
    """The motion model of the parts, frozen, sampled as its pack samples it."""
    transformer = parts.trained(places.parts, parts.MOTION_FILE, Transformer(parts.MOTION))
    return MotionModel(transformer=transformer, settings=parts.MOTION_SETTINGS)


def trained_on(features: ClipFeatures) -> ClipFeatures:
    """The clips that are not held out."""
    return motions_apart(features)[0]


def held_out(features: ClipFeatures) -> ClipFeatures:
    """Those that the motion model never sees."""
    return motions_apart(features)[1]


def _folder(places: Places, features: ClipFeatures) -> Path:
    identity = f"{asked(CANDIDATES)} {file_sha256(places.parts / parts.MOTION_FILE)} {features.num_clips}"
    return places.clips / f"preferences-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
