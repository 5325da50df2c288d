"""The causal models of a pack that has them: roles `backbone` and `refiner`, and `[settings.online]`.

Read by `load_pack`; a pack without them performs live through the windows of its base model (`base_windows`). Where the pack plans
motion, causal models that are told it (`motion_dim`) must be told those rows; models that are not told, and packs without a plan,
work without.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from engine.errors import BadPackError
from engine.flow.preconditioning import preconditioning_named
from engine.model.transformer import Transformer
from engine.model_config import DitConfig
from engine.motion.loading import ROLE as MOTION_ROLE
from engine.motion.loading import check_windows
from engine.online.settings import OnlineSettings
from engine.packs import Manifest, build_config, load_weights
from engine.posing.loading import ROLE as POSING_ROLE

ONLINE_ROLES = ("backbone", "refiner")


@dataclass(frozen=True, kw_only=True)
class OnlineModels:
    """Backbone, refiner and how they are rolled out. They are shared by all sessions: nobody changes them."""

    backbone: Transformer
    refiner: Transformer
    settings: OnlineSettings


def load_online_models(folder: Path, manifest: Manifest, device: torch.device) -> OnlineModels | None:
    """Both models of a pack on a device, or None where it has none; `BadPackError` for half of them or settings that cannot work."""
    roles = {entry.role for entry in manifest.components} & set(ONLINE_ROLES)
    if not roles:
        return None
    where = f"{folder}: settings.online"
    settings = build_config(OnlineSettings, dict(manifest.settings.get("online", {})), where)
    try:
        preconditioning_named(settings.preconditioning, settings.residual_std)
    except ValueError as error:
        raise BadPackError(f"{where}: {error}") from error
    models: dict[str, Transformer] = {}
    for role in ONLINE_ROLES:
        entry = manifest.component(role)
        model = Transformer(build_config(DitConfig, entry.config, f"{folder}: {role}"))
        try:
            settings.check_reach(model.config.reference_positions.origin)
        except ValueError as error:
            raise BadPackError(f"{where}: {error} ({role})") from error
        _check_told(folder, manifest, role, model.config)
        if entry.sha256 not in models:  # one network may be both
            load_weights(folder, entry, model)
            models[entry.sha256] = model.eval().requires_grad_(False).to(device)
    backbone, refiner = (models[manifest.component(role).sha256] for role in ONLINE_ROLES)
    return OnlineModels(backbone=backbone, refiner=refiner, settings=settings)


def _check_told(folder: Path, manifest: Manifest, role: str, config: DitConfig) -> None:
    """`BadPackError` for a causal model that is told motion, but other rows, or at other rows of sound, than the pack plans, or that is
    shown its anchor in pose by a pack that poses nothing."""
    if config.is_shown_posed_anchor and not config.motion_dim:
        raise BadPackError(
            f"{folder}: {role} is shown its anchor in pose, but told no motion; pack models that were trained together"
        )
    if config.is_shown_posed_anchor and not any(entry.role == POSING_ROLE for entry in manifest.components):
        raise BadPackError(
            f"{folder}: {role} is shown its anchor in pose, and {POSING_ROLE} is missing; fetch the pack again"
        )
    planners = [entry for entry in manifest.components if entry.role == MOTION_ROLE]
    if not planners or not config.motion_dim:
        return
    planned = build_config(DitConfig, planners[0].config, f"{folder}: {MOTION_ROLE}")
    if planned.out_channels != config.motion_dim:
        raise BadPackError(
            f"{folder}: {role} is told rows of {config.motion_dim} numbers, {MOTION_ROLE} plans rows of {planned.out_channels}; "
            "pack models that were trained together"
        )
    check_windows(planned, config, f"{folder}: {MOTION_ROLE}", role)
