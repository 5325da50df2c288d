"""The networks of a pack that poses its anchor: `posing` moves it, `matte` says what of it, `paint` paints over it, `retouch` goes by it.

Read by `load_pack`.
"""

from pathlib import Path

import torch

from engine.errors import BadPackError
from engine.filled_components import filled_component
from engine.model_config import DitConfig
from engine.motion.plan import MotionModel
from engine.packs import Manifest
from engine.posing.matte import Matte
from engine.posing.paint import Paint
from engine.posing.pose_flow import PoseFlow
from engine.posing.retouch import Retouch

ROLE, MATTE_ROLE, PAINT_ROLE, RETOUCH_ROLE = "posing", "matte", "paint", "retouch"


def load_posing(
    folder: Path,
    manifest: Manifest,
    motion: MotionModel | None,
    drawn_by: DitConfig,
    frames_per_latent: int,
    device: torch.device,
) -> PoseFlow | None:
    """The network on a device, or None where the pack has none; `BadPackError` unless it fits the plan and the model that draws."""
    where = f"{folder}: {ROLE}"
    if not any(entry.role == ROLE for entry in manifest.components):
        if drawn_by.is_shown_posed_anchor:
            raise BadPackError(
                f"{folder}: the base model is shown its anchor in pose, and {ROLE} is missing; fetch the pack again"
            )
        return None
    flow = filled_component(folder, manifest.component(ROLE), device=device)
    if not isinstance(flow, PoseFlow):
        raise BadPackError(f"{where} is no pose flow; fetch the pack again")
    if motion is None:
        raise BadPackError(f"{where} needs a plan of motion, and the pack has no motion model; fetch the pack again")
    if flow.config.frame_width * frames_per_latent != motion.row_width:
        raise BadPackError(
            f"{where} reads {flow.config.frame_width} numbers a frame, a motion row holds {motion.row_width} for {frames_per_latent} frames"
        )
    return flow


def load_matte(folder: Path, manifest: Manifest, posing: PoseFlow | None, device: torch.device) -> Matte | None:
    """The network on a device, or None where the pack has none; `BadPackError` unless something is posed."""
    where = f"{folder}: {MATTE_ROLE}"
    if not any(entry.role == MATTE_ROLE for entry in manifest.components):
        return None
    matte = filled_component(folder, manifest.component(MATTE_ROLE), device=device)
    if not isinstance(matte, Matte):
        raise BadPackError(f"{where} is no matting network; fetch the pack again")
    if posing is None:
        raise BadPackError(f"{where} needs a posed anchor, and {ROLE} is missing; fetch the pack again")
    return matte


def load_paint(folder: Path, manifest: Manifest, posing: PoseFlow | None, device: torch.device) -> Paint | None:
    """The network on a device, or None where the pack has none; `BadPackError` unless something is posed by the same numbers."""
    where = f"{folder}: {PAINT_ROLE}"
    if not any(entry.role == PAINT_ROLE for entry in manifest.components):
        return None
    paint = filled_component(folder, manifest.component(PAINT_ROLE), device=device)
    if not isinstance(paint, Paint):
        raise BadPackError(f"{where} is no painting network; fetch the pack again")
    if posing is None:
        raise BadPackError(f"{where} needs a posed anchor, and {ROLE} is missing; fetch the pack again")
    if paint.config.frame_width != posing.config.frame_width:
        raise BadPackError(
            f"{where} reads {paint.config.frame_width} numbers a frame, {ROLE} {posing.config.frame_width}; fetch the pack again"
        )
    return paint


def load_retouch(
    folder: Path,
    manifest: Manifest,
    posing: PoseFlow | None,
    frames_per_latent: int,
    size_px: int,
    device: torch.device,
) -> Retouch | None:
    """The network on a device, or None where the pack has none; `BadPackError` unless it fits the codec and something is posed."""
    where = f"{folder}: {RETOUCH_ROLE}"
    if not any(entry.role == RETOUCH_ROLE for entry in manifest.components):
        return None
    retouch = filled_component(folder, manifest.component(RETOUCH_ROLE), device=device)
    if not isinstance(retouch, Retouch):
        raise BadPackError(f"{where} is no retouching network; fetch the pack again")
    if posing is None:
        raise BadPackError(f"{where} needs a posed anchor, and {ROLE} is missing; fetch the pack again")
    config = retouch.config
    if config.frame_width != posing.config.frame_width:
        raise BadPackError(
            f"{where} reads {config.frame_width} numbers a frame, {ROLE} {posing.config.frame_width}; fetch the pack again"
        )
    if config.frames_per_latent != frames_per_latent or size_px % config.cell_px:
        raise BadPackError(
            f"{where} is for {config.frames_per_latent} frames a latent and cells of {config.cell_px} px, the pack has "
            f"{frames_per_latent} frames a latent and pictures of {size_px} px"
        )
    return retouch
