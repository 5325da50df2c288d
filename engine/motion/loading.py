"""The motion model of a pack that has one: role `motion`, and `[settings.motion]`. Read by `load_pack`."""

from pathlib import Path

import torch

from engine.errors import BadPackError
from engine.filled_components import filled_component
from engine.model.transformer import Transformer
from engine.model_config import AudioWindow, DitConfig
from engine.motion.plan import MotionModel
from engine.motion.settings import MotionSettings
from engine.packs import Manifest, build_config

ROLE = "motion"
# Settings of older packs that nothing goes by any more: feelings that a character has no picture of are painted now.
RETIRED = ("feeling_faces",)


def load_motion(folder: Path, manifest: Manifest, drawn_by: DitConfig, device: torch.device) -> MotionModel | None:
    """The motion model on a device, or None where the pack has none; `BadPackError` unless it fits the model that draws."""
    if not any(entry.role == ROLE for entry in manifest.components):
        return None
    where = f"{folder}: {ROLE}"
    told = {name: value for name, value in manifest.settings.get(ROLE, {}).items() if name not in RETIRED}
    settings = build_config(MotionSettings, told, f"{folder}: settings.{ROLE}")
    network = filled_component(folder, manifest.component(ROLE), device=device)
    if not isinstance(network, Transformer):
        raise BadPackError(f"{where} is no transformer; fetch the pack again")
    config, width = network.config, len(settings.rest)
    if config.patch_size != (1, 1, 1):
        raise BadPackError(f"{where} has patches of {config.patch_size}; a row is on a grid of one position")
    if not config.in_channels == config.out_channels == drawn_by.motion_dim == width:
        raise BadPackError(
            f"{where} makes rows of {config.out_channels} numbers, the base model takes {drawn_by.motion_dim}, and a row of rest "
            f"has {width}; they must be as many"
        )
    for name in ("text_dim", "speak_dim", "listen_dim"):
        if getattr(config, name) != getattr(drawn_by, name):
            raise BadPackError(
                f"{where} has {name} {getattr(config, name)}, the base model {getattr(drawn_by, name)}; both are told the same rows"
            )
    check_windows(config, drawn_by, where, "base model")
    return MotionModel(transformer=network, settings=settings)


def check_windows(planned_by: DitConfig, drawn_by: DitConfig, where: str, drawer: str) -> None:
    """`BadPackError` unless the rows of sound that the model which draws is told are the motion model's too."""
    for name in ("speak_window", "listen_window"):
        heard: AudioWindow = getattr(planned_by, name)
        drawn_with: AudioWindow = getattr(drawn_by, name)
        is_within = heard.rows_before <= drawn_with.rows_before and heard.rows_after <= drawn_with.rows_after
        if heard.rows_per_latent != drawn_with.rows_per_latent or not is_within:
            raise BadPackError(f"{where}: {name} hears {heard}, more or other rows than the {drawer}'s {drawn_with}")
