"""The causal rollout: backbone and refiner, chunk after chunk, each with a history of its own (paper 4.2, 4.4).

    noise --backbone, 2 steps, noisy history--> draft --re-noised to T_2, refiner, 1 step, clean history--> latents

Used live by the session and in training by the rollouts of distillation: the same to the bit where both use the same kernels
(`engine.model.attend.using`, `engine.model.linear`), since others may be chosen where gradients are wanted. The backbone's
history is written by its own last step: keys and values of latents at noise level T_1 are what "noisy history" means,
and no further forward is spent on it. The refiner's history is written by a pass over its clean result at timestep 0.
Where the models are told how the character moves, both are told the rows of the chunk that they are at: live as they were
planned with its draft, in training those of the truth.
Both histories are written without gradients, and no tensor that a gradient needs is changed later.

Each half starts a chunk by going back to its first latent if it is beyond it. So a chunk that was withdrawn needs no more
than being made again, and backbone and refiner may run in different threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.errors import BadInputError
from engine.flow.noising import add_noise, clean_from_velocity
from engine.flow.preconditioning import Preconditioning, anchor_latent, preconditioning_named
from engine.flow.schedule import TIMESTEP_SCALE
from engine.latent_tail import LatentTail
from engine.model.chunk import ChunkContext, ChunkInputs, KeysValues, ReferenceContext
from engine.model.transformer import Transformer
from engine.online.conditions import ChunkConditions
from engine.online.half_resolution import can_halve, doubled, halved, halved_noise, spread_over
from engine.online.kv_cache import CacheLayout, KvCache
from engine.online.live_motion import LiveMotion
from engine.online.noise import NoiseSource
from engine.online.settings import OnlineSettings
from engine.references import ReferenceKind, ReferenceLatents


@dataclass(frozen=True, kw_only=True)
class OpenChunk:
    """A chunk being made by one model: its context is read once and serves all forwards of the chunk."""

    conditions: ChunkConditions
    context: ChunkContext
    guess: ReferenceLatents


class CausalModel:
    """One causal transformer with its history; the history is the only thing that changes."""

    def __init__(
        self,
        model: Transformer,
        settings: OnlineSettings,
        references: ReferenceLatents,
        first_BCHW: Tensor,
        slack_latents: int = 0,
        dtype: torch.dtype | None = None,
    ) -> None:
        """`first_BCHW` stands before the first latent; `dtype` is that of the keys, the model's own unless autocast is on.

        `ValueError` where the settings' history would reach the model's references (`OnlineSettings.check_reach`).
        """
        config = model.config
        settings.check_reach(config.reference_positions.origin)
        _, rows, columns = config.patch_size
        grid_HW = (first_BCHW.shape[-2] // rows, first_BCHW.shape[-1] // columns)
        layout = CacheLayout(
            model=config, grid_HW=grid_HW, history=settings.history(slack_latents), batch=first_BCHW.shape[0]
        )
        self.model, self.settings, self.references = model, settings, references
        self.precondition: Preconditioning = preconditioning_named(settings.preconditioning, settings.residual_std)
        self.cache = KvCache(layout, dtype or model.patch_embedding.weight.dtype, first_BCHW.device)
        self.tail = LatentTail(first_BCHW, slack_latents + 1)
        self.reference_context = self._encode_references()

    def refresh_references(self, references: ReferenceLatents) -> None:
        """Other references from the next chunk on; what was seen stays seen."""
        self.references = references
        self.reference_context = self._encode_references()

    @torch.no_grad()
    def _encode_references(self) -> ReferenceContext:
        return self.model.encode_references(self.references)

    def open(self, first_latent: int, conditions: ChunkConditions) -> OpenChunk:
        """Go back to `first_latent` where the history is longer, and read the context of a chunk there."""
        self.truncate(first_latent)
        if self.cache.length != first_latent:
            raise ValueError(f"a history of {self.cache.length} latents cannot go on at latent {first_latent}")
        if conditions.references is not None and conditions.references is not self.references:
            self.refresh_references(conditions.references)
        with torch.no_grad():
            context = self.cache.context(self.reference_context)
            return OpenChunk(conditions=conditions, context=context, guess=self._guess(conditions.posed_BFCHW))

    def predict(
        self, chunk: OpenChunk, latents_BFCHW: Tensor, timestep: float, grid_step: int = 1
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """The clean latents that noisy ones mean, [B, F, C, H, W], and the chunk's keys and values at this noise level.

        With a `grid_step` of 2 the latents are at half the resolution, and so is what comes back.
        """
        sigma_BF = torch.full(latents_BFCHW.shape[:2], timestep / TIMESTEP_SCALE, device=latents_BFCHW.device)
        config, conditions = self.model.config, chunk.conditions
        inputs = ChunkInputs(
            latents_BFCHW=self.precondition.network_input(latents_BFCHW, sigma_BF, chunk.guess),
            timestep_BF=sigma_BF * TIMESTEP_SCALE,
            text_BSD=conditions.text_BSD,
            speak_BAD=conditions.speak_BAD,
            listen_BAD=conditions.listen_BAD,
            speak_start_row=-config.speak_window.rows_before,
            listen_start_row=-config.listen_window.rows_before,
            grid_step=grid_step,
            motion_BFM=conditions.motion_BFM if config.motion_dim else None,
            posed_BFCHW=_shown(chunk, grid_step) if config.is_shown_posed_anchor else None,
        )
        output = self.model.forward_chunk(inputs, chunk.context)
        velocity_BFCHW = self.precondition.velocity(output.output_BFCHW, latents_BFCHW, sigma_BF, chunk.guess)
        return clean_from_velocity(latents_BFCHW, velocity_BFCHW, sigma_BF), output.layers

    def append(self, layers: tuple[KeysValues, ...], clean_BFCHW: Tensor) -> None:
        """The chunk becomes history: what was seen of it, and what it came to."""
        self.cache.write(layers)
        self.tail.append(clean_BFCHW)

    def truncate(self, length: int) -> None:
        """Take back what lies after the first `length` latents; nothing where the history is not that long."""
        if self.cache.length > length:
            self.tail.truncate(length)
            self.cache.truncate(length)

    def _guess(self, posed_BFCHW: Tensor | None) -> ReferenceLatents:
        """What stands for the anchor in the preconditioning: moved towards the last latent before the chunk.

        `posed_BFCHW` is the anchor in the pose of that latent and of each of the chunk's; None where nothing is posed.
        """
        if self.settings.preconditioning == "identity":
            return self.references
        anchor_BFCHW = anchor_latent(self.references)[:, None] if posed_BFCHW is None else posed_BFCHW
        from_anchor_BFCHW = self.settings.history_share * (self.tail.last() - anchor_BFCHW[:, :1])
        guess_BFCHW = anchor_BFCHW[:, -1:] + from_anchor_BFCHW
        kinds_BR = torch.full((guess_BFCHW.shape[0], 1), int(ReferenceKind.GLOBAL), device=guess_BFCHW.device)
        return ReferenceLatents(
            latents_BRCHW=guess_BFCHW,
            kinds_BR=kinds_BR,
            subtypes_BR=torch.zeros_like(kinds_BR),
            posed_BFCHW=None if posed_BFCHW is None else posed_BFCHW[:, 1:] + from_anchor_BFCHW,
        )

    def tensors(self) -> dict[str, Tensor]:
        """The history, to be kept in a file."""
        parts = {"cache": self.cache.tensors(), "tail": self.tail.tensors()}
        return {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on a history from a file."""
        self.cache.load(_part(tensors, "cache."))
        self.tail.load(_part(tensors, "tail."))


class CausalRollout:
    """Backbone and refiner after one another; satisfies `ChunkGenerator`."""

    has_refiner = True

    def __init__(
        self,
        backbone: CausalModel,
        refiner: CausalModel,
        settings: OnlineSettings,
        noise: NoiseSource,
        motion: LiveMotion | None = None,
    ) -> None:
        """`motion` plans what both models are told; None where conditions say it (`ChunkConditions.motion_BFM`), or nothing does."""
        self.backbone, self.refiner, self.settings, self.noise = backbone, refiner, settings, noise
        self.motion = motion
        patch_size = refiner.model.config.patch_size
        is_even = can_halve(refiner.tail.shape_CHW, patch_size)
        lighter = "refiner at half resolution" + (", plan without guidance" if motion else "")
        self.efforts = ("whole", lighter) if is_even else ("whole",)

    @property
    def has_plan(self) -> bool:
        """Whether a plan of motion is made first."""
        return self.motion is not None

    @property
    def history_latents(self) -> int:
        """Latents before a chunk whose sound is told too: as far as a plan of motion looks back."""
        return self.motion.history_rows if self.motion else 0

    @property
    def cache_bytes(self) -> int:
        """Memory of both histories and of the plan of motion."""
        plan_bytes = self.motion.num_bytes if self.motion else 0
        return self.backbone.cache.num_bytes + self.refiner.cache.num_bytes + plan_bytes

    def plan(self, first_latent: int, conditions: ChunkConditions) -> ChunkConditions:
        """With the chunk's rows, the anchor in their poses, and of sound what is the models' and not the plan's, as in training."""
        if self.motion is None:
            return conditions
        references = conditions.references or self.backbone.references
        rows_BFM = self.motion.plan(first_latent, conditions, self.history_latents)
        speak, listen = (self.history_latents * window.rows_per_latent for window in self.motion.windows)
        return replace(
            conditions,
            speak_BAD=conditions.speak_BAD[:, speak:],
            listen_BAD=conditions.listen_BAD[:, listen:],
            motion_BFM=rows_BFM,
            posed_BFCHW=self.motion.posed(references, first_latent, num_history=1).posed_BFCHW,
            pose=self.motion.pose(references, first_latent, rows_BFM),
        )

    def draft(self, first_latent: int, told: ChunkConditions) -> Tensor:
        """The backbone's clean guess of a chunk, [B, F, C, H, W], from pure noise in as many steps as it has timesteps."""
        return self.answers(first_latent, told)[-1]

    def answers(self, first_latent: int, told: ChunkConditions) -> list[Tensor]:
        """The backbone's clean guess of a chunk after each of its steps; each step takes the guess before it as given."""
        chunk = self.backbone.open(first_latent, told)
        latents_BFCHW = self.noise.draw(first_latent, told.num_latents, 0)
        clean_BFCHW, layers = self.backbone.predict(chunk, latents_BFCHW, self.settings.backbone_timesteps[0])
        answers = [clean_BFCHW]
        for step, timestep in enumerate(self.settings.backbone_timesteps[1:], start=1):
            latents_BFCHW = self._renoised(clean_BFCHW.detach(), first_latent, step, timestep)
            clean_BFCHW, layers = self.backbone.predict(chunk, latents_BFCHW, timestep)
            answers.append(clean_BFCHW)
        self.backbone.append(layers, clean_BFCHW)
        return answers

    def refine(self, first_latent: int, draft_BFCHW: Tensor, told: ChunkConditions) -> Tensor:
        """The refiner's final latents of a chunk from the backbone's draft, [B, F, C, H, W]."""
        chunk = self.refiner.open(first_latent, told)
        if told.effort:
            return self._refine_coarsely(first_latent, draft_BFCHW, chunk)
        timestep, step = self.settings.refiner_timestep, len(self.settings.backbone_timesteps)
        noisy_BFCHW = self._renoised(draft_BFCHW, first_latent, step, timestep)
        clean_BFCHW, _ = self.refiner.predict(chunk, noisy_BFCHW, timestep)
        with torch.no_grad():
            _, layers = self.refiner.predict(chunk, clean_BFCHW.detach(), 0.0)
        self.refiner.append(layers, clean_BFCHW)
        return clean_BFCHW

    def _refine_coarsely(self, first_latent: int, draft_BFCHW: Tensor, chunk: OpenChunk) -> Tensor:
        """The same at half the resolution, for a machine that cannot keep up: the draft, moved by what the refiner changed of its
        2 x 2 means. History takes the keys of the half grid for all four positions.
        """
        timestep, step = self.settings.refiner_timestep, len(self.settings.backbone_timesteps)
        posed_BFCHW = chunk.guess.posed_BFCHW
        coarse_guess = replace(
            chunk.guess,
            latents_BRCHW=halved(chunk.guess.latents_BRCHW),
            posed_BFCHW=None if posed_BFCHW is None else halved(posed_BFCHW),
        )
        chunk = replace(chunk, guess=coarse_guess)
        coarse_BFCHW = halved(draft_BFCHW)
        noise_BFCHW = halved_noise(self.noise.draw(first_latent, draft_BFCHW.shape[1], step))
        sigma_BF = torch.full(coarse_BFCHW.shape[:2], timestep / TIMESTEP_SCALE, device=coarse_BFCHW.device)
        noisy_BFCHW = add_noise(coarse_BFCHW, noise_BFCHW, sigma_BF)
        clean_BFCHW, _ = self.refiner.predict(chunk, noisy_BFCHW, timestep, grid_step=2)
        final_BFCHW = draft_BFCHW + doubled(clean_BFCHW - coarse_BFCHW)
        with torch.no_grad():
            _, layers = self.refiner.predict(chunk, clean_BFCHW.detach(), 0.0, grid_step=2)
        self.refiner.append(spread_over(layers, self.refiner.cache.layout.grid_HW), final_BFCHW)
        return final_BFCHW

    def _renoised(self, clean_BFCHW: Tensor, first_latent: int, step: int, timestep: float) -> Tensor:
        noise_BFCHW = self.noise.draw(first_latent, clean_BFCHW.shape[1], step)
        sigma_BF = torch.full(clean_BFCHW.shape[:2], timestep / TIMESTEP_SCALE, device=clean_BFCHW.device)
        return add_noise(clean_BFCHW, noise_BFCHW, sigma_BF)

    def tensors(self) -> dict[str, Tensor]:
        """Both histories and the plan of motion, to be kept in a file.

        What was planned and never drafted, or drafted by a plan that is no more, was withdrawn in between, and is left out.
        """
        if self.motion is not None:
            self.motion.truncate(self.backbone.tail.length)
            self.backbone.truncate(self.motion.planner.length)
        parts = {"backbone": self.backbone.tensors(), "refiner": self.refiner.tensors()}
        if self.motion is not None:
            parts["motion"] = self.motion.tensors()
        return {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take on both histories and the plan of motion from a file; `BadInputError` unless they fit each other."""
        self.backbone.load(_part(tensors, "backbone."))
        self.refiner.load(_part(tensors, "refiner."))
        if self.motion is None:
            return
        self.motion.load(_part(tensors, "motion."))
        if self.motion.planner.length != self.backbone.tail.length:
            raise BadInputError("the session's plan of motion does not fit its latents; open a new session")


def _shown(chunk: OpenChunk, grid_step: int) -> Tensor | None:
    """The anchor in the pose of each of a chunk's latents, on the chunk's grid."""
    if chunk.conditions.posed_BFCHW is None:
        return None
    posed_BFCHW = chunk.conditions.posed_BFCHW[:, 1:]
    return posed_BFCHW if grid_step == 1 else halved(posed_BFCHW)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
