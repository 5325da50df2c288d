"""Shards of encoded clips on disk: drawn once, read for as many epochs as a run lasts.

Built ahead of training (`build_shards`) and held in memory while it runs. A shard is a safetensors file of stacked clips,
named by its number; a folder belongs to one codec, whose hash is written beside the shards, and another codec is refused.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.codec.protocol import VideoCodec
from engine.errors import BadInputError
from training.data.clips import make_clip

logger = logging.getLogger(__name__)

CLIPS_PER_SHARD = 16
FINGERPRINT_NAME = "codec.sha256"


def shard_path(folder: Path, number: int) -> Path:
    """The file of one shard."""
    return folder / f"clips-{number:06d}.safetensors"


def build_shards(
    folder: Path, numbers: range, codec: VideoCodec, size_px: int, goes_on: Callable[[int], bool] = lambda _number: True
) -> None:
    """Makes the missing shards of `numbers` as long as it `goes_on` with the next; a kill leaves whole shards only."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        if not goes_on(number):
            return
        path = shard_path(folder, number)
        if path.exists():
            continue
        first = number * CLIPS_PER_SHARD
        clips = [make_clip(clip, codec, size_px) for clip in range(first, first + CLIPS_PER_SHARD)]
        partial = path.with_suffix(".partial")
        save_file({name: torch.stack([clip[name] for clip in clips]).contiguous() for name in clips[0]}, partial)
        partial.replace(path)
        logger.info("shard %d of %d", number - numbers.start + 1, len(numbers))


def claim_folder(folder: Path, codec_sha256: str) -> None:
    """Marks the folder as made with this codec; `BadInputError` if it was made with another."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / FINGERPRINT_NAME
    if not mark.exists():
        mark.write_text(codec_sha256)
    if mark.read_text() != codec_sha256:
        raise BadInputError(f"the clips in {folder} were encoded by another codec; build them anew in another folder")


def load_shards(folder: Path, names: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """All whole shards of a folder in the order of their numbers, stacked over clips, or of each only the tensors of `names`.

    `number` beside them is each clip's own. `BadInputError` if there are none.
    """
    paths = sorted(folder.glob("clips-*.safetensors"))
    if not paths:
        raise BadInputError(f"{folder} holds no clips; build them with: lpm data clips -o {folder}")
    loaded: dict[str, list[Tensor]] = {}
    for path in paths:
        with safe_open(path, framework="pt") as shard:
            for name in names or shard.keys():
                loaded.setdefault(name, []).append(shard.get_tensor(name))
        first = int(path.stem.removeprefix("clips-")) * CLIPS_PER_SHARD
        loaded.setdefault("number", []).append(torch.arange(first, first + CLIPS_PER_SHARD))
    return {name: torch.cat(tensors) for name, tensors in loaded.items()}
