"""The motion model's task: pieces of performances in, a flow-matching model of motion rows out (`engine.motion`)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.flow.noising import add_noise, velocity_target
from engine.flow.schedule import TIMESTEP_SCALE
from engine.model.transformer import DitInputs, Transformer
from engine.motion.plan import MotionModel, MotionTold, motion_velocity, path_spread, plan_motion
from engine.motion.settings import MotionSettings
from engine.packs import fill_from_file, save_weights
from engine.precision import fast_autocast
from engine.references import ReferenceLatents
from training.actor.state import EXPRESSION_CHANNELS, channel
from training.data.motion_rows import states_of
from training.data.motion_windows import MotionWindowConfig, cut_pieces, motion_batches, num_heard_rows
from training.data.windows import LISTEN_HISTORY_ROWS, ClipFeatures
from training.parallel import World

FOLLOWED = ("mouth_open", "pitch", "yaw", "roll", "smile", "brow_left", "gaze_x")
LEAST_EXPRESSION = 0.5  # of full strength: from here on a true face counts as one that shows an expression
CLOSED_EYES = 0.5


@dataclass(kw_only=True)
class MotionTask:
    """Satisfies `training.trainer.Task`. `held_out` are clips that training never draws from."""

    transformer: Transformer
    settings: MotionSettings
    features: ClipFeatures
    held_out: ClipFeatures
    weights_file: str
    window: MotionWindowConfig = field(default_factory=MotionWindowConfig)
    history_noise: float = 0.1
    sigma_shift: float = 1.5

    @property
    def model(self) -> nn.Module:
        """The transformer."""
        return self.transformer

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """In- and outputs, time and the tables of modulation."""
        return ("embedding", "time_projection", "head", "modulation")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Pieces from sample `first_sample` on, cut in this process, from memory."""
        return motion_batches(self.features, self.window, first_sample, batch_samples, world)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Error of the velocity of new rows, in units of the spread that it should have."""
        motion_BFM = batch["motion_FM"]
        batch_size, num_rows = motion_BFM.shape[:2]
        strata_B = (
            torch.randperm(batch_size, generator=generator) + torch.rand(batch_size, generator=generator)
        ) / batch_size
        sigma_B = self.sigma_shift * strata_B / (1 + (self.sigma_shift - 1) * strata_B)
        unsaid_B = self.history_noise * torch.rand(batch_size, generator=generator)
        is_new_BF = torch.arange(num_rows)[None] >= batch["history"][:, None]
        sigma_BF = sigma_B[:, None] * is_new_BF
        noise_BFM = torch.randn(motion_BFM.shape, generator=generator)
        actual_BF = torch.where(is_new_BF, sigma_B[:, None], unsaid_B[:, None])
        noisy_BFCHW = add_noise(motion_BFM[..., None, None], noise_BFM[..., None, None], actual_BF)
        velocity_BFM = motion_velocity(self.transformer, motion_inputs(batch, noisy_BFCHW, sigma_BF))
        error_BFM = path_spread(sigma_BF)[..., None] * (velocity_BFM - velocity_target(motion_BFM, noise_BFM))
        loss = (error_BFM.square().mean(dim=2) * is_new_BF).sum() / is_new_BF.sum()
        return {"loss": loss}

    def measure(self) -> dict[str, float]:
        """The held-out loss, and how whole held-out clips that the model plans from rest compare with the true ones."""
        plain = replace(self.window, text_drop_share=0.0, speak_drop_share=0.0, listen_drop_share=0.0)
        batch = cut_pieces(self.held_out, plain, list(range(96)), history=8, new=3)
        with torch.no_grad(), fast_autocast(torch.device("cpu")):
            loss = float(self.loss(batch, torch.Generator().manual_seed(1))["loss"])
        return {"held_out_velocity": loss, **self.measure_plans()}

    def measure_plans(self) -> dict[str, float]:
        """Plans of the held-out clips against their performances, without guidance."""
        planned_NTK = self.planned()
        true_NTK = self.held_out.clips["state_TK"][:, : planned_NTK.shape[1]].float()
        measures = {}
        for name in FOLLOWED:
            both_2NT = torch.stack([planned_NTK[..., channel(name)], true_NTK[..., channel(name)]])
            measures[f"r_{name}"] = float(torch.corrcoef(both_2NT.flatten(1))[0, 1])
            measures[f"spread_{name}"] = float(both_2NT[0].std() / both_2NT[1].std())
        blinks_N = [_num_blinks(states_NTK) for states_NTK in (planned_NTK, true_NTK)]
        columns = [channel(name) for name in EXPRESSION_CHANNELS[1:]]
        shown_NTE, asked_NTE = planned_NTK[..., columns], true_NTK[..., columns]
        counts_NT = asked_NTE.max(dim=-1).values > LEAST_EXPRESSION
        is_right_NT = shown_NTE.argmax(dim=-1) == asked_NTE.argmax(dim=-1)
        return {
            **measures,
            "blinks": blinks_N[0] / max(blinks_N[1], 1),
            "expression": float((is_right_NT & counts_NT).sum() / counts_NT.sum().clamp(min=1)),
        }

    @torch.no_grad()
    def planned(self) -> Tensor:
        """All held-out clips, planned chunk by chunk from rest as in a film, as states [N, T, K]."""
        features, new = self.held_out, 3
        motion = MotionModel(transformer=self.transformer, settings=self.settings)
        generator = torch.Generator().manual_seed(3)
        num_clips, num_rows = features.num_clips, num_heard_rows(features)
        clips_N = torch.arange(num_clips)
        rows_BFM = motion.rest(num_clips)[:, None]
        for start in range(0, num_rows - new + 1, new):
            history = min(self.settings.history_rows, start)
            first = start - history
            text_N = features.clips["text_of_latent_F"][:, start + new // 2].long()
            told = MotionTold(
                text_BSD=features.text_NCLD[clips_N, text_N].float(),
                speak_BAD=features.speak_NAD[:, first : start + new].float(),
                listen_BAD=features.listen_NAD[:, first : start + new + LISTEN_HISTORY_ROWS].float(),
                listen_start_row=-LISTEN_HISTORY_ROWS,
            )
            if not history:  # the row of rest stands before the film, where nothing is told
                told = replace(told, speak_BAD=_behind(told.speak_BAD), listen_BAD=_behind(told.listen_BAD))
            noise_BFM = torch.randn(num_clips, new, rows_BFM.shape[2], generator=generator)
            with fast_autocast(torch.device("cpu")):
                new_BFM = plan_motion(motion, told, rows_BFM[:, -max(history, 1) :], noise_BFM)
            rows_BFM = torch.cat([rows_BFM, new_BFM.float()], dim=1)
        return states_of(rows_BFM[:, 1:])

    def write_samples(self, folder: Path, step: int) -> None:
        """The planned held-out clips, as an array of states [N, T, K]."""
        np.save(folder / f"planned-{step:06d}.npy", self.planned().numpy().astype(np.float16))

    def export(self, folder: Path) -> None:
        """The transformer."""
        save_weights(folder / self.weights_file, self.transformer)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's."""
        fill_from_file(folder / self.weights_file, self.transformer)


def _behind(rows_BAD: Tensor) -> Tensor:
    """Rows behind one of silence."""
    return torch.cat([torch.zeros_like(rows_BAD[:, :1]), rows_BAD], dim=1)


def _num_blinks(states_NTK: Tensor) -> int:
    """How often eyes close."""
    is_closed_NT = states_NTK[..., channel("blink")] > CLOSED_EYES
    return int((is_closed_NT[:, 1:] & ~is_closed_NT[:, :-1]).sum())


def motion_inputs(batch: dict[str, Tensor], noisy_BFCHW: Tensor, sigma_BF: Tensor) -> DitInputs:
    """A batch of pieces as the transformer takes it."""
    return DitInputs(
        latents_BFCHW=noisy_BFCHW,
        timestep_BF=sigma_BF * TIMESTEP_SCALE,
        references=ReferenceLatents.none_for(noisy_BFCHW),
        text_BSD=batch["text_SD"],
        speak_BAD=batch["speak_AD"],
        listen_BAD=batch["listen_AD"],
        speak_start_row=0,
        listen_start_row=noisy_BFCHW.shape[1] - batch["listen_AD"].shape[1],
    )
