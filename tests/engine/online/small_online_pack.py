"""The smallest packs with causal models: the small packs of all tests, a backbone and a refiner beside them."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from engine.model.transformer import Transformer
from engine.model_config import DitConfig
from engine.online.settings import OnlineSettings
from engine.packs import ComponentEntry, Manifest, read_manifest, write_pack
from tests.engine.small_pack import (
    BASE,
    MOVED_BASE,
    POSED_BASE,
    stored,
    write_small_motion_pack,
    write_small_pack,
    write_small_posing_pack,
    write_small_retouch_pack,
)

SETTINGS = OnlineSettings(
    chunk_latents=3,
    chunk_choices=(3, 2),
    sink_chunks=1,
    window_chunks=1,
    preconditioning="around_reference",
    residual_std=(0.5, 1.0, 1.0, 0.5),
    history_share=0.5,
)


def write_small_online_pack(folder: Path, roles: tuple[str, ...] = ("backbone", "refiner")) -> Path:
    """Writes the pack without a plan of motion; the weights are random but the same each time."""
    write_small_pack(folder)
    return with_causal_models(folder, BASE, roles)


def write_small_told_pack(folder: Path) -> Path:
    """The same, but for a plan of motion that all models are told."""
    write_small_motion_pack(folder)
    return with_causal_models(folder, MOVED_BASE)


def write_small_posed_pack(folder: Path) -> Path:
    """The same, but for a pose flow, and for models that are all shown their anchor in pose."""
    write_small_posing_pack(folder)
    return with_causal_models(folder, POSED_BASE)


def write_small_retouched_pack(folder: Path) -> Path:
    """The very same, but for a network that retouches what is decoded."""
    write_small_retouch_pack(folder)
    return with_causal_models(folder, POSED_BASE)


def with_causal_models(folder: Path, config: DitConfig, roles: tuple[str, ...] = ("backbone", "refiner")) -> Path:
    """The pack in a folder with causal models of this shape."""
    manifest = read_manifest(folder)
    entries = [*manifest.components, *(_causal_model(folder, config, role, seed) for seed, role in enumerate(roles))]
    settings = {**manifest.settings, "online": asdict(SETTINGS)}
    return rewrite(folder, replace(manifest, components=tuple(entries), settings=settings))


def rewrite(folder: Path, manifest: Manifest) -> Path:
    """The pack with another manifest."""
    write_pack(folder, manifest)
    return folder


def _causal_model(folder: Path, config: DitConfig, role: str, seed: int) -> ComponentEntry:
    torch.manual_seed(seed)
    model = Transformer(config)
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return stored(folder, role, "transformer", model, config)
