"""The base model as a live generator, for packs without causal models: window after window over clean history.

Each chunk is a window of its own: the last latents of the film, moved back towards the global reference as the pack says, and
the new ones from noise. It is causal, its memory is a few latents and it never ends; but it is the offline model in small
windows, with guidance and without the distilled models' look at the session's beginning. It must not know sessions or threads.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from engine.base.settings import BaseSettings
from engine.errors import BadInputError
from engine.flow.guidance import GuidanceInterval, GuidanceScales, guide
from engine.flow.history import recalled
from engine.flow.preconditioning import anchor_latents, preconditioning_named
from engine.flow.sampler import sampler_named
from engine.flow.schedule import TIMESTEP_SCALE
from engine.latent_tail import LatentTail
from engine.model.transformer import DitInputs, Transformer
from engine.online.conditions import ChunkConditions
from engine.online.live_motion import LiveMotion
from engine.online.noise import NoiseSource
from engine.references import ReferenceLatents


class BaseWindows:
    """Satisfies `ChunkGenerator`: `draft` makes the final latents, `refine` hands them on."""

    has_refiner = False
    efforts = ("guided", "without guidance")

    def __init__(
        self,
        model: Transformer,
        settings: BaseSettings,
        references: ReferenceLatents,
        first_BCHW: Tensor,
        noise: NoiseSource,
        slack_latents: int = 0,
        no_text_BSD: Tensor | None = None,
        motion: LiveMotion | None = None,
    ) -> None:
        """`first_BCHW` is the portrait that the session begins from; `no_text_BSD` as for `guide`; `motion` is None without a plan."""
        self.model, self.settings, self.references, self.noise = model, settings, references, noise
        self.precondition = preconditioning_named(
            settings.preconditioning, settings.residual_std, settings.history_share
        )
        self.tail = LatentTail(first_BCHW, slack_latents + settings.history_latents)
        self.no_text_BSD, self.motion = no_text_BSD, motion

    @property
    def has_plan(self) -> bool:
        """Whether a plan of motion is made first."""
        return self.motion is not None

    @property
    def history_latents(self) -> int:
        """Latents before a chunk whose sound is told too: those of each window's history, and as far as a plan of motion looks back."""
        return max(self.settings.history_latents, self.motion.history_rows if self.motion else 0)

    @property
    def cache_bytes(self) -> int:
        """Memory of the latents that are kept, at most, and of the plan."""
        return self.tail.num_bytes + (self.motion.num_bytes if self.motion else 0)

    def plan(self, first_latent: int, conditions: ChunkConditions) -> ChunkConditions:
        """With the rows of the window's history and of the chunk, and the anchor in their poses."""
        if self.motion is None:
            return conditions
        num_history, references = self.settings.history_latents, conditions.references or self.references
        rows_BFM = self.motion.plan(first_latent, conditions, self.history_latents)
        return replace(
            conditions,
            motion_BFM=self.motion.planner.rows(first_latent - num_history),
            posed_BFCHW=self.motion.posed(references, first_latent, num_history).posed_BFCHW,
            pose=self.motion.pose(references, first_latent, rows_BFM),
        )

    @torch.no_grad()
    def draft(self, first_latent: int, told: ChunkConditions) -> Tensor:
        """A chunk's final latents [1, F, C, H, W] at `first_latent`, going back to it first."""
        self.tail.truncate(first_latent)
        self.references = told.references or self.references
        references = replace(self.references, posed_BFCHW=told.posed_BFCHW)
        past_BFCHW = self.tail.last(self.settings.history_latents)
        history_BFCHW = recalled(
            past_BFCHW,
            anchor_latents(references)[:, : self.settings.history_latents],
            self.precondition,
            self.settings.history_keep,
            self.settings.history_error,
        )
        noise_BFCHW = self.noise.draw(first_latent, told.num_latents, 0)
        sampler = sampler_named(self.settings.solver, self.settings.num_steps, self.settings.shift)

        def velocity_at(new_BFCHW: Tensor, timestep: float) -> Tensor:
            return self._guided(history_BFCHW, new_BFCHW, timestep, told, references)

        latents_BFCHW = sampler.run(noise_BFCHW, velocity_at)
        self.tail.append(latents_BFCHW)
        return latents_BFCHW

    def refine(self, first_latent: int, draft_BFCHW: Tensor, told: ChunkConditions) -> Tensor:
        """The draft: there is no second model."""
        del first_latent, told
        return draft_BFCHW

    def _guided(
        self,
        history_BFCHW: Tensor,
        new_BFCHW: Tensor,
        timestep: float,
        told: ChunkConditions,
        references: ReferenceLatents,
    ) -> Tensor:
        config, settings = self.model.config, self.settings
        lead = self.history_latents - settings.history_latents  # latents told of before the window
        clean_BF = torch.zeros(history_BFCHW.shape[:2], device=new_BFCHW.device)
        noisy_BF = torch.full(new_BFCHW.shape[:2], timestep, device=new_BFCHW.device)
        inputs = DitInputs(
            latents_BFCHW=torch.cat([history_BFCHW, new_BFCHW], dim=1),
            timestep_BF=torch.cat([clean_BF, noisy_BF], dim=1),
            references=references,
            text_BSD=told.text_BSD,
            speak_BAD=told.speak_BAD,
            listen_BAD=told.listen_BAD,
            speak_start_row=-lead * config.speak_window.rows_per_latent - config.speak_window.rows_before,
            listen_start_row=-lead * config.listen_window.rows_per_latent - config.listen_window.rows_before,
            motion_BFM=told.motion_BFM,
        )
        low, high = settings.guidance_interval
        wanted = GuidanceScales() if told.effort else settings.guidance
        scales = GuidanceInterval(low=low, high=high).scales_at(timestep / TIMESTEP_SCALE, wanted)
        guided_BFCHW = guide(self._velocity, inputs, scales, settings.guidance_rescale, no_text_BSD=self.no_text_BSD)
        return guided_BFCHW[:, history_BFCHW.shape[1] :]

    def _velocity(self, inputs: DitInputs) -> Tensor:
        sigma_BF, references = inputs.timestep_BF / TIMESTEP_SCALE, inputs.references
        seen_BFCHW = self.precondition.network_input(inputs.latents_BFCHW, sigma_BF, references)
        output_BFCHW = self.model(replace(inputs, latents_BFCHW=seen_BFCHW))
        return self.precondition.velocity(output_BFCHW, inputs.latents_BFCHW, sigma_BF, references)

    def tensors(self) -> dict[str, Tensor]:
        """The latents of history and the plan of motion, to be kept in a file.

        What was planned and never drawn, or drawn by a plan that is no more, was withdrawn in between, and is left out.
        """
        if self.motion is None:
            return self.tail.tensors()
        self.motion.truncate(self.tail.length)
        self.tail.truncate(self.motion.planner.length)
        return {**self.tail.tensors(), **{f"motion.{name}": x for name, x in self.motion.tensors().items()}}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on history from a file; `BadInputError` unless it fits and the plan is as long as the film."""
        self.tail.load(tensors, self.settings.history_latents)
        if self.motion is None:
            return
        self.motion.load({name.removeprefix("motion."): x for name, x in tensors.items() if name.startswith("motion.")})
        if self.motion.planner.length != self.tail.length:
            raise BadInputError("the session's plan of motion does not fit its latents; open a new session")
