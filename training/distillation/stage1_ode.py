"""Stage 1, ODE-based initialisation: the backbone learns the teacher's denoising trajectories (paper 4.3, Eq. 5).

    x_i^t = [x_i1^t1, ..., x_iL^tL]        t_1 <= ... <= t_L in {T_0, T_1}, from the teacher's trajectory i
    L_reg = E ||G_backbone(x_i^t, t) - x_i^0||^2

The trajectories stand at the student's own warped timesteps, and its history is that of the noisy chunks before, as it is live.
"""

import torch
from torch import Tensor

from engine.model.transformer import Transformer
from engine.online.settings import OnlineSettings
from training.distillation.causal import causal_model, under_noisy_history
from training.distillation.clean_history import under_clean_history
from training.distillation.films import Film
from training.distillation.schedules import ChunkTimesteps, draw_chunk_timesteps


def stage1_loss(
    backbone: Transformer,
    settings: OnlineSettings,
    film: Film,
    trajectory_BKFCHW: Tensor,
    chunk_latents: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """L_reg of one schedule; the trajectory's states are at the backbone's timesteps, then the refiner's, then clean."""
    timesteps = settings.backbone_timesteps
    schedule = draw_chunk_timesteps(film.num_latents // chunk_latents, timesteps, generator)
    input_BFCHW = on_schedule(trajectory_BKFCHW, timesteps, schedule)
    predicted_BFCHW = under_noisy_history(causal_model(backbone, settings, film), film, input_BFCHW, schedule)
    return {"loss": (predicted_BFCHW.float() - trajectory_BKFCHW[:, -1]).square().mean()}


def stage1_loss_behind_clean_history(
    backbone: Transformer,
    settings: OnlineSettings,
    film: Film,
    trajectory_BKFCHW: Tensor,
    chunk_latents: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """The same, with the teacher's clean chunks as history: for the ablation."""
    timesteps = settings.backbone_timesteps
    schedule = draw_chunk_timesteps(film.num_latents // chunk_latents, timesteps, generator)
    input_BFCHW, clean_BFCHW = on_schedule(trajectory_BKFCHW, timesteps, schedule), trajectory_BKFCHW[:, -1]
    predicted_BFCHW = under_clean_history(
        causal_model(backbone, settings, film), film, input_BFCHW, schedule, clean_BFCHW
    )
    return {"loss": (predicted_BFCHW.float() - clean_BFCHW).square().mean()}


def on_schedule(trajectory_BKFCHW: Tensor, timesteps: tuple[float, ...], schedule: ChunkTimesteps) -> Tensor:
    """x^t: every chunk of the trajectory at its own timestep."""
    chunks = trajectory_BKFCHW.chunk(len(schedule), dim=2)
    picked = [chunk[:, timesteps.index(timestep)] for chunk, timestep in zip(chunks, schedule, strict=True)]
    return torch.cat(picked, dim=1)
