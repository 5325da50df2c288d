"""`lpm models forward`: one forward of a model that need not fit into memory, its blocks read from disk as their turn comes.

A preset gets random weights, which are written first and removed afterwards unless a folder for them is named. Called by
`studio/commandline/models.py`.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.errors import BadInputError, BadPackError
from engine.media.files_to_write import check_files_to_write, check_folder_to_write
from engine.media.whole_files import write_text_file
from studio.commandline.console import ProgressLine, say

if TYPE_CHECKING:
    from engine.figures.workload import Workload
    from engine.model_config import DitConfig

_FILE_NAME: Final = "base.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm models forward`."""
    parser.add_argument("name", metavar="NAME", help="a pack's name or folder, or a preset: tiny, small, 17b")
    parser.add_argument("--resolution", default="256x256", metavar="WxH", help="size of the film (default 256x256)")
    parser.add_argument("--latents", type=int, default=2, metavar="N", help="latent frames (default 2)")
    parser.add_argument("--references", type=int, default=0, metavar="N", help="reference pictures, 0 to 5 (default 0)")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="where a preset's random weights are made and kept")
    parser.add_argument("--json", type=Path, metavar="OUT.json", help="where the figures go")


def run(options: argparse.Namespace) -> int:
    """Run it and say what it took."""
    if not 0 <= options.references <= 5:
        raise BadInputError(f"--references is 0 to 5, not {options.references}")
    check_files_to_write({"--json": options.json}, _files_read(options))
    if options.weights is not None:
        check_folder_to_write(options.weights)

    from engine.single_forward import forward_from_disk

    with ExitStack() as stack:
        config, stride_px, path = _weights(options, stack)
        figures = asdict(forward_from_disk(config, path, _work(options, config, stride_px)))
    facts = {
        "model": options.name,
        "resolution": options.resolution,
        "latents": options.latents,
        "references": options.references,
    } | figures
    if options.json is not None:
        write_text_file(options.json, json.dumps(facts, indent=1) + "\n")
    for name, value in facts.items():
        say(f"{name.replace('_', ' '):<20} {f'{value:,}' if isinstance(value, int | float) else value}")
    return 0


def _files_read(options: argparse.Namespace) -> Iterator[Path]:
    from engine.loaded_pack import pack_files

    if options.weights is not None:
        yield options.weights / _FILE_NAME
    with suppress(BadPackError):  # a preset, perhaps; what it is not is told later
        yield from pack_files(options.name)


def _weights(options: argparse.Namespace, stack: ExitStack) -> "tuple[DitConfig, int, Path]":
    """The config, the codec's stride and the file of the weights; a preset's are made where they are missing."""
    from engine.component_kinds import component_config
    from engine.loaded_pack import find_pack
    from engine.model_config import CODEC_STRIDE_PX, DIT_PRESETS, dit_preset
    from engine.packs import read_manifest

    try:
        folder = find_pack(options.name)
    except BadPackError as error:
        if options.name not in DIT_PRESETS:
            raise BadPackError(f"{error}; presets: {', '.join(DIT_PRESETS)}") from None
        config, stride_px = dit_preset(options.name), CODEC_STRIDE_PX[options.name]
        _work(options, config, stride_px)  # a size that cannot be is told before anything is written
        return config, stride_px, _random_weights(options, config, stack)
    manifest = read_manifest(folder)
    entry = manifest.component("base")
    stride_px = component_config(manifest.component("codec"), str(folder)).spatial_stride
    return component_config(entry, str(folder)), stride_px, folder / entry.file


def _random_weights(options: argparse.Namespace, config: "DitConfig", stack: ExitStack) -> Path:
    from engine.random_weights import transformer_specs, write_random_transformer

    if options.weights is None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lpm-weights-")))
    else:
        folder = options.weights
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / _FILE_NAME
    if path.is_file() and not path.with_suffix(".journal").exists():
        return path  # whole; its names and shapes are checked when it is opened
    import torch

    needed_bytes = sum(spec.nbytes for spec in transformer_specs(config, torch.bfloat16).values())
    there_bytes = path.stat().st_size if path.is_file() else 0
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes - there_bytes > free_bytes:
        raise BadInputError(
            f"the random weights take {needed_bytes / 1e9:.1f} GB and {folder} has {free_bytes / 1e9:.1f} GB free; "
            "name a folder with more room: --weights DIR"
        )
    progress = ProgressLine("weights")
    write_random_transformer(path, config, progress=progress.show)
    progress.clear()
    return path


def _work(options: argparse.Namespace, config: "DitConfig", stride_px: int) -> "Workload":
    from engine.figures.workload import size_named, workload_for

    return workload_for(
        config,
        stride_px,
        size_named(options.resolution),
        chunk_latents=options.latents,
        context_chunks=1,
        num_references=options.references,
    )
