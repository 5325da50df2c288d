"""`lpm models`: which packs are here, whether they are whole, and what is in them. Called by `studio/cli.py`."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadPackError
from engine.locations import pack_dirs
from studio.commandline.console import one_line, say

if TYPE_CHECKING:
    from engine import LoadedPack

_MANIFEST_NAME = "manifest.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm models`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the packs at hand")
    for action, text in (
        ("verify", "check every file of a pack against its hash"),
        ("info", "sizes and work of a pack"),
    ):
        verb = actions.add_parser(action, help=text)
        verb.add_argument("pack", metavar="PACK", help="a pack's name or folder")
        verb.add_argument("--json", action="store_true", help="as JSON on standard output")


def run(options: argparse.Namespace) -> int:
    """Do the one action that was asked for."""
    return {"list": _list, "verify": _verify, "info": _info}[options.action](options)


def pack_folders() -> Iterator[Path]:
    """The folders of all packs at hand; the person's own hide those that ship under the same name."""
    seen: set[str] = set()
    for place in pack_dirs():
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.name not in seen and (folder / _MANIFEST_NAME).is_file():
                seen.add(folder.name)
                yield folder


def _list(options: argparse.Namespace) -> int:
    del options
    from engine.packs import read_manifest

    folders = list(pack_folders())
    if not folders:
        say(f"There is no model pack yet; packs lie in {pack_dirs()[0]}")
    width = max((len(folder.name) for folder in folders), default=0)
    for folder in folders:
        try:
            manifest = read_manifest(folder)
        except BadPackError as error:
            say(f"{folder.name:<{width}}  cannot be used: {one_line(str(error))}")
            continue
        say(f"{folder.name:<{width}}  {manifest.version}  {_size_mb(folder):.0f} MB  {one_line(manifest.description)}")
    return 0


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 2**20


def _verify(options: argparse.Namespace) -> int:
    from engine import load_pack
    from engine.loaded_pack import find_pack
    from engine.packs import file_sha256, read_manifest

    folder = find_pack(options.pack)
    manifest = read_manifest(folder)
    for entry in manifest.components:
        path = folder / entry.file
        if not path.is_file():
            raise BadPackError(f"{path} is missing; fetch the pack again")
        if file_sha256(path) != entry.sha256:
            raise BadPackError(f"{path} is damaged (its hash is not the manifest's); fetch the pack again")
    load_pack(folder)  # every tensor is there with its shape
    if options.json:
        say(json.dumps({"pack": manifest.name, "version": manifest.version, "is_whole": True}))
    else:
        say(f"{folder}: {manifest.name} {manifest.version} is whole, {len(manifest.components)} parts")
    return 0


def _info(options: argparse.Namespace) -> int:
    from engine import load_pack

    pack = load_pack(options.pack)
    info = _facts(pack)
    if options.json:
        say(json.dumps(info, indent=2))
        return 0
    parts = info.pop("parameters")
    for name, value in (info | {f"parameters, {part}": count for part, count in parts.items()}).items():
        say(f"{name.replace('_', ' '):<28} {f'{value:,}' if isinstance(value, int) else one_line(str(value))}")
    return 0


def _facts(pack: "LoadedPack") -> dict[str, Any]:
    modules = {
        "codec": pack.codec,
        "base": pack.transformer,
        "speak_encoder": pack.speak_encoder,
        "listen_encoder": pack.listen_encoder,
        "text_encoder": pack.text_encoder,
    }
    parameters = {role: sum(weight.numel() for weight in module.parameters()) for role, module in modules.items()}
    side = pack.size_px // pack.codec.spatial_stride
    _, patch_rows, patch_columns = pack.transformer.config.patch_size
    return {
        "name": pack.manifest.name,
        "version": pack.manifest.version,
        "description": pack.manifest.description,
        "licence": pack.manifest.licence,
        "folder": str(pack.folder),
        "size_px": pack.size_px,
        "steps": pack.base.num_steps,
        "parameters": {"total": sum(parameters.values())} | parameters,
        "flops_per_forward": _flops_per_forward(pack),
        "tokens_per_chunk": pack.base.new_latents * (side // patch_rows) * (side // patch_columns),
        "cache_bytes": 0,  # the base model keeps no keys and values from window to window
    }


def _flops_per_forward(pack: "LoadedPack") -> int:
    """Multiplications and additions of one forward over a window with one reference, counted as it runs."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from engine.benchmarks import window_inputs

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        pack.transformer(window_inputs(pack, pack.base))
    return int(counter.get_total_flops())
