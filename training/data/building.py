"""Building shards of clips with several processes: each takes every n-th missing shard."""

import functools
import os
from pathlib import Path

import torch

from engine.allocator import keep_freed_memory
from engine.packs import file_sha256
from training.data.shards import build_shards, claim_folder
from training.parallel import run_processes
from training.recipes.parts import CODEC_FILE, SIZE_PX, trained_codec


def build_clips(folder: Path, parts: Path, num_shards: int, num_processes: int) -> None:
    """Makes shards 0 .. `num_shards` - 1 of `folder` with the codec of `parts`, as far as they are missing."""
    trained_codec(parts)  # one clear error here rather than one in each process
    claim_folder(folder, file_sha256(parts / CODEC_FILE))
    run_processes(functools.partial(_build_share, folder, parts, num_shards), num_processes)


def _build_share(folder: Path, parts: Path, num_shards: int) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    build_shards(folder, range(rank, num_shards, size), trained_codec(parts), SIZE_PX)
