"""Base LPM performing offline: window after window of denoising, blended where they overlap, decoded as it becomes final.

Called through `engine.perform`. Memory does not grow with the film: only the tail of the latents is kept.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.base.conditions import JobConditions, WindowConditions, WindowTold
from engine.base.continuation import WindowPlan, blend, plan_windows
from engine.base.film_clock import FilmClock
from engine.base.fingerprints import film_fingerprint, motion_fingerprint, noise_seed, window_fingerprint
from engine.base.job import FilmPiece, PerformJob
from engine.base.settings import BaseSettings
from engine.base.window_store import WindowStore
from engine.devices import wait_for
from engine.errors import CancelledError
from engine.flow.guidance import GuidanceInterval, branches_that_fit, guide
from engine.flow.history import recalled
from engine.flow.preconditioning import anchor_latents, preconditioning_named
from engine.flow.sampler import sampler_named
from engine.flow.schedule import TIMESTEP_SCALE
from engine.loaded_pack import LoadedPack
from engine.model.transformer import DitInputs
from engine.motion.plan import MotionTold
from engine.motion.planner import MotionPlanner
from engine.pixels import as_bytes, as_pixels
from engine.posing.retoucher import PlannedPose, standing_before
from engine.posing.sizes import shrunk
from engine.precision import fast_autocast, number_format
from engine.references import ReferenceLatents


def perform(
    pack: LoadedPack,
    job: PerformJob,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    keep: WindowStore | None = None,
    reuse: WindowStore | None = None,
) -> Iterator[FilmPiece]:
    """Yields the film piece by piece; `CancelledError` soon after `should_stop` says so.

    Finished windows are written to `keep`, and a window that `reuse` has under the very same inputs is not made again: with the
    same store for both, a job that was stopped or changed goes on from where it still holds. The pixels are the same either way.
    """
    settings = replace(pack.base, num_steps=job.num_steps or pack.base.num_steps)
    if pack.motion is None:  # otherwise it is the plan that is guided
        settings = replace(settings, guidance=job.guidance or pack.guidance)
    return Performer(pack, job, settings, should_stop, keep, reuse).pieces()


@dataclass(frozen=True, kw_only=True)
class FilmTail:
    """What a window goes on from: the latents [F, C, h, w] of the window before, the first of them number `start` of the film, and
    what that window was told; None before the film."""

    latents_FCHW: Tensor
    start: int
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class DrawnWindow:
    """A window's latents [F, C, h, w]; those of the film from number `first_final` up to `plan.final_end` will not change any more."""

    plan: WindowPlan
    first_final: int
    latents_FCHW: Tensor
    text: str
    is_reused: bool

    @property
    def final_FCHW(self) -> Tensor:
        """The latents that will not change any more."""
        return self.latents_FCHW[self.first_final - self.plan.start : self.plan.final_end - self.plan.start]


class Performer:
    """One job being performed: its conditions, the tail of its latents and the state of its decoder."""

    def __init__(
        self,
        pack: LoadedPack,
        job: PerformJob,
        settings: BaseSettings,
        should_stop: Callable[[], bool],
        keep: WindowStore | None,
        reuse: WindowStore | None,
    ) -> None:
        self.pack, self.job, self.settings, self.should_stop = pack, job, settings, should_stop
        self.keep, self.reuse = keep, reuse
        self.device = pack.device
        self.precondition = preconditioning_named(
            settings.preconditioning, settings.residual_std, settings.history_share
        )
        self.clock = FilmClock(pack.codec)
        self.conditions = JobConditions(pack, job)
        self.planner = (
            None
            if pack.motion is None
            else MotionPlanner(pack.motion, settings.window_latents, pack.codec.frames_per_latent)
        )
        self.poser = pack.poser()
        self.retoucher = pack.retoucher(self.poser)
        self.decoder_state = pack.codec.initial_state()
        self.stages_s: dict[str, float] = defaultdict(float)
        self._mark_s = time.perf_counter()

    @torch.no_grad()
    def pieces(self) -> Iterator[FilmPiece]:
        """The film, piece by piece."""
        for window in self.windows():
            final_FCHW = window.final_FCHW
            frames_THWC = self._decode(final_FCHW, self._pose_of(window))
            start_frame = self.clock.start_frame(window.first_final)
            joins = (self.clock.start_frame(latent) for latent in window.plan.join_latents)
            yield FilmPiece(
                start_frame=start_frame,
                frames_THWC=frames_THWC[: self.job.num_frames - start_frame],
                num_frames=self.job.num_frames,
                stages_s=self._taken(),
                join_frames=tuple(frame for frame in joins if frame < self.job.num_frames),
                is_reused=window.is_reused,
            )
            self._mark_s = time.perf_counter()

    @torch.no_grad()
    def windows(self) -> Iterator[DrawnWindow]:
        """The film's latents, window by window."""
        plans = list(plan_windows(self.clock.num_latents(self.job.num_frames), self.settings))
        with fast_autocast(self.device):
            opening_text = self.conditions.told(plans[0]).text
            tail = FilmTail(latents_FCHW=self._first_frame_latent(opening_text), start=-1)
        first_final = 0
        fingerprint = film_fingerprint(self.pack, self.settings, self.job, number_format(self.device))
        self._count("references")
        for window, plan in enumerate(plans):
            if self.should_stop():
                raise CancelledError("stopped")
            told = self.conditions.told(plan)
            fingerprint = window_fingerprint(fingerprint, plan, told)
            self._count("conditions")
            found_FCHW = self._recall(fingerprint, plan, told.text, tail.latents_FCHW.shape[1:])
            window_FCHW = self._make(window, plan, told, tail) if found_FCHW is None else found_FCHW
            if found_FCHW is None:
                self._keep(fingerprint, plan, window_FCHW)
            self._count("keep")
            yield DrawnWindow(
                plan=plan,
                first_final=first_final,
                latents_FCHW=window_FCHW,
                text=told.text,
                is_reused=found_FCHW is not None,
            )
            tail = FilmTail(latents_FCHW=window_FCHW, start=plan.start, text=told.text)
            first_final = plan.final_end

    def _recall(self, fingerprint: str, plan: WindowPlan, text: str, shape_CHW: torch.Size) -> Tensor | None:
        """A window's latents [F, C, h, w] where they were made before; with them its part of the motion plan is there too."""
        if self.reuse is None:
            return None
        found_FCHW = self.reuse.recall(fingerprint, (plan.num_latents, *shape_CHW))
        if found_FCHW is None or self.planner is None:
            return None if found_FCHW is None else found_FCHW.to(self.device)
        shape_FM = (_new_latents(plan), self.planner.motion.row_width)
        rows_FM = self.reuse.recall(motion_fingerprint(fingerprint), shape_FM)
        if rows_FM is None:
            return None
        self.planner.take(rows_FM.to(self.device)[None], self.conditions.references.turn(text))
        return found_FCHW.to(self.device)

    def _keep(self, fingerprint: str, plan: WindowPlan, window_FCHW: Tensor) -> None:
        if self.keep is None:
            return
        self.keep.keep(fingerprint, window_FCHW)
        if self.planner is not None:
            new_BFM = self.planner.planned(plan.start + plan.history + plan.overlap)
            self.keep.keep(motion_fingerprint(fingerprint), new_BFM[0])

    def _make(self, window: int, plan: WindowPlan, told: WindowTold, tail: FilmTail) -> Tensor:
        """A window's latents [F, C, h, w]: made from noise behind the tail, blended with it where they overlap."""
        with fast_autocast(self.device):
            references = self.conditions.references.latents(told.text)
            self._count("references")
            conditions = self.conditions.encode(plan, told)
            self._count("conditions")
            motion_BFM = self._plan_motion(window, plan, told.text, conditions)
            past_FCHW = tail.latents_FCHW[plan.start - tail.start :][: plan.history]
            before = references if tail.text in (None, told.text) else self.conditions.references.latents(tail.text)
            references = self._posed(plan, references, before, motion_BFM, past_FCHW)
            history_FCHW = self._kept(past_FCHW, references)
            noise_FCHW = self._noise(window, (plan.num_latents - plan.history, *history_FCHW.shape[1:]))
            window_FCHW = self._denoise(plan, conditions, references, history_FCHW, noise_FCHW, motion_BFM)
        if plan.overlap:
            overlap = slice(plan.history, plan.history + plan.overlap)
            earlier_FCHW = tail.latents_FCHW[plan.start - tail.start + plan.history :]
            window_FCHW[overlap] = blend(earlier_FCHW, window_FCHW[overlap])
        self._count("denoise")
        return window_FCHW

    def _plan_motion(self, window: int, plan: WindowPlan, text: str, conditions: WindowConditions) -> Tensor | None:
        """The window's rows [1, F, M] of the film's motion, planned to the window's end; None for a pack that plans none."""
        planner, config = self.planner, self.pack.transformer.config
        if planner is None:
            return None
        behind = plan.start - (
            planner.length - planner.num_history
        )  # the window's start, from the first row of the plan's history
        told = MotionTold(
            text_BSD=conditions.text_BSD,
            speak_BAD=conditions.speak_BAD,
            listen_BAD=conditions.listen_BAD,
            speak_start_row=conditions.speak_start_row + behind * config.speak_window.rows_per_latent,
            listen_start_row=conditions.listen_start_row + behind * config.listen_window.rows_per_latent,
            no_text_BSD=self.conditions.no_text_BSD,
            is_mute_BT=conditions.is_mute_BT[:, -_new_latents(plan) * self.pack.codec.frames_per_latent :],
            feeling=self.conditions.references.feeling(text),
            turn=self.conditions.references.turn(text),
        )
        noise_BFM = self._noise(window, (1, _new_latents(plan), planner.motion.row_width), "motion")
        planner.plan(told, noise_BFM, self.job.guidance)
        self._count("motion")
        return planner.rows(plan.start)

    def _posed(
        self,
        plan: WindowPlan,
        references: ReferenceLatents,
        before: ReferenceLatents,
        motion_BFM: Tensor | None,
        past_FCHW: Tensor,
    ) -> ReferenceLatents:
        """The references with their anchor in the poses that are planned, where the pack poses it.

        History stayed near the anchor of the references before: measured against another, its old face would stand in the new one
        as a ghost.
        """
        if self.poser is None or self.planner is None or motion_BFM is None:
            return references
        turns_BFT = self.planner.turns(plan.start)
        assert before.anchor_picture is not None, "a pack that poses its anchor has its picture"
        history = slice(plan.history)
        behind_BFCHW = self.poser.behind(
            before.anchor_picture, motion_BFM[:, history], past_FCHW[None], turns_BFT[:, history]
        )
        made = slice(plan.history, None)
        posed = self.poser.posed(references, motion_BFM[:, made], behind_BFCHW, turns_BFT[:, made])
        self._count("posing")
        return posed

    def _noise(self, window: int, shape: tuple[int, ...], what: str = "window") -> Tensor:
        """A window's noise, or its motion's: drawn on the processor, so that it is the same whatever the device."""
        generator = torch.Generator().manual_seed(noise_seed(self.job.seed, window, what))
        return torch.randn(shape, generator=generator).to(self.device)

    def _first_frame_latent(self, text: str) -> Tensor:
        """Latent -1 [1, C, h, w], before the film and in the decoder (paper 3.3: a performance begins with a portrait)."""
        pixels_BCHW = self._first_frame(text)
        latent_BCHW = self.pack.codec.encode_still(pixels_BCHW).float()
        finish = None if self.retoucher is None else partial(standing_before, pixels_BCHW)
        self.pack.codec.decode_chunk(latent_BCHW[None], self.decoder_state, finish)
        return latent_BCHW

    def _first_frame(self, text: str) -> Tensor:
        """A first frame of one's own; else the picture that fits the first direction, and seen from where that says, where the pack poses
        one; else the global one."""
        own_HWC = self.job.first_frame_HWC
        if own_HWC is None and self.poser is not None:
            anchor = self.conditions.references.latents(text).anchor_picture
            assert anchor is not None, "a pack that poses its anchor has its picture"
            assert self.planner is not None, "and a plan"
            self.planner.first_BM = anchor.row_BM
            turn = self.conditions.references.first_turn(text).turn
            if not turn:
                return shrunk(anchor.pixels_BCHW, self.poser.finer)
            self.planner.begin_turned(turn)
            turns_BFT = torch.full((1, 1, self.pack.codec.frames_per_latent), turn)
            return self.poser.moved_small(anchor, anchor.row_BM[:, None], turns_BFT).pixels_BTCHW[:, 0]
        picture_HWC = self.job.character.global_picture_HWC if own_HWC is None else own_HWC
        return as_pixels(picture_HWC, self.pack.size_px).to(self.device)

    def _kept(self, history_FCHW: Tensor, references: ReferenceLatents) -> Tensor:
        """History as the pack's settings say that a window is told it."""
        return recalled(
            history_FCHW[None],
            anchor_latents(references)[:, : len(history_FCHW)],
            self.precondition,
            self.settings.history_keep,
            self.settings.history_error,
        )[0]

    def _denoise(
        self,
        plan: WindowPlan,
        told: WindowConditions,
        references: ReferenceLatents,
        history_FCHW: Tensor,
        noise_FCHW: Tensor,
        motion_BFM: Tensor | None,
    ) -> Tensor:
        """The window's latents [F, C, h, w] from noise, behind clean history."""
        history_BFCHW = history_FCHW[None]
        clean_BF = torch.zeros(1, plan.history, device=self.device)

        def velocity_at(new_BFCHW: Tensor, timestep: float) -> Tensor:
            if self.should_stop():
                raise CancelledError("stopped")
            noisy_BF = torch.full((1, new_BFCHW.shape[1]), timestep, device=self.device)
            inputs = DitInputs(
                latents_BFCHW=torch.cat([history_BFCHW, new_BFCHW], dim=1),
                timestep_BF=torch.cat([clean_BF, noisy_BF], dim=1),
                references=references,
                text_BSD=told.text_BSD,
                speak_BAD=told.speak_BAD,
                listen_BAD=told.listen_BAD,
                speak_start_row=told.speak_start_row,
                listen_start_row=told.listen_start_row,
                motion_BFM=motion_BFM,
            )
            return self._guided(inputs, timestep / TIMESTEP_SCALE)[:, plan.history :]

        sampler = sampler_named(self.settings.solver, self.settings.num_steps, self.settings.shift)
        new_BFCHW = sampler.run(noise_FCHW[None], velocity_at)
        return torch.cat([history_FCHW, new_BFCHW[0]])

    def _guided(self, inputs: DitInputs, sigma: float) -> Tensor:
        low, high = self.settings.guidance_interval
        scales = GuidanceInterval(low=low, high=high).scales_at(sigma, self.settings.guidance)
        at_once = branches_that_fit(self.pack.transformer.config, inputs)
        return guide(
            self._velocity, inputs, scales, self.settings.guidance_rescale, at_once, self.conditions.no_text_BSD
        )

    def _velocity(self, inputs: DitInputs) -> Tensor:
        sigma_BF, references = inputs.timestep_BF / TIMESTEP_SCALE, inputs.references
        seen_BFCHW = self.precondition.network_input(inputs.latents_BFCHW, sigma_BF, references)
        output_BFCHW = self.pack.transformer(replace(inputs, latents_BFCHW=seen_BFCHW))
        return self.precondition.velocity(output_BFCHW, inputs.latents_BFCHW, sigma_BF, references)

    def _pose_of(self, window: DrawnWindow) -> PlannedPose | None:
        """How the final pictures of a window are meant to look, where the pack retouches them."""
        if self.retoucher is None or self.planner is None:
            return None
        with fast_autocast(self.device):  # a recalled window may be the first to ask for these references
            picture = self.conditions.references.latents(window.text).anchor_picture
        assert picture is not None, "a pack that poses its anchor has its picture"
        rows_BFM = self.planner.rows(window.first_final)[:, : len(window.final_FCHW)]
        turns_BFT = self.planner.turns(window.first_final)[:, : len(window.final_FCHW)]
        return PlannedPose(picture=picture, rows_BFM=rows_BFM, turns_BFT=turns_BFT)

    def _decode(self, latents_FCHW: Tensor, pose: PlannedPose | None) -> NDArray[np.uint8]:
        with fast_autocast(self.device):
            if pose is None:
                pixels_BTCHW = self.pack.codec.decode_chunk(latents_FCHW[None], self.decoder_state)
            else:
                pixels_BTCHW = self._retouched(latents_FCHW, pose)
        frames = as_bytes(pixels_BTCHW[0])
        self._count("decode")
        return frames

    def _retouched(self, latents_FCHW: Tensor, pose: PlannedPose) -> Tensor:
        """The pictures of latents, retouched as they are decoded."""
        retoucher = self.retoucher
        assert retoucher is not None, "poses are looked up for retouching alone"
        moved = retoucher.moved(pose)
        self._count("retouch")

        def finish(pixels_BTCHW: Tensor) -> Tensor:
            self._count("decode")
            pixels_BTCHW = retoucher.retouched(pixels_BTCHW, moved)
            self._count("retouch")
            return pixels_BTCHW

        pixels_BTCHW = self.pack.codec.decode_chunk(latents_FCHW[None], self.decoder_state, finish)
        self._count("decode")
        pixels_BTCHW = moved.with_details(pixels_BTCHW)
        self._count("retouch")
        return pixels_BTCHW

    def _count(self, stage: str) -> None:
        wait_for(self.device)
        now_s = time.perf_counter()
        self.stages_s[stage] += now_s - self._mark_s
        self._mark_s = now_s

    def _taken(self) -> dict[str, float]:
        """Seconds by stage since the last piece; the time that the caller takes between pieces counts as none."""
        taken, self.stages_s = dict(self.stages_s), defaultdict(float)
        return taken


def _new_latents(plan: WindowPlan) -> int:
    """Latents of a window that no window before has made."""
    return plan.num_latents - plan.history - plan.overlap
