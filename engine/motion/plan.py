"""A plan of motion: rows out of noise, behind the rows so far, from the words and sounds that the picture is made from too.

A small video model that answers in one step draws the mean of all the ways in which a head may turn or an eye may blink: a smear, or
nothing. Of a few dozen numbers a latent it is easy to draw one way, in several steps, and once they are known there is one picture
left to draw. The motion model is the same transformer on a grid of one position, whose channels are a motion row: text, both
sounds, flow matching and guidance are those of the picture. (Jointly: VideoJAM, Chefer et al. 2025; in two stages: VASA-1, Xu et al. 2024.)

Called where windows and chunks are made, in `engine.base` and `engine.online`, and by the trainer. It must not know what the
numbers of a row mean.

Rows have mean zero and spread one, so with noise level s and D = (1 - s)^2 + s^2 the network sees x_s / sqrt(D), and the velocity is
(2s - 1) / D x_s - output / sqrt(D) (Karras et al. 2022, on flow matching's path).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.characters import EXPRESSIONS
from engine.flow.guidance import GuidanceScales, guide
from engine.flow.sampler import sampler_named
from engine.flow.schedule import TIMESTEP_SCALE
from engine.model.transformer import DitInputs, Transformer
from engine.motion.settings import MotionSettings
from engine.posing.turning import FACING, TurnGoal
from engine.references import ReferenceLatents


@dataclass(frozen=True, kw_only=True)
class MotionModel:
    """The motion model of a pack and how it is sampled. Shared: nobody changes it."""

    transformer: Transformer
    settings: MotionSettings

    @property
    def row_width(self) -> int:
        """Numbers in a row."""
        return self.transformer.config.in_channels

    def rest(self, batch: int = 1) -> Tensor:
        """The row of a character at rest, [B, M]."""
        place = next(self.transformer.parameters()).device
        return torch.tensor(self.settings.rest, dtype=torch.float32, device=place).expand(batch, -1)

    def showing(self, feeling: str, batch: int = 1) -> Tensor:
        """The row of a character at rest but for one expression, which it wholly shows, [B, M]; rest where plans know no feelings."""
        settings, row_BM = self.settings, self.rest(batch).clone()
        if not settings.feelings or not settings.most:
            return row_BM
        for column, name in zip(settings.feelings, EXPRESSIONS, strict=True):
            of_frames = slice(column, None, len(settings.stiffness))
            bounds = settings.most if name == feeling else settings.least
            row_BM[:, of_frames] = row_BM.new_tensor(bounds[of_frames])
        return row_BM

    def within(self, rows_BFM: Tensor) -> Tensor:
        """Rows as far as each of their numbers goes."""
        settings = self.settings
        rows_BFM = rows_BFM.clamp(-settings.limit, settings.limit)
        if not settings.least:
            return rows_BFM
        return rows_BFM.clamp(rows_BFM.new_tensor(settings.least), rows_BFM.new_tensor(settings.most))

    def drawn(self, rows_BFM: Tensor) -> Tensor:
        """Planned rows as what draws is told them: no mouth further open than mouths are planned at most."""
        settings = self.settings
        if not settings.drawn_share:
            return rows_BFM
        rest_M, share_M = (
            torch.tensor(each, dtype=torch.float32, device=rows_BFM.device)
            for each in (settings.rest, settings.drawn_share)
        )
        told_BFM = rest_M + share_M * (rows_BFM - rest_M)
        if not settings.most:
            return told_BFM
        least_M, most_M = (
            torch.tensor(each, dtype=torch.float32, device=rows_BFM.device) for each in (settings.least, settings.most)
        )
        return told_BFM.clamp(least_M, most_M)


@dataclass(frozen=True, kw_only=True)
class MotionTold:
    """What a plan is made from: rows of both sounds, the first of them so many rows from the first row of history.

    `no_text_BSD` is what guidance tells the branch without text; None stands for zeros. `is_mute_BT` says in which frames of the rows to
    plan the own voice is mute (`engine.motion.muteness`); None where nobody knows. `feeling` is the expression that is called for (of
    `engine.characters.EXPRESSIONS`), None where nobody knows. `turn` is how far round the character is to turn (`engine.posing.turning`).
    """

    text_BSD: Tensor
    speak_BAD: Tensor
    listen_BAD: Tensor
    speak_start_row: int = 0
    listen_start_row: int = 0
    no_text_BSD: Tensor | None = None
    is_mute_BT: Tensor | None = None
    feeling: str | None = None
    turn: TurnGoal = FACING


@torch.no_grad()
def plan_motion(
    motion: MotionModel,
    told: MotionTold,
    history_BFM: Tensor,
    noise_BFM: Tensor,
    guidance: GuidanceScales | None = None,
) -> Tensor:
    """The next rows [B, F, M], as many as there is noise for, behind at least one row of history."""
    settings = motion.settings
    clean_BF = torch.zeros(history_BFM.shape[:2], device=history_BFM.device)

    def velocity_at(new_BFM: Tensor, timestep: float) -> Tensor:
        rows_BFCHW = torch.cat([history_BFM, new_BFM], dim=1)[..., None, None]
        inputs = DitInputs(
            latents_BFCHW=rows_BFCHW,
            timestep_BF=torch.cat([clean_BF, torch.full_like(new_BFM[..., 0], timestep)], dim=1),
            references=ReferenceLatents.none_for(rows_BFCHW),  # how somebody looks does not say how they move
            text_BSD=told.text_BSD,
            speak_BAD=told.speak_BAD,
            listen_BAD=told.listen_BAD,
            speak_start_row=told.speak_start_row,
            listen_start_row=told.listen_start_row,
        )
        guided_BFCHW = guide(
            lambda branches: motion_velocity(motion.transformer, branches)[..., None, None],
            inputs,
            guidance or settings.guidance,
            no_text_BSD=told.no_text_BSD,
        )
        return guided_BFCHW[:, history_BFM.shape[1] :, :, 0, 0]

    sampler = sampler_named("euler", settings.num_steps, settings.shift)
    return motion.within(sampler.run(noise_BFM, velocity_at))


def motion_velocity(transformer: Transformer, inputs: DitInputs) -> Tensor:
    """The velocity [B, F, M] of rows [B, F, M, 1, 1] at their noise levels."""
    sigma_BF1 = (inputs.timestep_BF / TIMESTEP_SCALE)[..., None]
    noisy_BFM = inputs.latents_BFCHW[..., 0, 0]
    spread_BF1 = path_spread(sigma_BF1)
    seen_BFCHW = (noisy_BFM / spread_BF1)[..., None, None]
    output_BFM: Tensor = transformer(replace(inputs, latents_BFCHW=seen_BFCHW))[..., 0, 0]
    return (2 * sigma_BF1 - 1) / spread_BF1.square() * noisy_BFM - output_BFM / spread_BF1


def path_spread(sigma: Tensor) -> Tensor:
    """sqrt(D): the spread of rows at a noise level."""
    return ((1 - sigma).square() + sigma.square()).sqrt()
