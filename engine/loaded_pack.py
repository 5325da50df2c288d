"""A model pack in memory: every component built, filled and ready to compute. Made by `load_pack`, shared by all performers."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from engine.base.settings import BaseSettings
from engine.codec.folded_vae import FoldedVae, FoldedVaeConfig
from engine.encoders.audio import AudioEncoder, AudioEncoderConfig
from engine.encoders.text import TextEncoder, TextEncoderConfig
from engine.errors import BadPackError
from engine.flow.preconditioning import preconditioning_named
from engine.locations import pack_dirs
from engine.model.transformer import Transformer
from engine.model_config import DitConfig
from engine.online.models import OnlineModels, load_online_models
from engine.packs import ComponentEntry, Manifest, build_config, load_weights, read_manifest

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class LoadedPack:
    """The components of a pack. They are shared: nobody changes them, and state travels as arguments."""

    manifest: Manifest
    folder: Path
    size_px: int
    codec: FoldedVae
    transformer: Transformer
    speak_encoder: AudioEncoder
    listen_encoder: AudioEncoder
    text_encoder: TextEncoder
    base: BaseSettings
    online: OnlineModels | None = None  # None where the pack has no causal models


def find_pack(name_or_folder: str | Path) -> Path:
    """The folder of a pack given by name or by path; `BadPackError` names the packs that are there."""
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    for place in pack_dirs():
        if (place / str(name_or_folder)).is_dir():
            return place / str(name_or_folder)
    known = sorted(path.name for place in pack_dirs() if place.is_dir() for path in place.iterdir() if path.is_dir())
    raise BadPackError(f"there is no model pack {str(name_or_folder)!r}; known packs: {', '.join(known) or 'none'}")


def load_pack(name_or_folder: str | Path) -> LoadedPack:
    """Reads, checks and builds a pack; `BadPackError` in one line for whatever is wrong with it."""
    folder = find_pack(name_or_folder)
    manifest = read_manifest(folder)
    where = str(folder)
    settings = dict(manifest.settings.get("base", {}))
    base = build_config(BaseSettings, settings, f"{where}: settings.base")
    try:
        preconditioning_named(base.preconditioning, base.residual_std, base.history_share)
    except ValueError as error:
        raise BadPackError(f"{where}: {error}") from error
    codec = FoldedVae(_config(FoldedVaeConfig, manifest.component("codec"), where))
    transformer = Transformer(_config(DitConfig, manifest.component("base"), where))
    speak_encoder = AudioEncoder(_config(AudioEncoderConfig, manifest.component("speak_encoder"), where))
    listen_encoder = AudioEncoder(_config(AudioEncoderConfig, manifest.component("listen_encoder"), where))
    text_encoder = TextEncoder(_config(TextEncoderConfig, manifest.component("text_encoder"), where))
    modules: dict[str, nn.Module] = {
        "codec": codec.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        "base": transformer,
        "speak_encoder": speak_encoder,
        "listen_encoder": listen_encoder,
        "text_encoder": text_encoder,
    }
    for role, module in modules.items():
        load_weights(folder, manifest.component(role), module)
        module.eval().requires_grad_(False)
    return LoadedPack(
        manifest=manifest,
        folder=folder,
        size_px=int(manifest.settings["picture"]["size_px"]),
        codec=codec,
        transformer=transformer,
        speak_encoder=speak_encoder,
        listen_encoder=listen_encoder,
        text_encoder=text_encoder,
        base=base,
        online=load_online_models(folder, manifest),
    )


def _config(config_class: type[Config], entry: ComponentEntry, where: str) -> Config:
    return build_config(config_class, entry.config, f"{where}: {entry.role}")
