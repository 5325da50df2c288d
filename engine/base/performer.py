"""Base LPM performing offline: window after window of denoising, blended where they overlap, decoded as it becomes final.

Called through `engine.perform`. Memory does not grow with the film: only the tail of the latents is kept.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from engine.base.conditions import JobConditions, WindowConditions, as_pixels
from engine.base.continuation import WindowPlan, blend, plan_windows
from engine.base.job import FilmPiece, PerformJob
from engine.base.settings import BaseSettings
from engine.errors import CancelledError
from engine.flow.guidance import guide
from engine.flow.preconditioning import global_latent, preconditioning_named
from engine.flow.schedule import TIMESTEP_SCALE, unipc_schedule
from engine.flow.solver import UniPCSolver, solve
from engine.loaded_pack import LoadedPack
from engine.model.transformer import DitInputs
from engine.precision import fast_autocast
from engine.references import ReferenceLatents


def perform(pack: LoadedPack, job: PerformJob, should_stop: Callable[[], bool] = lambda: False) -> Iterator[FilmPiece]:
    """Yields the film piece by piece; `CancelledError` soon after `should_stop` says so."""
    settings = replace(
        pack.base, num_steps=job.num_steps or pack.base.num_steps, guidance=job.guidance or pack.base.guidance
    )
    return Performer(pack, job, settings, should_stop).pieces()


class Performer:
    """One job being performed: its conditions, the tail of its latents and the state of its decoder."""

    def __init__(
        self, pack: LoadedPack, job: PerformJob, settings: BaseSettings, should_stop: Callable[[], bool]
    ) -> None:
        self.pack, self.job, self.settings, self.should_stop = pack, job, settings, should_stop
        self.device = torch.device("cpu")
        self.precondition = preconditioning_named(
            settings.preconditioning, settings.residual_std, settings.history_share
        )
        self.generator = torch.Generator().manual_seed(job.seed)
        self.decoder_state = pack.codec.initial_state()
        self.stages_s: dict[str, float] = defaultdict(float)
        self._mark_s = time.perf_counter()

    @torch.no_grad()
    def pieces(self) -> Iterator[FilmPiece]:
        """The film, piece by piece."""
        with fast_autocast(self.device):
            conditions = JobConditions(self.pack, self.job)
            tail_FCHW, tail_start = self._first_frame_latent()
        self._count("references")
        total_latents = self.pack.codec.num_latents(self.job.num_frames)
        final_end = 0
        for plan in plan_windows(total_latents, self.settings):
            with fast_autocast(self.device):
                told = conditions.window(plan)
                self._count("conditions")
                history_FCHW = self._kept(tail_FCHW[plan.start - tail_start :][: plan.history], conditions.references)
                window_FCHW = self._denoise(plan, told, conditions.references, history_FCHW)
            if plan.overlap:
                overlap = slice(plan.history, plan.history + plan.overlap)
                earlier_FCHW = tail_FCHW[plan.start - tail_start + plan.history :]
                window_FCHW[overlap] = blend(earlier_FCHW, window_FCHW[overlap])
            self._count("denoise")
            frames_THWC = self._decode(window_FCHW[final_end - plan.start : plan.final_end - plan.start])
            start_frame = self.pack.codec.num_frames(final_end)
            yield FilmPiece(
                start_frame=start_frame,
                frames_THWC=frames_THWC[: self.job.num_frames - start_frame],
                num_frames=self.job.num_frames,
                stages_s=self._taken(),
            )
            self._mark_s = time.perf_counter()
            tail_FCHW, tail_start, final_end = window_FCHW, plan.start, plan.final_end

    def _first_frame_latent(self) -> tuple[Tensor, int]:
        """The latent before the film (paper 3.3: a performance begins with a portrait), also before the first in the decoder.

        It is a first frame of one's own, or the character's global reference.
        """
        own_HWC = self.job.first_frame_HWC
        picture_HWC = self.job.character.global_picture_HWC if own_HWC is None else own_HWC
        latent_BCHW = self.pack.codec.encode_still(as_pixels(picture_HWC, self.pack.size_px)).float()
        self.pack.codec.decode_chunk(latent_BCHW[None], self.decoder_state)
        return latent_BCHW, -1

    def _kept(self, history_FCHW: Tensor, references: ReferenceLatents) -> Tensor:
        """History moved back towards the global reference, as far as the pack's settings say."""
        reference_CHW = global_latent(references)[0]
        return reference_CHW + self.settings.history_keep * (history_FCHW - reference_CHW)

    def _denoise(
        self, plan: WindowPlan, told: WindowConditions, references: ReferenceLatents, history_FCHW: Tensor
    ) -> Tensor:
        """The window's latents [F, C, h, w] from noise, behind clean history."""
        config = self.pack.transformer.config
        shape = (plan.num_latents - plan.history, *history_FCHW.shape[1:])
        noise_FCHW = torch.randn(shape, generator=self.generator)
        history_BFCHW = history_FCHW[None]
        clean_BF = torch.zeros(1, plan.history)

        def velocity_at(new_BFCHW: Tensor, timestep: float) -> Tensor:
            if self.should_stop():
                raise CancelledError("stopped")
            timestep_BF = torch.cat([clean_BF, torch.full((1, new_BFCHW.shape[1]), timestep)], dim=1)
            inputs = DitInputs(
                latents_BFCHW=torch.cat([history_BFCHW, new_BFCHW], dim=1),
                timestep_BF=timestep_BF,
                references=references,
                text_BSD=told.text_BSD,
                speak_BAD=told.speak_BAD,
                listen_BAD=told.listen_BAD,
                speak_start_row=-config.speak_window.rows_before,
                listen_start_row=-config.listen_window.rows_before,
            )
            return guide(self._velocity, inputs, self.settings.guidance)[:, plan.history :]

        schedule = unipc_schedule(self.settings.num_steps, self.settings.shift)
        new_BFCHW = solve(UniPCSolver(), schedule, noise_FCHW[None], velocity_at)
        return torch.cat([history_FCHW, new_BFCHW[0]])

    def _velocity(self, inputs: DitInputs) -> Tensor:
        sigma_BF, references = inputs.timestep_BF / TIMESTEP_SCALE, inputs.references
        seen_BFCHW = self.precondition.network_input(inputs.latents_BFCHW, sigma_BF, references)
        output_BFCHW = self.pack.transformer(replace(inputs, latents_BFCHW=seen_BFCHW))
        return self.precondition.velocity(output_BFCHW, inputs.latents_BFCHW, sigma_BF, references)

    def _decode(self, latents_FCHW: Tensor) -> NDArray[np.uint8]:
        with fast_autocast(self.device):
            pixels_BTCHW = self.pack.codec.decode_chunk(latents_FCHW[None], self.decoder_state)
        frames_THWC = rearrange((pixels_BTCHW[0].float().clamp(-1, 1) + 1) * 127.5, "t c h w -> t h w c")
        frames = frames_THWC.round().to(torch.uint8).contiguous().numpy()
        self._count("decode")
        return frames

    def _count(self, stage: str) -> None:
        now_s = time.perf_counter()
        self.stages_s[stage] += now_s - self._mark_s
        self._mark_s = now_s

    def _taken(self) -> dict[str, float]:
        """Seconds by stage since the last piece; the time that the caller takes between pieces counts as none."""
        taken, self.stages_s = dict(self.stages_s), defaultdict(float)
        return taken
