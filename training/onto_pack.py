"""A pack with some of its components trained further: everything else, settings with it, is as that pack has it.

For what was begun from a whole pack, of whatever size (fine-tuning, votes). Called by `python -m training pack RUN --onto PACK`.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from engine.component_kinds import build_component, kind_of_config
from engine.encoders.umt5_tokenizer import TOKENIZER_NAME
from engine.errors import BadInputError
from engine.packs import ComponentEntry, Manifest, file_sha256, fill_from_file, read_manifest, save_as, write_pack

STORED_DTYPE = "int8"  # of what a pack had not yet
STORED_DTYPE_OF = {"codec": "int8_but_finest_level"}


def pack_onto(
    pack: Path, runs: list[Path], output: Path, name: str, version: str, reshaped: Mapping[str, object] | None = None
) -> Manifest:
    """Writes the pack; a component comes from the first run that has one of its role (`base.safetensors`).

    `reshaped` are the configs, by role, of what was trained in another shape than the pack has it in, or which it has not at all.
    `BadInputError` where the folder is there already, or no run has anything that the pack could take.
    """
    if output.exists():
        raise BadInputError(f"{output}: this is there already; give the name of a new folder")
    manifest = read_manifest(pack)
    manifest = replace(manifest, components=(*manifest.components, *_new_components(manifest, reshaped or {})))
    trained = {
        entry.role: run / f"{entry.role}.safetensors"
        for entry in manifest.components
        for run in reversed(runs)
        if (run / f"{entry.role}.safetensors").is_file()
    }
    if not trained:
        raise BadInputError(
            f"none of {', '.join(map(str, runs))} holds a component of {manifest.name}; give the folder of a run"
        )
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    entries: list[ComponentEntry] = []
    parted = {entry.file for entry in manifest.components if entry.role in trained}
    for entry in manifest.components:
        # One network may have two roles, and stays one unless it was trained in one of them.
        path = partial / (f"{entry.role}.safetensors" if entry.file in parted else entry.file)
        if entry.role in trained:
            if reshaped and entry.role in reshaped:
                stored = STORED_DTYPE_OF.get(entry.role, entry.dtype)
                entry = replace(entry, config=asdict(reshaped[entry.role]), dtype=stored)  # type: ignore[call-overload]
            network = build_component(entry, str(pack))
            fill_from_file(trained[entry.role], network)
            save_as(path, network, entry.dtype)
        elif not entry.sha256:
            raise BadInputError(
                f"{pack} has no {entry.role}, and none of {', '.join(map(str, runs))} holds {path.name}; train it first"
            )
        elif not path.exists():
            shutil.copyfile(pack / entry.file, path)
        sha256 = file_sha256(path)
        same = next((other.file for other in entries if other.sha256 == sha256), path.name)
        if same != path.name:
            path.unlink()
        entries.append(replace(entry, file=same, sha256=sha256))
    if (pack / TOKENIZER_NAME).is_file():
        shutil.copyfile(pack / TOKENIZER_NAME, partial / TOKENIZER_NAME)
    made = replace(manifest, name=name, version=version, components=tuple(entries))
    write_pack(partial, made)
    partial.rename(output)
    return made


def _new_components(manifest: Manifest, configs: Mapping[str, object]) -> list[ComponentEntry]:
    """Entries of roles that a pack has not yet; their files are still to be written."""
    known = {entry.role for entry in manifest.components}
    return [
        ComponentEntry(
            role=role,
            kind=kind_of_config(config),
            file=f"{role}.safetensors",
            dtype=STORED_DTYPE,
            sha256="",
            config=asdict(config),  # type: ignore[call-overload]
        )
        for role, config in configs.items()
        if role not in known
    ]
