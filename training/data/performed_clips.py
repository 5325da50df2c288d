"""Clips that are performed and heard but not drawn, behind the frozen encoders: what plans of motion are learned from.

Drawing and encoding pictures is most of the cost of a clip, and a plan never sees one: for the price of a drawn clip there are a dozen
performed ones, so words and the ways to carry them out are met far more often. Each moment has a caption of its own here. Called by
the plan of stages and by the recipe of the motion model.
"""

import logging
import os
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from training.actor.directions import each_by_itself, sample_spans
from training.actor.performance import perform_clip
from training.data.clips import LEAD_FRAMES, as_int16, caption_rows, clip_kind
from training.data.encoded import ClipEncoders, encode_clips, kept_rows
from training.data.motion_rows import FRAMES_PER_ROW
from training.data.performances import voice_pool
from training.data.shards import stacked
from training.data.windows import ClipFeatures

logger = logging.getLogger(__name__)

PERFORMED_FRAMES: Final = 144  # longer than drawn clips: time for one direction after another
PERFORMED_SEEDS: Final = 500_000  # drawn clips count from zero, held-out ones from nine millions
PERFORMED_PER_SHARD: Final = 64
MOST_CAPTIONS: Final = 6  # three spans of two moments
PERFORMED_ROWS: Final = "performed-*/*.rows"  # all that is kept beside clips


def performed_folder(folder: Path, encoders: ClipEncoders) -> Path:
    """Where performances behind these encoders lie, beside the clips of `folder`."""
    return folder / f"performed-with-closures-{encoders.name}"


def build_performed(folder: Path, number: int, encoders: ClipEncoders) -> bool:
    """Makes shard `number` in `folder`, whole or not at all; returns whether it was missing."""
    path = folder / f"{number:06d}.rows"
    if path.exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    first = PERFORMED_SEEDS + number * PERFORMED_PER_SHARD
    clips = [perform(seed) for seed in range(first, first + PERFORMED_PER_SHARD)]
    together = {name: torch.stack([clip[name] for clip in clips]) for name in clips[0]}
    kept = {name: together[name] for name in ("state_TK", "text_of_latent_F")} | encode_clips(together, encoders)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    save_file({name: tensor.contiguous() for name, tensor in kept.items()}, partial)
    partial.replace(path)
    logger.info("performances %d to %d", first, first + PERFORMED_PER_SHARD - 1)
    return True


def perform(seed: int) -> dict[str, Tensor]:
    """One performance as the tensors of a drawn clip that need no picture; its first `LEAD_FRAMES` are heard only."""
    rng, num_frames = np.random.default_rng([seed, 79]), LEAD_FRAMES + PERFORMED_FRAMES
    kind = clip_kind(rng)
    told = each_by_itself(sample_spans(rng, num_frames, kind))
    performance = perform_clip(seed, num_frames, kind, voice_pool(), told=told)
    text_NL, text_of_latent_F = caption_rows(performance, PERFORMED_FRAMES, FRAMES_PER_ROW, MOST_CAPTIONS)
    return {
        "state_TK": torch.from_numpy(performance.state_TK[LEAD_FRAMES:]).half(),
        "speak_S": as_int16(performance.speak_S),
        "listen_S": as_int16(performance.listen_S),
        "text_NL": text_NL,
        "text_of_latent_F": text_of_latent_F,
    }


def performed_clips(folder: Path, encoders: ClipEncoders) -> ClipFeatures | None:
    """All performances beside the clips of `folder`, in memory; None where there are none."""
    paths = sorted(performed_folder(folder, encoders).glob("*.rows"))
    if not paths:
        return None
    rows = stacked({path: kept_rows(path) for path in paths})
    clips = {name: rows.pop(name) for name in ("state_TK", "text_of_latent_F")}
    return ClipFeatures(clips=clips, **rows)
