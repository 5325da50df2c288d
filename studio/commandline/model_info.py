"""`lpm models info`: parameters, work, tokens and memory of a preset or a pack. Called by `studio/commandline/models.py`.

No weight is read: presets and the transformers of packs are built on the meta device, everything else is arithmetic.
"""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from engine.errors import BadPackError
from studio.commandline.console import one_line, say

if TYPE_CHECKING:
    from pathlib import Path

    from engine.figures.workload import Workload
    from engine.model_config import DitConfig

_CHUNK_LATENTS: Final = 6
_CONTEXT_CHUNKS: Final = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lpm models info`."""
    parser.add_argument("name", metavar="NAME", help="a pack's name or folder, or a preset: tiny, small, 17b")
    parser.add_argument("--json", action="store_true", help="as JSON on standard output")
    parser.add_argument(
        "--resolution",
        metavar="WxH",
        help="size of the film, such as 832x480, 480x832, 480p or 720p (default: its own)",
    )
    parser.add_argument(
        "--chunk-latents", type=int, metavar="N", help=f"latent frames made at once (presets: {_CHUNK_LATENTS})"
    )
    parser.add_argument(
        "--context-chunks",
        type=int,
        metavar="N",
        help=f"chunks that a chunk looks at, itself included (presets: {_CONTEXT_CHUNKS}; packs: 1, nothing is cached)",
    )
    parser.add_argument("--references", type=int, metavar="N", help="reference pictures (presets: 0; packs: 1)")


def run(options: argparse.Namespace) -> int:
    """Describe a pack at hand, or else the preset of that name."""
    facts = _facts(options)
    if options.json:
        say(json.dumps(facts, indent=2))
        return 0
    if "preset" in facts:
        del facts["transformer"]["by_part"]  # a preset is its transformer: they are its parameters
    for name, value in _flat(facts):
        say(f"{name.replace('_', ' '):<44} {f'{value:,}' if isinstance(value, int) else one_line(str(value))}")
    return 0


def _facts(options: argparse.Namespace) -> dict[str, Any]:
    from engine.loaded_pack import find_pack
    from engine.model_config import DIT_PRESETS

    try:
        folder = find_pack(options.name)
    except BadPackError as error:
        if options.name in DIT_PRESETS:
            return _preset_facts(options)
        raise BadPackError(f"{error}; presets: {', '.join(DIT_PRESETS)}") from None
    return _pack_facts(options, folder)


def _preset_facts(options: argparse.Namespace) -> dict[str, Any]:
    from engine.figures.parameters import transformer_parameters
    from engine.figures.workload import size_named, workload_for
    from engine.model_config import CODEC_STRIDE_PX, dit_preset

    config = dit_preset(options.name)
    default = "192x192" if options.name == "tiny" else "480p"
    work = workload_for(
        config,
        CODEC_STRIDE_PX[options.name],
        size_named(options.resolution or default),
        chunk_latents=_given(options.chunk_latents, _CHUNK_LATENTS),
        context_chunks=_given(options.context_chunks, _CONTEXT_CHUNKS),
        num_references=_given(options.references, 0),
    )
    parameters = transformer_parameters(config)
    counts = {"total": parameters.total} | parameters.by_part
    return {"preset": options.name, "parameters": counts} | _work_facts(config, work)


def _pack_facts(options: argparse.Namespace, folder: "Path") -> dict[str, Any]:
    from engine.base.settings import BaseSettings
    from engine.component_kinds import component_config
    from engine.figures.workload import size_named, workload_for
    from engine.packs import build_config, read_manifest, stored_numbers
    from engine.picture_settings import PictureSettings

    manifest = read_manifest(folder)
    where = str(folder)
    base = build_config(BaseSettings, dict(manifest.settings.get("base", {})), f"{where}: settings.base")
    config = component_config(manifest.component("base"), where)
    codec = component_config(manifest.component("codec"), where)
    text = component_config(manifest.component("text_encoder"), where)
    picture = PictureSettings.of(manifest, where)
    size_px = size_named(options.resolution) if options.resolution else (picture.size_px, picture.size_px)
    work = workload_for(
        config,
        codec.spatial_stride,
        size_px,
        chunk_latents=_given(options.chunk_latents, base.window_latents),
        frames_per_latent=codec.frames_per_latent,
        context_chunks=_given(options.context_chunks, 1),
        num_references=_given(options.references, 1),
        text_rows=text.num_tokens,
    )
    counts = {entry.role: stored_numbers(folder, entry) for entry in manifest.components}
    facts = {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "licence": manifest.licence,
        "folder": where,
        "steps": base.num_steps,
        "film_px": picture.shown_px,
        "parameters": {"total": sum(counts.values())} | counts,
    }
    return facts | _work_facts(config, work)


def _work_facts(config: "DitConfig", work: "Workload") -> dict[str, Any]:
    from engine.figures.flops import forward_flops
    from engine.figures.memory import cache_bytes, memory_by_precision
    from engine.figures.parameters import transformer_parameters

    parameters, flops, geometry = transformer_parameters(config), forward_flops(config, work), work.geometry
    memory = memory_by_precision(config, work, parameters)
    return {
        "transformer": {"base": parameters.base, "audio": parameters.audio, "by_part": parameters.by_part},
        "width_px": geometry.width_px,
        "height_px": geometry.height_px,
        "chunk_latents": geometry.latents_per_chunk,
        "context_chunks": work.context_chunks,
        "references": work.num_references,
        "flops_per_forward": sum(flops.values()),
        "flops_by_part": flops,
        "tokens_per_latent": geometry.tokens_per_latent,
        "tokens_per_chunk": geometry.tokens_per_chunk,
        "tokens_in_context": work.key_tokens,
        "cache_bytes": cache_bytes(config, work),
        "memory_bytes": {
            name: asdict(figures) | {"total_bytes": figures.total_bytes} for name, figures in memory.items()
        },
    }


def _given(value: int | None, default: int) -> int:
    return default if value is None else value


def _flat(facts: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Every figure with its path in words."""
    rows: list[tuple[str, Any]] = []
    for name, value in facts.items():
        path = f"{above}, {name}" if above else name
        rows += _flat(value, path) if isinstance(value, dict) else [(path, value)]
    return rows
