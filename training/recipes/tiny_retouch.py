"""The recipe of the retouching network, and the cuts that it learns from: of films as the parts draw them, told what the actor did."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from engine.loaded_pack import load_pack
from engine.packs import file_sha256
from engine.posing.retouch import Retouch
from training.data.retouch_cuts import DRAWN_CUTS, POSED_CUTS, SUFFIX, build_cuts, cuts_apart
from training.optimizers import OptimizerConfig
from training.packing import build_pack
from training.recipes import parts
from training.recipes.places import Places
from training.recipes.run import NothingToLearn, Run
from training.tasks.retouch import RetouchTask
from training.time_budget import TimeBudget
from training.trainer import TrainerConfig

MOST_FILMS: Final = 288  # 40 MB of cuts each
DRAWN_BY: Final = (
    parts.CODEC_FILE,
    parts.BASE_FILE,
    parts.POSING_FILE,
    parts.MATTE_FILE,
    parts.PAINT_FILE,
    parts.TEXT_FILE,
    parts.SPEAK_FILE,
    parts.LISTEN_FILE,
)


def cuts_folder(places: Places) -> Path:
    """Where cuts of films that these parts draw lie, beside the clips: other weights draw others."""
    mark = hashlib.sha256(
        "".join(file_sha256(path) for name in DRAWN_BY if (path := places.parts / name).is_file()).encode()
    )
    return places.clips / f"cuts-{mark.hexdigest()[:12]}"


def make_cuts(places: Places, budget: TimeBudget) -> int:
    """This process's share of as many cuts as there is time for, beside the clips; returns how many there are."""
    folder = cuts_folder(places)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    with TemporaryDirectory() as whole:
        build_pack([places.parts], Path(whole), "lpm-tiny", "in training")
        pack = load_pack(whole)
        for number in range(rank, MOST_FILMS, size):
            budget.keep()
            if not budget.left_s:
                break
            build_cuts(folder, number, pack)
    return (DRAWN_CUTS + POSED_CUTS) * len(list(folder.glob(f"*{SUFFIX}")))


def tiny_retouch(places: Places) -> Run:
    """The retouching network on squares of cuts, which the stage before makes; half an hour of one core."""
    learned, kept_back = cuts_apart(cuts_folder(places))
    if not learned:
        raise NothingToLearn(
            f"{cuts_folder(places)} holds too few cuts to learn retouching from; make them with: lpm train tiny-retouching"
        )
    task = RetouchTask(
        retouch=Retouch(parts.RETOUCH), learned=learned, kept_back=kept_back, weights_file=parts.RETOUCH_FILE
    )
    config = TrainerConfig(
        num_steps=1200,
        batch_samples=16,
        optimizer=OptimizerConfig(muon_learning_rate=0.008, adamw_learning_rate=1.6e-3, clip_norm=1.0),
        warmup_steps=20,
        decay_steps=700,
        ema_decay=0.98,
        save_each_steps=100,
        sample_each_steps=100,
        report_each_steps=20,
    )
    return Run(task=task, config=config)
