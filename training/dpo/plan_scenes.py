"""Scenes of motion: a stretch of a clip as a pack plans it, part by part, behind what the actor really did before.

A plan of so many seeds for the same scene is what preferences choose among: lip sync, nods and stillness are decided there, before
anything is drawn. Called by the maker of candidates, the task of preferences and the table.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.flow.noising import add_noise, velocity_target
from engine.model.transformer import Transformer
from engine.motion.plan import MotionModel, MotionTold, motion_velocity, path_spread, plan_motion
from engine.precision import fast_autocast
from training.data.motion_rows import FRAMES_PER_ROW, motion_rows
from training.data.motion_windows import num_heard_rows
from training.data.windows import LISTEN_HISTORY_ROWS, ClipFeatures
from training.objectives.dpo import DpoConfig, sample_errors
from training.tasks.motion import motion_inputs


@dataclass(frozen=True, kw_only=True)
class SceneShape:
    """`num_parts` parts of `part_rows` rows, planned one behind the other as in a film, behind `history` true rows."""

    history: int = 8
    part_rows: int = 3
    num_parts: int = 4

    @property
    def num_rows(self) -> int:
        """Rows that are planned."""
        return self.part_rows * self.num_parts

    def part_starts(self) -> range:
        """Where the history of each part begins, from the scene's first row on."""
        return range(0, self.num_rows, self.part_rows)


def cut_scene(features: ClipFeatures, shape: SceneShape, number: int) -> dict[str, Tensor]:
    """Scene `number`: true rows with the history in front, and what is told; its captions are a part's each."""
    rng = np.random.default_rng([number, 61])
    length = shape.history + shape.num_rows
    clip = int(rng.integers(features.num_clips))
    start = int(rng.integers(num_heard_rows(features) - length + 1))
    states_TK = features.clips["state_TK"][clip, start * FRAMES_PER_ROW : (start + length) * FRAMES_PER_ROW]
    middles = [start + first + shape.history + shape.part_rows // 2 for first in shape.part_starts()]
    text_P = features.clips["text_of_latent_F"][clip, middles].long()
    return {
        "motion_FM": motion_rows(states_TK.float()),
        "text_PSD": features.text_NCLD[clip, text_P].float(),
        "speak_AD": features.speak_NAD[clip, start : start + length].float(),
        "listen_AD": features.listen_NAD[clip, start : start + length + LISTEN_HISTORY_ROWS].float(),
    }


@torch.no_grad()
def plan_scenes(motion: MotionModel, shape: SceneShape, batch: dict[str, Tensor], noise_BFM: Tensor) -> Tensor:
    """Plans [B, F, M] of a batch of scenes."""
    rows_BFM = batch["motion_FM"][:, : shape.history]
    for part, first in enumerate(shape.part_starts()):
        heard = slice(first, first + shape.history + shape.part_rows)
        told = MotionTold(
            text_BSD=batch["text_PSD"][:, part].float(),
            speak_BAD=batch["speak_AD"][:, heard].float(),
            listen_BAD=batch["listen_AD"][:, heard.start : heard.stop + LISTEN_HISTORY_ROWS].float(),
            listen_start_row=-LISTEN_HISTORY_ROWS,
        )
        with fast_autocast(rows_BFM.device):
            new_BFM = plan_motion(
                motion, told, rows_BFM[:, -shape.history :], noise_BFM[:, first : first + shape.part_rows]
            )
        rows_BFM = torch.cat([rows_BFM, new_BFM.float()], dim=1)
    return rows_BFM[:, shape.history :]


def plan_errors(
    config: DpoConfig,
    shape: SceneShape,
    transformer: Transformer,
    batch: dict[str, Tensor],
    plan_BFM: Tensor,
    noise_BFM: Tensor,
    sigma_B: Tensor,
) -> Tensor:
    """e(theta, plan) of each sample, [B]: the velocity's error over all parts, each behind the plan's own rows before it.

    In units of the spread that the velocity should have at its noise level, as the motion model is trained.
    """
    rows_BFM = torch.cat([batch["motion_FM"][:, : shape.history], plan_BFM], dim=1)
    pieces, spread_BF1 = _pieces(shape, batch, rows_BFM), path_spread(sigma_B)[:, None, None]
    clean_XFM, sigma_X = pieces["motion_FM"], sigma_B.repeat(shape.num_parts)
    is_new_F = torch.arange(clean_XFM.shape[1], device=clean_XFM.device) >= shape.history
    noise_XFM = torch.cat([torch.zeros_like(clean_XFM[:, : shape.history]), _parts(shape, noise_BFM)], dim=1)
    sigma_XF = sigma_X[:, None] * is_new_F
    noisy_XFCHW = add_noise(clean_XFM[..., None, None], noise_XFM[..., None, None], sigma_XF)
    velocity_XFM = motion_velocity(transformer, motion_inputs(pieces, noisy_XFCHW, sigma_XF))[:, shape.history :]
    target_BFM = velocity_target(plan_BFM, noise_BFM)
    velocity_BFM = torch.cat(velocity_XFM.chunk(shape.num_parts), dim=1)
    return sample_errors(config, spread_BF1 * velocity_BFM, spread_BF1 * target_BFM)


def _pieces(shape: SceneShape, batch: dict[str, Tensor], rows_BFM: Tensor) -> dict[str, Tensor]:
    """All parts of all scenes, each with its history, as one batch; part after part."""
    length = shape.history + shape.part_rows
    starts = shape.part_starts()
    return {
        "motion_FM": torch.cat([rows_BFM[:, first : first + length] for first in starts]),
        "text_SD": torch.cat(batch["text_PSD"].float().unbind(dim=1)),
        "speak_AD": torch.cat([batch["speak_AD"][:, first : first + length].float() for first in starts]),
        "listen_AD": torch.cat(
            [batch["listen_AD"][:, first : first + length + LISTEN_HISTORY_ROWS].float() for first in starts]
        ),
    }


def _parts(shape: SceneShape, rows_BFM: Tensor) -> Tensor:
    """The rows of each part as samples of their own, part after part."""
    return torch.cat(torch.split(rows_BFM, shape.part_rows, dim=1))
