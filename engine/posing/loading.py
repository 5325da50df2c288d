"""The pose-flow network of a pack that has one: role `posing`. Read by `load_pack`."""

from pathlib import Path

import torch

from engine.errors import BadPackError
from engine.filled_components import filled_component
from engine.model_config import DitConfig
from engine.motion.plan import MotionModel
from engine.packs import Manifest
from engine.posing.pose_flow import PoseFlow

ROLE = "posing"


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
