"""`lpm models`: which packs are here, whether they are whole, and what is in them. Called by `studio/cli.py`."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from engine.errors import BadPackError
from engine.locations import pack_dirs
from studio.commandline import model_convert, model_forward, model_info, model_shrink
from studio.commandline.console import counted, one_line, say

_MANIFEST_NAME = "manifest.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm models`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="the packs at hand")
    verify = actions.add_parser("verify", help="check every file of a pack against its hash")
    verify.add_argument("pack", metavar="PACK", help="a pack's name or folder")
    verify.add_argument("--json", action="store_true", help="as JSON on standard output")
    convert = actions.add_parser("convert", help="make a pack from public checkpoints")
    model_convert.add_arguments(convert)
    forward = actions.add_parser("forward", help="one forward with the blocks on disk, for models larger than memory")
    model_forward.add_arguments(forward)
    shrink = actions.add_parser("shrink", help="the same pack with int8 weights, half as large")
    model_shrink.add_arguments(shrink)
    model_info.add_arguments(actions.add_parser("info", help="parameters, work and memory of a pack or a preset"))


def run(options: argparse.Namespace) -> int:
    """Do the one action that was asked for."""
    return {
        "list": _list,
        "verify": _verify,
        "info": model_info.run,
        "forward": model_forward.run,
        "convert": model_convert.run,
        "shrink": model_shrink.run,
    }[options.action](options)


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
    load_pack(folder, "cpu")  # every tensor is there with its shape
    if options.json:
        say(json.dumps({"pack": manifest.name, "version": manifest.version, "is_whole": True}))
    else:
        say(f"{folder}: {manifest.name} {manifest.version} is whole, {counted(len(manifest.components), 'part')}")
    return 0
