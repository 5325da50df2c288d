"""Films as candidates, for base models that draw without a plan of motion and for people's votes (paper 3.2).

A film scene holds what `training.distillation.films.cut_film` cuts, and the candidates' latents. Called by the recipe of votes, and by
the command that makes films to vote on.
"""

from dataclasses import replace

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine.flow.guidance import GuidanceScales
from engine.flow.noising import add_noise
from engine.flow.preconditioning import preconditioning_named
from engine.flow.schedule import euler_schedule
from engine.loaded_pack import LoadedPack
from engine.model.transformer import Transformer
from engine.precision import fast_autocast
from training.data.windows import ClipFeatures
from training.distillation.films import cut_film, film_of
from training.distillation.teacher import TeacherConfig, WindowedScore, teacher_trajectory
from training.dpo.pairs import FILMS
from training.objectives.dpo import DpoConfig, sample_errors


def score_of(pack: LoadedPack) -> WindowedScore:
    """A pack's base model in the windows that it performs in."""
    base = pack.base
    return WindowedScore(
        transformer=pack.transformer,
        precondition=preconditioning_named(base.preconditioning, base.residual_std, base.history_share),
        window_latents=base.new_latents,
        history_keep=base.history_keep,
        history_error=base.history_error,
    )


def film_errors(
    config: DpoConfig,
    score: WindowedScore,
    transformer: Transformer,
    batch: dict[str, Tensor],
    clean_BFCHW: Tensor,
    noise_BFCHW: Tensor,
    sigma_B: Tensor,
) -> Tensor:
    """e(theta, film) of each sample, [B]: the velocity's error over all windows, each behind the candidate's own latents.

    `score` says how a model is run in windows; `transformer` stands in for its own.
    """
    noisy_BFCHW = add_noise(clean_BFCHW, noise_BFCHW, sigma_B[:, None].expand(clean_BFCHW.shape[:2]))
    of_model = replace(score, transformer=transformer)
    pointed_to_BFCHW = of_model.clean(film_of(batch), noisy_BFCHW, sigma_B, clean_BFCHW, GuidanceScales())
    velocity_BFCHW = (noisy_BFCHW - pointed_to_BFCHW) / sigma_B[:, None, None, None, None]
    return sample_errors(config, velocity_BFCHW, noise_BFCHW - clean_BFCHW)


def film_scene(
    pack: LoadedPack, clip: ClipFeatures, start: int, num_windows: int, num_seeds: int, seed: int
) -> dict[str, Tensor]:
    """A scene of the clip from latent `start` on, which stands before the films, with a film a seed made by the pack's base model."""
    num_latents = num_windows * pack.base.new_latents
    sample = cut_film(_stretch(clip, start, num_latents + 1), 0, num_latents)
    batch = {name: torch.stack([tensor] * num_seeds) for name, tensor in sample.items()}
    film = replace(film_of(batch), motion_BFM=None)
    noise_BFCHW = torch.randn(film.latents_BFCHW.shape, generator=torch.Generator().manual_seed(seed))
    timesteps = tuple(euler_schedule(pack.base.num_steps, pack.base.shift).timesteps)
    teacher = TeacherConfig(window_latents=pack.base.new_latents, guidance=pack.base.guidance)
    with fast_autocast(noise_BFCHW.device):
        states = teacher_trajectory(score_of(pack), teacher, film, noise_BFCHW, timesteps)
    return {**sample, FILMS: states[:, -1].float()}


@torch.no_grad()
def film_frames(pack: LoadedPack, scene: dict[str, Tensor]) -> list[NDArray[np.uint8]]:
    """The candidates of a scene as frames [T, H, W, C], each decoded behind the latent that stands before them."""
    films = []
    for latents_FCHW in scene[FILMS]:
        state = pack.codec.initial_state()
        with fast_autocast(pack.device):
            pack.codec.decode_chunk(scene["latents_FCHW"][None, :1].float(), state)
            pixels_BTCHW = pack.codec.decode_chunk(latents_FCHW[None], state)
        frames_THWC = rearrange((pixels_BTCHW[0].float().clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
        films.append(frames_THWC.round().to(torch.uint8).contiguous().numpy())
    return films


def _stretch(clip: ClipFeatures, start: int, count: int) -> ClipFeatures:
    """Some latents of a person's clip with what is heard in them."""
    part = slice(start, start + count)
    lead = clip.listen_NAD.shape[1] - clip.speak_NAD.shape[1]
    by_latent = ("latents_FCHW", "text_of_latent_F", "state_TK")
    return replace(
        clip,
        clips={name: tensor[:, part] if name in by_latent else tensor for name, tensor in clip.clips.items()},
        speak_NAD=clip.speak_NAD[:, part],
        listen_NAD=clip.listen_NAD[:, start : start + count + lead],
    )
