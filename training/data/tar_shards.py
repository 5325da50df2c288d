"""Shards as tars in the manner of WebDataset: a clip is two neighbouring members, `000016.json` and `000016.safetensors`.

The form in which clips travel: read from front to back, from a disk or a pipe, by anything that knows tar. The JSON says which clip
it is and which codec encoded it; the safetensors hold its tensors. Python's own tarfile is enough for that, and the loaders that come with
the form would also decode pickles, which nothing here may. Files from elsewhere are hostile: nothing is ever extracted, what is no
plain file of the two kinds is refused by name, and sizes are bounded before anything is read. Called by `training.data.shards`.
"""

import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from engine.errors import BadInputError

FORMAT: Final = 1
MEMBER_NAME: Final = re.compile(r"([0-9]{1,12})\.(json|safetensors)")
MOST_BYTES: Final = {"json": 64 * 1024, "safetensors": 256 * 1024 * 1024}
MOST_CLIPS: Final = 4096
SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class TarClip:
    """One clip of a tar."""

    number: int
    codec_sha256: str
    tensors: dict[str, Tensor]


def write_tar(path: Path, clips: Iterator[TarClip]) -> int:
    """A tar of clips, beside the target and then swapped; the same clips give the same bytes. Returns how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    count = 0
    try:
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
            for clip in clips:
                told = {"format": FORMAT, "number": clip.number, "codec_sha256": clip.codec_sha256}
                _add(tar, f"{clip.number:06d}.json", json.dumps(told).encode())
                tensors = {name: tensor.contiguous() for name, tensor in clip.tensors.items()}
                _add(tar, f"{clip.number:06d}.safetensors", save(tensors))
                count += 1
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def read_tar(path: Path) -> Iterator[TarClip]:
    """The clips of a tar, one after another; `BadInputError` names the member that is not what it should be."""
    try:
        with tarfile.open(path, "r|") as tar:
            yield from _clips(path, tar)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadInputError(f"{path} is no tar that can be read ({error}); fetch it again") from error


def _clips(path: Path, tar: tarfile.TarFile) -> Iterator[TarClip]:
    told: dict[str, Any] | None = None
    seen: set[int] = set()
    for member in tar:
        number, kind, content = _content(path, tar, member)
        if kind == "json":
            if told is not None or number in seen or len(seen) >= MOST_CLIPS:
                raise _unfit(
                    path, member.name, f"each clip is a .json and its .safetensors, once, {MOST_CLIPS} at most"
                )
            told = _told(path, member.name, content, number)
            seen.add(number)
            continue
        if told is None or told["number"] != number:
            raise _unfit(path, member.name, "its .json must stand right before it")
        try:
            tensors = load(content)
        except SafetensorError as error:
            raise _unfit(path, member.name, str(error)) from error
        yield TarClip(number=number, codec_sha256=told["codec_sha256"], tensors=tensors)
        told = None
    if told is not None:
        raise _unfit(path, f"{told['number']:06d}.json", "its .safetensors are missing; the tar was cut off")


def _content(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[int, str, bytes]:
    """Number, kind and bytes of a member that is a plain file of a fit name and size."""
    named = MEMBER_NAME.fullmatch(member.name)
    if named is None or not member.isreg() or member.issparse():
        raise _unfit(path, member.name, "a shard holds plain files NUMBER.json and NUMBER.safetensors and nothing else")
    kind = named[2]
    if member.size > MOST_BYTES[kind]:
        raise _unfit(path, member.name, f"it has {member.size} bytes, {MOST_BYTES[kind]} at most")
    opened: IO[bytes] | None = tar.extractfile(member)
    assert opened is not None, "a plain file has content"
    return int(named[1]), kind, opened.read()


def _told(path: Path, name: str, content: bytes, number: int) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _unfit(path, name, f"no JSON: {error}") from error
    fits = isinstance(told, Mapping) and told.get("format") == FORMAT and told.get("number") == number
    if not fits or not isinstance(told.get("codec_sha256"), str) or not SHA256.fullmatch(told["codec_sha256"]):
        raise _unfit(path, name, f"it must tell format {FORMAT}, number {number} and codec_sha256")
    return dict(told)


def _unfit(path: Path, name: str, reason: str) -> BadInputError:
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    return BadInputError(f"{path}: {shown!r} cannot be used: {reason}")
