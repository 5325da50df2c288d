"""Building shards of clips with several processes: each takes every n-th missing shard."""

import functools
import os
from pathlib import Path
from typing import Final

import torch

from engine.allocator import keep_freed_memory
from engine.packs import file_sha256
from training.data.shards import CLIPS_PER_SHARD, build_shards, claim_folder
from training.parallel import run_processes
from training.recipes.parts import CODEC_FILE, SIZE_PX, trained_codec
from training.recipes.places import Places
from training.time_budget import TimeBudget

LEAST_SHARDS: Final = 4  # so that there are clips to learn from beside the held-out ones
MOST_SHARDS: Final = 512


def build_clips(folder: Path, parts: Path, num_shards: int, num_processes: int) -> None:
    """Makes shards 0 .. `num_shards` - 1 of `folder` with the codec of `parts`, as far as they are missing."""
    trained_codec(parts)  # one clear error here rather than one in each process
    claim_folder(folder, file_sha256(parts / CODEC_FILE))
    run_processes(functools.partial(_build_share, folder, parts, num_shards), num_processes)


def make_clips(places: Places, budget: TimeBudget) -> int:
    """This process's share of as many clips as there is time for, `LEAST_SHARDS` at least; returns how many there are."""
    claim_folder(places.clips, file_sha256(places.parts / CODEC_FILE))
    codec = trained_codec(places.parts)

    def goes_on(number: int) -> bool:
        budget.keep()
        return number < LEAST_SHARDS or budget.left_s > 0

    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    build_shards(places.clips, range(rank, MOST_SHARDS, size), codec, SIZE_PX, goes_on)
    return CLIPS_PER_SHARD * len(list(places.clips.glob("clips-*.safetensors")))


def _build_share(folder: Path, parts: Path, num_shards: int) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    build_shards(folder, range(rank, num_shards, size), trained_codec(parts), SIZE_PX)
