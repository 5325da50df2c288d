"""A pack with some of its components trained further: everything else, settings with it, is as that pack has it.

For what was begun from a whole pack, of whatever size (fine-tuning, votes). Called by `python -m training pack RUN --onto PACK`.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from engine.component_kinds import build_component
from engine.encoders.umt5_tokenizer import TOKENIZER_NAME
from engine.errors import BadInputError
from engine.packs import STORED_DTYPES, Manifest, file_sha256, fill_from_file, read_manifest, save_weights, write_pack


def pack_onto(pack: Path, runs: list[Path], output: Path, name: str, version: str) -> Manifest:
    """Writes the pack; a component comes from the first run that has one of its role (`base.safetensors`).

    `BadInputError` where the folder is there already, or no run has anything that the pack could take.
    """
    if output.exists():
        raise BadInputError(f"{output}: this is there already; give the name of a new folder")
    manifest = read_manifest(pack)
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
    entries = []
    for entry in manifest.components:
        path = partial / f"{entry.role}.safetensors"  # of its own, where the pack has one network in two roles
        if entry.role in trained:
            network = build_component(entry, str(pack))
            fill_from_file(trained[entry.role], network)
            save_weights(path, network, STORED_DTYPES[entry.dtype])
        else:
            shutil.copyfile(pack / entry.file, path)
        entries.append(replace(entry, file=path.name, sha256=file_sha256(path)))
    if (pack / TOKENIZER_NAME).is_file():
        shutil.copyfile(pack / TOKENIZER_NAME, partial / TOKENIZER_NAME)
    made = replace(manifest, name=name, version=version, components=tuple(entries))
    write_pack(partial, made)
    partial.rename(output)
    return made
