"""The base model's task (Base LPM, paper 3.2): windows of clips in, a flow-matching transformer out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import torch
from einops import rearrange
from torch import Tensor, nn

from engine.codec.protocol import VideoCodec
from engine.flow.history import recalled
from engine.flow.noising import clean_from_velocity
from engine.flow.preconditioning import Preconditioning, anchor_latents
from engine.flow.schedule import TIMESTEP_SCALE, euler_schedule
from engine.flow.solver import EulerSolver, solve
from engine.model.transformer import DitInputs, Transformer
from engine.packs import fill_from_file, save_weights
from engine.precision import fast_autocast
from engine.references import ReferenceLatents
from training.actor.state import channel
from training.data.windows import ClipFeatures, WindowConfig, cut_window, place_of, window_batches
from training.grown_weights import fill_grown
from training.objectives.flow_matching import (
    FlowMatchingConfig,
    StateReadout,
    bends,
    draw_sigma,
    noise_window,
    position_weights,
    state_loss,
    state_scales,
    velocity_loss,
)
from training.parallel import World

READOUT_FILE = "state_readout.safetensors"
HELD_OUT_SIGMAS = (0.4, 0.8, 1.0)
MEASURED = ("mouth_open", "pitch", "yaw", "blink", "expression_happy", "expression_angry")
NUM_SAMPLES = 6
NUM_SAMPLE_STEPS = 1
CERTAIN_SIGMA = 0.9  # from here on a prediction is the model's own and hardly its noisy input's


class BaseModel(nn.Module):
    """The transformer and the auxiliary read-out of a middle layer."""

    def __init__(self, transformer: Transformer, readout: StateReadout) -> None:
        super().__init__()
        self.transformer = transformer
        self.readout = readout

    @property
    def observed_layers(self) -> tuple[int, ...]:
        """The layer that the read-out reads."""
        return (len(self.transformer.blocks) * 2 // 3,)

    def forward(self, inputs: DitInputs) -> tuple[Tensor, Tensor]:
        """The network's output, and the states [B, T, K] that the middle layer tells."""
        hidden: list[Tensor] = []
        middle = self.transformer.blocks[self.observed_layers[0]]
        handle = middle.register_forward_hook(lambda _module, _inputs, output: hidden.append(output))
        try:
            output_BFCHW = self.transformer(inputs)
        finally:
            handle.remove()
        return output_BFCHW, self.readout(hidden[0], inputs.latents_BFCHW.shape[1])


@dataclass(frozen=True, kw_only=True)
class Made:
    """One forward over a batch of windows: its losses, the velocity, history and the clean latents that it points to, what the
    middle layer tells, and which samples were made out of noise alone."""

    losses: dict[str, Tensor]
    velocity_BFCHW: Tensor
    film_BFCHW: Tensor
    is_own_B: Tensor
    hidden_BTK: Tensor


@dataclass(frozen=True, kw_only=True)
class OwnHistory:
    """The last latents [B, C, H, W] that the model made of a batch's windows, and where it made them out of noise alone."""

    last_BCHW: Tensor
    is_own_B: Tensor

    def put_into(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The next batch, begun with what the model made, where a window says that it follows on."""
        latents_BFCHW = batch["latents_FCHW"]
        is_own_B111 = (batch["own_history"] & self.is_own_B)[:, None, None, None]
        first_BCHW = torch.where(is_own_B111, self.last_BCHW, latents_BFCHW[:, 0])
        return {**batch, "latents_FCHW": torch.cat([first_BCHW[:, None], latents_BFCHW[:, 1:]], dim=1)}


@dataclass(kw_only=True)
class BaseModelTask:
    """Satisfies `training.trainer.Task`. `held_out` are clips that training never draws from.

    `carried` is what the next batch may have to begin with, the fields of an `OwnHistory`.
    """

    base: BaseModel
    precondition: Preconditioning
    flow: FlowMatchingConfig
    window: WindowConfig
    features: ClipFeatures
    held_out: ClipFeatures
    codec: VideoCodec
    weights_file: str = "base.safetensors"
    num_held_out: int = 48
    carried: dict[str, Tensor] = field(default_factory=dict)

    @property
    def model(self) -> nn.Module:
        """The transformer with its read-out."""
        return self.base

    @property
    def adamw_names(self) -> tuple[str, ...]:
        """In- and outputs, time and the tables of modulation."""
        return ("embedding", "time_projection", "head", "modulation", "readout")

    def batches(
        self, first_sample: int, batch_samples: int, world: World, num_workers: int
    ) -> Iterator[dict[str, Tensor]]:
        """Windows from sample `first_sample` on; they are cut in this process, from memory."""
        return window_batches(self.features, self.window, first_sample, batch_samples, world)

    def loss(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Velocity and state at one noise level a sample, behind history of which some is the model's own."""
        return self.make(batch, generator).losses

    def make(self, batch: dict[str, Tensor], generator: torch.Generator) -> Made:
        """One training forward; what it made of the windows is the next batch's own history."""
        made = self.make_of(self.begun(batch), generator)
        self.remember(made)
        return made

    def begun(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The batch, begun with what was made of the one before, where a window says that it follows on."""
        return OwnHistory(**self.carried).put_into(batch) if self.carried else batch

    def make_of(self, begun: dict[str, Tensor], generator: torch.Generator) -> Made:
        """One forward at noise levels of the generator's drawing."""
        return self._make(begun, draw_sigma(self.flow, len(begun["history"]), generator), generator)

    def answer(self, batch: dict[str, Tensor], generator: torch.Generator) -> Made:
        """One forward in which every sample is made out of noise alone."""
        return self._make(batch, torch.ones(len(batch["history"])), generator)

    def remember(self, made: Made) -> None:
        """The last latents made are what the next batch may begin with."""
        self.carried = {"last_BCHW": made.film_BFCHW[:, -1].detach(), "is_own_B": made.is_own_B}

    def measure(self) -> dict[str, float]:
        """Held-out velocity loss at fixed noise levels, and how well the hidden mouth follows the true one at the noisiest."""
        batch = self.held_out_batch()
        measures = {}
        for sigma in HELD_OUT_SIGMAS:
            generator = torch.Generator().manual_seed(1)
            sigma_B = torch.full((len(batch["history"]),), sigma)
            made = self._make(batch, sigma_B, generator)
            measures[f"held_out_velocity_{sigma}"] = float(made.losses["velocity"])
        for name in MEASURED:
            column = channel(name)
            true_N = batch["state_TK"][:, 4:, column].flatten()
            hidden_N = made.hidden_BTK[:, 4:, column].flatten().float()
            measures[f"hidden_r_{name}"] = float(torch.corrcoef(torch.stack([hidden_N, true_N]))[0, 1])
        return measures

    def write_samples(self, folder: Path, step: int) -> None:
        """Held-out windows, truth above and performed below, every third frame."""
        batch = {name: tensor[:NUM_SAMPLES] for name, tensor in self.held_out_batch().items()}
        performed_BFCHW = self.perform(batch)
        rows = []
        for truth_FCHW, made_FCHW in zip(batch["latents_FCHW"], performed_BFCHW, strict=True):
            pixels_RTCHW = self.codec.decode(torch.stack([truth_FCHW, made_FCHW])).float().clamp(-1, 1)
            shown = pixels_RTCHW[:, 1::3]
            rows.append(rearrange((shown + 1) * 127.5, "row t c h w -> (row h) (t w) c").byte())
        columns = torch.cat([torch.cat(rows[0::2]), torch.cat(rows[1::2])], dim=1)
        cv2.imwrite(str(folder / f"sample-{step:06d}.png"), columns.numpy()[:, :, ::-1])

    def perform(self, batch: dict[str, Tensor]) -> Tensor:
        """The windows' latents from noise behind their history, by plain Euler steps without guidance."""
        generator = torch.Generator().manual_seed(2)
        clean_BFCHW = batch["latents_FCHW"]
        is_new_BF = torch.arange(clean_BFCHW.shape[1])[None] >= batch["history"][:, None]
        is_new_BF111 = is_new_BF[:, :, None, None, None]
        noise_BFCHW = torch.randn(clean_BFCHW.shape, generator=generator)
        schedule = euler_schedule(NUM_SAMPLE_STEPS, shift=5.0)

        def velocity_at(latents_BFCHW: Tensor, timestep: float) -> Tensor:
            with fast_autocast(latents_BFCHW.device):
                sigma_BF = timestep / TIMESTEP_SCALE * is_new_BF
                inputs = self._inputs(batch, latents_BFCHW, sigma_BF)
                output_BFCHW = self.base.transformer(inputs)
            velocity_BFCHW = self.precondition.velocity(output_BFCHW, latents_BFCHW, sigma_BF, inputs.references)
            return velocity_BFCHW * is_new_BF111

        start_BFCHW = torch.where(is_new_BF111, noise_BFCHW, clean_BFCHW)
        return solve(EulerSolver(), schedule, start_BFCHW, velocity_at)

    def export(self, folder: Path) -> None:
        """The transformer without the read-out, and the read-out beside it for a run that starts from here."""
        save_weights(folder / self.weights_file, self.base.transformer)
        save_weights(folder / READOUT_FILE, self.base.readout)

    def start_from(self, folder: Path) -> None:
        """Another run's or a pack's transformer, perhaps of fewer channels, and its read-out where it is still there."""
        fill_grown(folder / self.weights_file, self.base.transformer)
        if (folder / READOUT_FILE).is_file():
            fill_from_file(folder / READOUT_FILE, self.base.readout)

    def _make(self, batch: dict[str, Tensor], sigma_B: Tensor, generator: torch.Generator) -> Made:
        window = noise_window(self.flow, self._told(batch), batch["history"], sigma_B, generator)
        inputs = self._inputs(batch, window.noisy_BFCHW, window.sigma_BF)
        output_BFCHW, hidden_BTK = self.base(inputs)
        predicted_BFCHW = self.precondition.velocity(
            output_BFCHW, window.noisy_BFCHW, window.sigma_BF, inputs.references
        )
        scale_BF1HW = self.precondition.error_scale(window.sigma_BF, self._grid(batch))
        weight_BFHW = position_weights(self.flow, window, batch["mouth_FHW"], batch["eyes_FHW"])
        velocity = velocity_loss(
            scale_BF1HW * (predicted_BFCHW - window.velocity_BFCHW), weight_BFHW, bends(self.flow, batch["mouth_FHW"])
        )
        hidden = state_loss(hidden_BTK, batch["state_TK"], window.is_new_BF, state_scales())
        clean_BFCHW = clean_from_velocity(window.noisy_BFCHW, predicted_BFCHW, window.sigma_BF)
        loss = velocity + self.flow.state_weight * hidden
        return Made(
            losses={"loss": loss, "velocity": velocity.detach(), "state": hidden.detach()},
            velocity_BFCHW=predicted_BFCHW,
            film_BFCHW=torch.where(window.is_new_BF[:, :, None, None, None], clean_BFCHW, batch["latents_FCHW"]),
            is_own_B=sigma_B >= CERTAIN_SIGMA,
            hidden_BTK=hidden_BTK,
        )

    def _told(self, batch: dict[str, Tensor]) -> Tensor:
        """The windows' latents with their history as a film's window is told it."""
        latents_BFCHW = batch["latents_FCHW"]
        anchor_BFCHW = anchor_latents(references_of(batch))
        told_BFCHW = recalled(latents_BFCHW, anchor_BFCHW, self.precondition, 1.0, self.flow.history_error)
        is_new_BF = torch.arange(latents_BFCHW.shape[1])[None] >= batch["history"][:, None]
        return torch.where(is_new_BF[:, :, None, None, None], latents_BFCHW, told_BFCHW)

    def _inputs(self, batch: dict[str, Tensor], latents_BFCHW: Tensor, sigma_BF: Tensor) -> DitInputs:
        inputs = dit_inputs(batch, latents_BFCHW, sigma_BF * TIMESTEP_SCALE)
        if self.base.transformer.config.motion_dim:
            inputs = replace(inputs, motion_BFM=batch["motion_FM"])
        seen_BFCHW = self.precondition.network_input(latents_BFCHW, sigma_BF, inputs.references)
        return replace(inputs, latents_BFCHW=seen_BFCHW)

    def _grid(self, batch: dict[str, Tensor]) -> tuple[int, int]:
        return batch["latents_FCHW"].shape[-2], batch["latents_FCHW"].shape[-1]

    def held_out_batch(self) -> dict[str, Tensor]:
        """Held-out windows with all of their conditions, always the same."""
        plain = replace(self.window, text_drop_share=0.0, speak_drop_share=0.0, listen_drop_share=0.0)
        if self.base.transformer.config.motion_dim:
            plain = replace(plain, motion_drop_share=0.0)
        samples = [
            cut_window(self.held_out, plain, number, place_of(self.held_out, plain, number, self.num_held_out))
            for number in range(self.num_held_out)
        ]
        return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


def dit_inputs(batch: dict[str, Tensor], noisy_BFCHW: Tensor, timestep_BF: Tensor) -> DitInputs:
    """A batch of windows as the transformer takes it."""
    return DitInputs(
        latents_BFCHW=noisy_BFCHW,
        timestep_BF=timestep_BF,
        references=references_of(batch),
        text_BSD=batch["text_SD"],
        speak_BAD=batch["speak_AD"],
        listen_BAD=batch["listen_AD"],
        speak_start_row=0,
        listen_start_row=len(batch["latents_FCHW"][0]) - len(batch["listen_AD"][0]),
    )


def references_of(batch: dict[str, Tensor]) -> ReferenceLatents:
    """The references of a batch of windows, with their anchor in pose where clips have it."""
    anchor_B, posed_BAFCHW = batch["anchor"], batch.get("posed_AFCHW")
    samples_B = torch.arange(len(anchor_B))
    return ReferenceLatents(
        latents_BRCHW=batch["references_RCHW"],
        kinds_BR=batch["kinds_R"],
        subtypes_BR=batch["subtypes_R"],
        anchor_B=anchor_B,
        posed_BFCHW=None if posed_BAFCHW is None else posed_BAFCHW[samples_B, anchor_B],
    )
