"""Packs of which one component is another, missing or damaged, and the one line in which they are refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from engine.errors import BadPackError
from engine.loaded_pack import load_pack
from engine.packs import ComponentEntry, Manifest, read_manifest, write_pack
from tests.engine.small_pack import stored


def without(manifest: Manifest, *roles: str) -> Manifest:
    return replace(manifest, components=tuple(each for each in manifest.components if each.role not in roles))


def describe(folder: Path, entry: ComponentEntry) -> None:
    """Another entry for a role in the manifest."""
    others = without(read_manifest(folder), entry.role)
    write_pack(folder, replace(others, components=(*others.components, entry)))


def swap(folder: Path, role: str, kind: str, module: nn.Module, config: object) -> None:
    """Another network in a role."""
    describe(folder, stored(folder, role, kind, module, config))


def refusal(folder: Path) -> str:
    with pytest.raises(BadPackError) as told:
        load_pack(folder)
    assert "\n" not in str(told.value)
    return str(told.value)


def check_that_damage_is_noticed(folder: Path, file_name: str) -> None:
    """First one bit of the file, then all of it."""
    path = folder / file_name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert f"{file_name} is damaged" in refusal(folder)
    path.unlink()
    assert f"{file_name} is missing" in refusal(folder)
