"""Shards of encoded clips on disk: drawn once, read for as many epochs as a run lasts.

Built ahead of training (`build_shards`) and held in memory while it runs. A shard is a safetensors file of stacked clips,
named by its number; a folder belongs to one codec, whose hash is written beside the shards, and another codec is refused.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.codec.protocol import VideoCodec
from engine.errors import BadInputError
from training.data.clips import make_clip
from training.data.tar_shards import TarClip, read_tar, write_tar

logger = logging.getLogger(__name__)

CLIPS_PER_SHARD = 16
FINGERPRINT_NAME = "codec.sha256"
NUMBER = "number"


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


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a folder, plain ones first, in the order of their names; `BadInputError` if there are none."""
    paths = [path for kind in ("safetensors", "tar") for path in sorted(folder.glob(f"clips-*.{kind}"))]
    if not paths:
        raise BadInputError(f"{folder} holds no clips; build them with: lpm data clips -o {folder}")
    return paths


def load_shards(folder: Path, names: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """All whole shards of a folder in the order of their names, stacked over clips, or of each only the tensors of `names`.

    Shards are safetensors, or tars (`training.data.tar_shards`). `number` beside the tensors is each clip's own. `BadInputError` if there
    are none, or clips do not fit together.
    """
    return stacked({path: load_shard(path, names) for path in shard_paths(folder)})


def load_shard(path: Path, names: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """One shard's clips, stacked, with their `number`: the tensors of `names`, or all but those of `without`."""
    if path.suffix == ".tar":
        tensors = _tar_shard(path, names, path.parent / FINGERPRINT_NAME)
        return {name: tensor for name, tensor in tensors.items() if name not in without}
    return _plain_shard(path, names, without)


def stacked(shards: Mapping[Path, dict[str, Tensor]]) -> dict[str, Tensor]:
    """The clips of several shards after each other; `BadInputError` where they do not fit together."""
    loaded: dict[str, list[Tensor]] = {}
    for path, tensors in shards.items():
        for name, tensor in tensors.items():
            of_others = loaded.setdefault(name, [])
            if of_others and (of_others[0].shape[1:] != tensor.shape[1:] or of_others[0].dtype != tensor.dtype):
                raise BadInputError(
                    f"{path}: {name} is {_form(tensor)}, in other shards {_form(of_others[0])}; build them anew"
                )
            of_others.append(tensor)
    return {name: torch.cat(tensors) for name, tensors in loaded.items()}


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape[1:])} a clip"


def _plain_shard(path: Path, names: tuple[str, ...], without: tuple[str, ...]) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as shard:
        tensors = {name: shard.get_tensor(name) for name in names or shard.keys() if name not in without}
    first = first_number(path)
    return {**tensors, NUMBER: torch.arange(first, first + CLIPS_PER_SHARD)}


def first_number(path: Path) -> int:
    """The number of a plain shard's first clip."""
    return int(path.stem.removeprefix("clips-")) * CLIPS_PER_SHARD


def _tar_shard(path: Path, names: tuple[str, ...], mark: Path) -> dict[str, Tensor]:
    """A tar's clips, stacked; `BadInputError` where they are of another codec than the folder, or unlike each other."""
    clips: list[TarClip] = []
    for clip in read_tar(path):
        if mark.is_file() and mark.read_text() != clip.codec_sha256:
            raise BadInputError(
                f"{path}: clip {clip.number} was encoded by another codec than the folder's; keep them apart"
            )
        missing = set(names) - clip.tensors.keys()
        if missing or (clips and clip.tensors.keys() != clips[0].tensors.keys()):
            odd = missing or clip.tensors.keys() ^ clips[0].tensors.keys()
            raise BadInputError(
                f"{path}: clip {clip.number} lacks {', '.join(sorted(odd))}, or others do; build it anew"
            )
        clips.append(clip)
    if not clips:
        raise BadInputError(f"{path} holds no clips; delete it")
    try:
        stacked = {name: torch.stack([clip.tensors[name] for clip in clips]) for name in names or clips[0].tensors}
    except RuntimeError as error:
        raise BadInputError(f"{path} holds clips of different sizes; build it anew") from error
    return {**stacked, NUMBER: torch.tensor([clip.number for clip in clips])}


def write_tars(folder: Path, output: Path) -> int:
    """The plain shards of a folder as tars, one each, with the folder's fingerprint; returns how many clips there are."""
    paths = sorted(folder.glob("clips-*.safetensors"))
    mark = folder / FINGERPRINT_NAME
    if not paths or not mark.is_file():
        raise BadInputError(
            f"{folder} holds no clips with their {FINGERPRINT_NAME}; build them with: lpm data clips -o {folder}"
        )
    codec_sha256 = mark.read_text()
    claim_folder(output, codec_sha256)
    return sum(write_tar(output / f"{path.stem}.tar", _clips_of(path, codec_sha256)) for path in paths)


def _clips_of(path: Path, codec_sha256: str) -> Iterator[TarClip]:
    tensors = _plain_shard(path, (), ())
    numbers = tensors.pop(NUMBER).tolist()
    for index, number in enumerate(numbers):
        clip = {name: tensor[index].clone() for name, tensor in tensors.items()}
        yield TarClip(number=number, codec_sha256=codec_sha256, tensors=clip)
