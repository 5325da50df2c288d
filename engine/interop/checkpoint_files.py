"""Public checkpoints on disk, whatever their form: names, shapes and one tensor at a time, in bounded memory.

Called by the converter. Read are a safetensors file, shards with their index, several files that share no name, and `.pth` files
through the safe unpickler, memory-mapped. It must not know whose network is inside.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from torch import Tensor

from engine.errors import BadInputError
from engine.mapped_tensors import MappedTensors

PICKLED_SUFFIXES: Final = (".pth", ".pt", ".bin")
WEIGHT_SUFFIXES: Final = (".safetensors", *PICKLED_SUFFIXES)
INDEX_SUFFIX: Final = ".index.json"
NESTED_UNDER: Final = ("model_state", "state_dict", "model", "module")
LARGEST_JSON_BYTES: Final = 64 * 2**20
MAPPED_BYTES: Final = 2**26
"""A mapped `.pth` is let go and mapped anew after so much of it was read, so that its pages do not pile up."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One network's tensors: where each is, its shape and number format, and the config.json beside them."""

    place: Path
    files: Mapping[str, Path]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    config_json: Mapping[str, Any] | None

    def fingerprint(self) -> list[list[str | int]]:
        """Files with their sizes and times: another fingerprint is another checkpoint."""
        seen = sorted(set(self.files.values()))
        return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in seen]


class TensorReader:
    """Reads single tensors of a checkpoint; memory holds the one that is asked for."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Nothing is opened yet."""
        self.checkpoint = checkpoint
        self._mapped: dict[Path, Mapping[str, Tensor]] = {}
        self._mapped_bytes = 0

    def read(self, name: str) -> Tensor:
        """One tensor as it is stored; its pages are let go with it."""
        path = self.checkpoint.files[name]
        if path.suffix == ".safetensors":
            with opened(path) as file:
                return file.tensor(name)
        if path not in self._mapped or self._mapped_bytes > MAPPED_BYTES:
            self._mapped, self._mapped_bytes = {path: unpickled(path)}, 0
        tensor = self._mapped[path][name]
        self._mapped_bytes += tensor.nbytes
        return tensor


def opened(path: Path) -> MappedTensors:
    """A safetensors file; `BadInputError` for what is none."""
    try:
        return MappedTensors(path)
    except (OSError, SafetensorError) as error:
        raise BadInputError(f"{path} is no whole safetensors file ({error}); fetch it again") from None


def unpickled(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a `.pth`, mapped; `BadInputError` for one that holds anything but tensors and plain containers."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # the unpickler has its own kinds, and whatever it says, this file is not read
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise BadInputError(
            f"{path} is no file of plain tensors: {reason[0]}; convert it to safetensors first"
        ) from None
    for key in NESTED_UNDER:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise BadInputError(f"{path} holds a {type(content).__name__}, not tensors by name")
    return {str(name): tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}


def find_checkpoints(source: Path) -> list[Checkpoint]:
    """Every checkpoint in a file or folder: of a folder those right in it and in its direct folders.

    A folder with an index is the shards that it names. Safetensors stand before a `.pth` of the same name.
    """
    if source.is_file():
        files = [source]
        if source.name.endswith(INDEX_SUFFIX):
            return [_indexed(source)]
        if source.suffix not in WEIGHT_SUFFIXES:
            raise BadInputError(f"{source}: weights are {', '.join(WEIGHT_SUFFIXES)} files or folders of them")
        return [_checkpoint(source, files)]
    if not source.is_dir():
        raise BadInputError(f"{source} does not exist; name a checkpoint's file or folder")
    folders = [source, *sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))]
    found = [checkpoint for folder in folders for checkpoint in _in_folder(folder)]
    if not found:
        raise BadInputError(f"{source} holds no weights; looked for {', '.join(WEIGHT_SUFFIXES)} in it and its folders")
    return found


def _in_folder(folder: Path) -> list[Checkpoint]:
    indexed = [_indexed(path) for path in sorted(folder.glob(f"*{INDEX_SUFFIX}"))]
    taken = {path for checkpoint in indexed for path in checkpoint.files.values()}
    loose = sorted(path for path in folder.iterdir() if path.suffix in WEIGHT_SUFFIXES and path not in taken)
    safe = {path.stem for path in loose if path.suffix == ".safetensors"}
    return indexed + [
        _checkpoint(path, [path]) for path in loose if path.suffix == ".safetensors" or path.stem not in safe
    ]


def _indexed(index: Path) -> Checkpoint:
    table = _json(index)
    weight_map = table.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise BadInputError(f"{index} has no weight_map; fetch it again")
    files = sorted({str(name) for name in weight_map.values()})
    for name in files:
        if Path(name).name != name or Path(name).suffix not in WEIGHT_SUFFIXES:
            raise BadInputError(f"{index} names {name!r}, which is no weight file beside it")
        if not (index.parent / name).is_file():
            raise BadInputError(f"{index.parent / name} is missing; the index names it, fetch it too")
    checkpoint = _checkpoint(index, [index.parent / name for name in files])
    lost = sorted(set(weight_map) - set(checkpoint.files))
    if lost:
        raise BadInputError(
            f"{index} names {len(lost)} tensors that are in no shard, such as {lost[0]}; fetch it again"
        )
    return checkpoint


def _checkpoint(place: Path, paths: list[Path]) -> Checkpoint:
    files: dict[str, Path] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    for path in paths:
        read: Callable[[Path], Mapping[str, tuple[tuple[int, ...], str]]] = (
            _safe_facts if path.suffix == ".safetensors" else _pickled_facts
        )
        for name, (shape, dtype) in read(path).items():
            if name in files:
                raise BadInputError(f"{name} is both in {files[name].name} and in {path.name} of {place.parent}")
            files[name], shapes[name], dtypes[name] = path, shape, dtype
    config = place.parent / "config.json"
    return Checkpoint(
        place=place, files=files, shapes=shapes, dtypes=dtypes, config_json=_json(config) if config.is_file() else None
    )


def _safe_facts(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    with opened(path) as file:
        return {name: (shape, str(file.dtypes[name])) for name, shape in file.shapes.items()}


def _pickled_facts(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in unpickled(path).items()}


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_JSON_BYTES:
            raise ValueError("it is too large")
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is no readable JSON ({error}); fetch it again") from None
    if not isinstance(table, dict):
        raise BadInputError(f"{path} is no table in JSON; fetch it again")
    return table
