"""The base model as a teacher of whole films: its denoising trajectories, and where it says that clean latents lie.

Called by the stages. A base model that is told how the character moves is told what the actor did: one picture is left to draw, and
guidance has nothing to add. The base model works in windows: one clean latent, then some that it makes. An autoregressive teacher goes
on window by window from what it made; a bidirectional one makes the whole film in one window. Published experience is that the
latter is ill-posed for a causal student (the past of its trajectories knows their future), so both are here to be compared.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import torch
from einops import rearrange
from torch import Tensor

from engine.flow.guidance import GuidanceScales, guide
from engine.flow.history import recalled
from engine.flow.noising import clean_from_velocity
from engine.flow.preconditioning import Preconditioning, anchor_latents
from engine.flow.schedule import TIMESTEP_SCALE
from engine.model.transformer import DitInputs, Transformer
from engine.references import ReferenceLatents
from training.distillation.films import Film

TEACHER_KINDS: Final = ("autoregressive", "bidirectional")


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """kind: see above. window_latents: that an autoregressive teacher makes at once, as it was trained.

    substeps: Euler steps of the teacher between two timesteps of the student. guidance: as in `engine.flow.guidance`.
    """

    kind: str = "autoregressive"
    window_latents: int = 3
    substeps: int = 1
    guidance: GuidanceScales = field(default_factory=GuidanceScales)

    def __post_init__(self) -> None:
        if self.kind not in TEACHER_KINDS:
            raise ValueError(f"a teacher is {' or '.join(TEACHER_KINDS)}, not {self.kind!r}")
        if min(self.window_latents, self.substeps) < 1:
            raise ValueError("a teacher makes at least one latent in at least one step")


@dataclass(frozen=True, kw_only=True)
class WindowedScore:
    """A base transformer that tells, of films at one noise level, the clean latents: the score that DMD needs.

    Each window stands behind the last clean latent before it, told as a pack's films tell it (`engine.flow.history`). All windows
    of a film run side by side, as one batch.
    """

    transformer: Transformer
    precondition: Preconditioning
    window_latents: int
    history_keep: float = 1.0
    history_error: float = 0.0

    def clean(
        self, film: Film, noisy_BFCHW: Tensor, sigma_B: Tensor, before_BFCHW: Tensor, guidance: GuidanceScales
    ) -> Tensor:
        """Clean latents [B, F, C, H, W] from noisy ones; `before_BFCHW` are the films whose latents serve as history."""
        count = film.num_latents // self.window_latents
        history = torch.cat([film.first_BCHW[:, None], before_BFCHW[:, :-1]], dim=1)[:, :: self.window_latents]
        windows = [
            self.window(film, history[:, index], first, noisy_BFCHW[:, first : first + self.window_latents], sigma_B)
            for index, first in enumerate(range(0, film.num_latents, self.window_latents))
        ]
        inputs = _side_by_side(windows)
        velocity = guide(self.velocity, inputs, guidance)[:, 1:]
        new = inputs.latents_BFCHW[:, 1:]
        clean = clean_from_velocity(new, velocity, inputs.timestep_BF[:, 1:] / TIMESTEP_SCALE)
        result: Tensor = rearrange(clean, "(w b) f c h v -> b (w f) c h v", w=count)
        return result

    def window(
        self, film: Film, history_BCHW: Tensor, first_latent: int, latents_BFCHW: Tensor, sigma_B: Tensor
    ) -> DitInputs:
        """One window of the base model, behind what it is told of its history."""
        posed_BFCHW = film.posed_behind(first_latent, 0)
        anchor_BFCHW = anchor_latents(replace(film.references, posed_BFCHW=posed_BFCHW))
        told_BFCHW = recalled(
            history_BCHW[:, None], anchor_BFCHW, self.precondition, self.history_keep, self.history_error
        )
        inputs = film.window_inputs(told_BFCHW[:, 0], first_latent, latents_BFCHW, sigma_B)
        return inputs if self.transformer.config.motion_dim else replace(inputs, motion_BFM=None)

    def velocity(self, inputs: DitInputs) -> Tensor:
        """The velocity of windows, without guidance."""
        sigma_BF = inputs.timestep_BF / TIMESTEP_SCALE
        seen = self.precondition.network_input(inputs.latents_BFCHW, sigma_BF, inputs.references)
        output = self.transformer(replace(inputs, latents_BFCHW=seen))
        return self.precondition.velocity(output, inputs.latents_BFCHW, sigma_BF, inputs.references)


@torch.no_grad()
def teacher_trajectory(
    score: WindowedScore, config: TeacherConfig, film: Film, noise_BFCHW: Tensor, timesteps: tuple[float, ...]
) -> Tensor:
    """The teacher's films at each of the student's own `timesteps` and clean, [B, len(timesteps) + 1, F, C, H, W].

    `timesteps` are those that the student is run at, already warped: pairs at other timesteps would teach it another model.
    """
    is_whole = config.kind == "bidirectional"
    window = film.num_latents if is_whole else config.window_latents
    alone = replace(score, window_latents=window)
    history_BCHW, parts = film.first_BCHW, []
    for first in range(0, film.num_latents, window):
        states = _denoise(alone, config, film, history_BCHW, first, noise_BFCHW[:, first : first + window], timesteps)
        parts.append(torch.stack(states, dim=1))
        history_BCHW = states[-1][:, -1]
    return torch.cat(parts, dim=2)


def _denoise(
    score: WindowedScore,
    config: TeacherConfig,
    film: Film,
    history_BCHW: Tensor,
    first: int,
    latents_BFCHW: Tensor,
    timesteps: tuple[float, ...],
) -> list[Tensor]:
    """One window by Euler steps; the latents at each timestep of the student, and the clean ones."""
    levels = [timestep / TIMESTEP_SCALE for timestep in timesteps] + [0.0]
    states = [latents_BFCHW]
    for start, end in itertools.pairwise(levels):
        for step in range(config.substeps):
            sigma = start + (end - start) * step / config.substeps
            sigma_B = torch.full(latents_BFCHW.shape[:1], sigma, device=latents_BFCHW.device)
            inputs = score.window(film, history_BCHW, first, latents_BFCHW, sigma_B)
            velocity = guide(score.velocity, inputs, config.guidance)[:, 1:]
            latents_BFCHW = latents_BFCHW + (end - start) / config.substeps * velocity
        states.append(latents_BFCHW)
    return states


def _side_by_side(windows: list[DitInputs]) -> DitInputs:
    """Windows of the same films as one batch, window after window."""
    first = windows[0]

    def join(pick: Callable[[DitInputs], Tensor]) -> Tensor:
        return torch.cat([pick(window) for window in windows])

    return replace(
        first,
        latents_BFCHW=join(lambda window: window.latents_BFCHW),
        timestep_BF=join(lambda window: window.timestep_BF),
        references=ReferenceLatents(
            latents_BRCHW=join(lambda window: window.references.latents_BRCHW),
            kinds_BR=join(lambda window: window.references.kinds_BR),
            subtypes_BR=join(lambda window: window.references.subtypes_BR),
            anchor_B=first.references.repeated(len(windows)).anchor_B,
            posed_BFCHW=_joined([window.references.posed_BFCHW for window in windows]),
        ),
        text_BSD=join(lambda window: window.text_BSD),
        speak_BAD=join(lambda window: window.speak_BAD),
        listen_BAD=join(lambda window: window.listen_BAD),
        motion_BFM=_joined([window.motion_BFM for window in windows]),
    )


def _joined(parts: list[Tensor | None]) -> Tensor | None:
    """What windows are told as one batch, where they are."""
    told = [part for part in parts if part is not None]
    return torch.cat(told) if told else None
