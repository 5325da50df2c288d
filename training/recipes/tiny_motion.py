"""The recipe of the small motion model, and the performances that it learns from."""

import os
from typing import Final

from engine.model.transformer import Transformer
from training.data.performed_clips import PERFORMED_PER_SHARD, build_performed, performed_clips, performed_folder
from training.data.windows import ClipFeatures
from training.optimizers import OptimizerConfig
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import Run
from training.recipes.tiny import clip_encoders, clip_features, features_slice
from training.tasks.motion import MotionTask
from training.time_budget import TimeBudget
from training.trainer import TrainerConfig

NUM_HELD_OUT_MOTIONS: Final = 96  # a third of the clips at most
MOST_PERFORMED_SHARDS: Final = 256


def make_performances(places: Places, budget: TimeBudget) -> int:
    """This process's share of as many performances as there is time for, beside the clips; returns how many there are."""
    encoders = clip_encoders(places)
    folder = performed_folder(places.clips, encoders)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    for number in range(rank, MOST_PERFORMED_SHARDS, size):
        budget.keep()
        if not budget.left_s:
            break
        build_performed(folder, number, encoders)
    return PERFORMED_PER_SHARD * len(list(folder.glob("*.rows")))


def tiny_motion(places: Places) -> Run:
    """The motion model on performances without pictures where more of them lie beside the clips, else on those of the clips.

    No picture is looked at, so a step is a tenth of a second. What is held out are clips, whatever is learned from.
    """
    learned, held_out = motions_apart(clip_features(places))
    performed = performed_clips(places.clips, clip_encoders(places))
    task = MotionTask(
        transformer=Transformer(parts.MOTION),
        settings=parts.MOTION_SETTINGS,
        features=learned if performed is None or performed.num_clips < learned.num_clips else performed,
        held_out=held_out,
        weights_file=parts.MOTION_FILE,
    )
    config = TrainerConfig(
        num_steps=12_000,
        batch_samples=64,
        optimizer=OptimizerConfig(muon_learning_rate=0.01, adamw_learning_rate=2e-3, weight_decay=0.05),
        warmup_steps=100,
        decay_steps=4000,
        ema_decay=0.998,
        save_each_steps=500,
        sample_each_steps=1000,
        report_each_steps=50,
    )
    return Run(task=task, config=config)


def motions_apart(features: ClipFeatures) -> tuple[ClipFeatures, ClipFeatures]:
    """The clips that plans of motion are learned from, and those that they are measured on."""
    num_held_out = min(NUM_HELD_OUT_MOTIONS, features.num_clips // 3)
    return features_slice(features, slice(num_held_out, None)), features_slice(features, slice(0, num_held_out))
