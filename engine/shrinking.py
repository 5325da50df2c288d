"""A pack with its weights as int8, beside the one that it was made from: how much smaller, and what it costs.

Called by `lpm models shrink`. Nothing but the storage changes: the engine computes as before with the rounded weights.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from safetensors.torch import load_file

from engine.component_kinds import build_component
from engine.encoders.umt5_tokenizer import TOKENIZER_NAME
from engine.errors import BadInputError
from engine.int8_weights import error_db, unpacked
from engine.packs import (
    ComponentEntry,
    Manifest,
    file_sha256,
    load_weights,
    read_manifest,
    save_as,
    write_pack,
)

INT8: Final = "int8"
SHRUNK_AS: Final = {"folded_vae": "int8_but_decoder"}  # by kind, where it is not int8


@dataclass(frozen=True, kw_only=True)
class ShrunkComponent:
    """One file before and after, by its first role; `error_db` is the rounding's power below the weights'."""

    role: str
    bytes_before: int
    bytes_after: int
    error_db: float


def shrink_pack(folder: Path, output: Path, roles: Collection[str] | None = None) -> list[ShrunkComponent]:
    """Writes the pack of `folder` into a new folder, the components of `roles` (all by default) as int8, the others as they are.

    A small codec's decoder stays bfloat16 (`engine.packs.KEPT_PARTS`).

    `BadInputError` where the new folder exists or the pack has no such role, `BadPackError` for a pack that is not whole.
    """
    if output.exists():
        raise BadInputError(f"{output}: this is there already; give the name of a new folder")
    manifest = read_manifest(folder)
    known = [entry.role for entry in manifest.components]
    missing = sorted(set(roles or ()) - set(known))
    if missing:
        raise BadInputError(f"{folder.name} has no {', '.join(missing)}; it has {', '.join(known)}")
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        found = _write(folder, partial, manifest, set(known if roles is None else roles))
        partial.rename(output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return found


def _write(folder: Path, partial: Path, manifest: Manifest, roles: set[str]) -> list[ShrunkComponent]:
    entries: list[ComponentEntry] = []
    found: list[ShrunkComponent] = []
    written: dict[str, ComponentEntry] = {}  # by file: one network may have two roles, and stays one
    roles = roles | {entry.role for entry in manifest.components if entry.file in _files(manifest, roles)}
    for entry in manifest.components:
        if entry.file in written:
            same = written[entry.file]
            entries.append(replace(entry, file=same.file, dtype=same.dtype, sha256=same.sha256))
            continue
        before, after = folder / entry.file, partial / f"{entry.role}.safetensors"
        network = build_component(entry, str(folder))
        load_weights(folder, entry, network)  # checks the hash and every shape
        shrunk_as = SHRUNK_AS.get(entry.kind, INT8)
        is_shrunk = entry.role in roles and entry.dtype not in (INT8, shrunk_as)
        if is_shrunk:
            save_as(after, network, shrunk_as)
        else:
            shutil.copyfile(before, after)
        written[entry.file] = _entry(entry, after, shrunk_as if is_shrunk else entry.dtype)
        entries.append(written[entry.file])
        found.append(
            ShrunkComponent(
                role=entry.role,
                bytes_before=before.stat().st_size,
                bytes_after=after.stat().st_size,
                error_db=error_db(unpacked(load_file(before)), unpacked(load_file(after))),
            )
        )
    if (folder / TOKENIZER_NAME).is_file():
        shutil.copyfile(folder / TOKENIZER_NAME, partial / TOKENIZER_NAME)
    write_pack(partial, replace(manifest, components=tuple(entries)))
    return found


def _files(manifest: Manifest, roles: set[str]) -> set[str]:
    return {entry.file for entry in manifest.components if entry.role in roles}


def _entry(entry: ComponentEntry, path: Path, dtype: str) -> ComponentEntry:
    return replace(entry, file=path.name, dtype=dtype, sha256=file_sha256(path))
