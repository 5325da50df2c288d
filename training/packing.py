"""`python -m training pack`: gathers trained components into a model pack that the engine loads."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from engine.base.settings import BaseSettings
from engine.codec.folded_vae import FoldedVae
from engine.encoders.audio import AudioEncoder
from engine.encoders.text import TextEncoder
from engine.errors import BadInputError
from engine.flow.guidance import GuidanceScales
from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from engine.packs import ComponentEntry, Manifest, file_sha256, fill_from_file, save_as, write_pack
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.retouch import Retouch
from training.onto_pack import STORED_DTYPE, STORED_DTYPE_OF, pack_onto
from training.recipes import parts

BASE_SETTINGS = BaseSettings(
    preconditioning="around_reference",
    residual_std=parts.RESIDUAL_STD,
    history_share=parts.HISTORY_SHARE,
    window_latents=4,
    history_latents=1,
    overlap_latents=0,
    num_steps=1,
    history_keep=0.8,
    history_error=parts.HISTORY_ERROR,
    shift=5.0,
    max_references=2,
    guidance=GuidanceScales(),  # the plan of motion is guided; what it leaves to draw is one picture
)
# What is `--reshaped` is as the recipes make it now.
SHAPES = {
    "codec": parts.CODEC,
    "base": parts.BASE,
    "backbone": parts.BASE,
    "refiner": parts.BASE,
    "chinese_text_encoder": parts.TEXT_ENCODER,
    "motion": parts.MOTION,
    "posing": parts.POSING,
    "matte": parts.MATTE,
    "paint": parts.PAINT,
    "retouch": parts.RETOUCH,
}
Component = tuple[str, str, nn.Module, Any]
BACKBONE_FILE = "backbone.safetensors"
REFINER_FILE = "refiner.safetensors"
ONLINE_SETTINGS = OnlineSettings(
    chunk_latents=3,
    chunk_choices=(6, 3, 2),
    sink_chunks=1,
    window_chunks=2,
    # All that can change a row of the listening encoder, two rows before a chunk, and before what a plan of motion looks back upon.
    audio_history_frames=185 + parts.MOTION_SETTINGS.history_rows * parts.CODEC.frames_per_latent,
    audio_future_frames=5,  # and of the speaking encoder behind it: rows are live what they were in training
    preconditioning=BASE_SETTINGS.preconditioning,
    residual_std=BASE_SETTINGS.residual_std,
    history_share=BASE_SETTINGS.history_share,
    max_references=BASE_SETTINGS.max_references,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `python -m training pack`."""
    parser.add_argument(
        "folders", nargs="+", type=Path, help="run folders; each component comes from the first that has it"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the pack's folder")
    parser.add_argument("--onto", type=Path, help="a pack that lends all else, settings too (after fine-tuning, say)")
    parser.add_argument(
        "--reshaped",
        nargs="+",
        default=[],
        choices=sorted(SHAPES),
        metavar="ROLE",
        help=f"with --onto: what was trained in the recipes' shape, where the pack has it in another or not at all ({', '.join(SHAPES)})",
    )
    parser.add_argument("--name", default="lpm-tiny")
    parser.add_argument("--version", default="0.1.0")


def run(options: argparse.Namespace) -> None:
    """Writes the pack."""
    if options.onto is None:
        manifest = build_pack(options.folders, options.output, options.name, options.version)
    else:
        reshaped = {role: SHAPES[role] for role in options.reshaped}
        manifest = pack_onto(options.onto, options.folders, options.output, options.name, options.version, reshaped)
    sys.stdout.write(f"{options.output} holds {manifest.name} {manifest.version}\n")


def _picture_settings(is_retouched: bool) -> dict[str, Any]:
    """Films are shown larger than they are decoded by what retouches them."""
    sizes = {"size_px": parts.SIZE_PX, "film_px": parts.FILM_PX} if is_retouched else {"size_px": parts.SIZE_PX}
    return sizes | {"frames_per_second": 24}


def build_pack(folders: list[Path], output: Path, name: str, version: str) -> Manifest:
    """Copies each component in its stored dtype and writes the manifest; with both causal models the pack is live too."""
    modules = _modules(folders)
    settings: dict[str, Any] = {
        "picture": _picture_settings("retouch" in modules),
        "sound": {"rate_hz": parts.SPEAK_ENCODER.mel.rate_hz},
        "base": asdict(BASE_SETTINGS),
        "motion": asdict(parts.MOTION_SETTINGS),
    }
    if any((folder / REFINER_FILE).is_file() for folder in folders):
        for role, file_name in (("backbone", BACKBONE_FILE), ("refiner", REFINER_FILE)):
            modules[role] = ("transformer", file_name, Transformer(parts.BASE), parts.BASE)
        ONLINE_SETTINGS.check_reach(parts.BASE.reference_positions.origin)
        settings["online"] = asdict(ONLINE_SETTINGS)
    entries: list[ComponentEntry] = []
    for role, (kind, file_name, module, config) in modules.items():
        fill_from_file(first_with(folders, file_name), module)
        stored = STORED_DTYPE_OF.get(role, STORED_DTYPE)
        save_as(output / file_name, module, stored)
        sha256 = file_sha256(output / file_name)
        same = next((entry.file for entry in entries if entry.sha256 == sha256), None)
        if same is not None:  # one network may be backbone and refiner
            (output / file_name).unlink()
        entries.append(
            ComponentEntry(
                role=role,
                kind=kind,
                file=same or file_name,
                dtype=stored,
                sha256=sha256,
                config=asdict(config),
            )
        )
    manifest = Manifest(
        name=name,
        version=version,
        description="The small model that ships: trained on the procedural actor alone, live on a processor.",
        licence="Apache-2.0",
        actor_level=1,
        components=tuple(entries),
        settings=settings,
    )
    write_pack(output, manifest)
    return manifest


def _modules(folders: list[Path]) -> dict[str, Component]:
    """What a pack holds but for causal models, by role: kind, file, module and config.

    What reads Chinese, what takes portraits apart, what paints and what retouches may be missing.
    """
    modules: dict[str, Component] = {
        "codec": ("folded_vae", parts.CODEC_FILE, FoldedVae(parts.CODEC), parts.CODEC),
        "base": ("transformer", parts.BASE_FILE, Transformer(parts.BASE), parts.BASE),
        "speak_encoder": ("audio_encoder", parts.SPEAK_FILE, AudioEncoder(parts.SPEAK_ENCODER), parts.SPEAK_ENCODER),
        "listen_encoder": (
            "audio_encoder",
            parts.LISTEN_FILE,
            AudioEncoder(parts.LISTEN_ENCODER),
            parts.LISTEN_ENCODER,
        ),
        "text_encoder": ("text_encoder", parts.TEXT_FILE, TextEncoder(parts.TEXT_ENCODER), parts.TEXT_ENCODER),
        "motion": ("transformer", parts.MOTION_FILE, Transformer(parts.MOTION), parts.MOTION),
        "posing": ("pose_flow", parts.POSING_FILE, PoseFlow(parts.POSING), parts.POSING),
    }
    optional: dict[str, Component] = {
        "chinese_text_encoder": (
            "text_encoder",
            parts.CHINESE_FILE,
            TextEncoder(parts.TEXT_ENCODER),
            parts.TEXT_ENCODER,
        ),
        "matte": ("matte", parts.MATTE_FILE, Matte(parts.MATTE), parts.MATTE),
        "paint": ("paint", parts.PAINT_FILE, Paint(parts.PAINT), parts.PAINT),
        "retouch": ("retouch", parts.RETOUCH_FILE, Retouch(parts.RETOUCH), parts.RETOUCH),
    }
    return modules | {
        role: each for role, each in optional.items() if any((folder / each[1]).is_file() for folder in folders)
    }


def first_with(folders: list[Path], file_name: str) -> Path:
    """The file in the first folder that has it; `BadInputError` where none has."""
    for folder in folders:
        if (folder / file_name).is_file():
            return folder / file_name
    raise BadInputError(f"none of {', '.join(map(str, folders))} holds {file_name}; train it first")
