"""Sounds that say which frame they are, and transformers that write down what they heard, for tests of what lies where.

Frame f of a sound is f + 1 throughout, so 0 is a frame without sound. A row is the number of the frame that it begins at. `heard` reads
of each latent the first and the last row of its window of either sound, and its own first row, as a transformer finds them.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.flow.schedule import TIMESTEP_SCALE
from engine.loaded_pack import LoadedPack
from engine.model.cross_attention import window_index
from engine.model.transformer import DitInputs
from engine.model_config import AudioWindow, DitConfig
from engine.motion.plan import MotionModel, path_spread
from engine.motion.settings import MotionSettings

SAMPLES_PER_FRAME = 1000
FRAMES_PER_LATENT = 4
MISSING = -99.0
ROW_WIDTH = 6
REST = (-7.0,) * ROW_WIDTH


def counted_sound(num_frames: int) -> NDArray[np.float32]:
    """The sound [S] of so many frames."""
    return np.repeat(np.arange(1, num_frames + 1, dtype=np.float32), SAMPLES_PER_FRAME)


@dataclass(frozen=True)
class FrameNumbers:
    """Satisfies `AudioRows`: a row is the sound's first sample in the frame that it begins at."""

    frames_per_row: int
    row_width: int = 1

    def frames_heard(self, start_frame: int, num_rows: int) -> tuple[int, int]:
        """Those of the rows, no more."""
        return start_frame, start_frame + num_rows * self.frames_per_row

    def encode_window(self, sound_S: Tensor, start_frame: int, end_frame: int) -> Tensor:
        """Numbers [T, 1]."""
        frames_T = torch.arange(start_frame, end_frame)
        num_frames = len(sound_S) // SAMPLES_PER_FRAME
        found_T = sound_S[frames_T.clamp(0, max(num_frames - 1, 0)) * SAMPLES_PER_FRAME]
        return torch.where((frames_T >= 0) & (frames_T < num_frames), found_T, 0.0)[:, None]

    def encode_rows(self, sound_S: Tensor, start_frame: int, num_rows: int) -> Tensor:
        """Numbers [num_rows, 1]."""
        end_frame = start_frame + num_rows * self.frames_per_row
        return self.encode_window(sound_S, start_frame, end_frame)[:: self.frames_per_row]


class Writing(nn.Module):
    """Stands where a transformer does and writes down what it is told; draws nothing."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.config = config
        self.told: list[DitInputs] = []
        self.place = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: DitInputs) -> Tensor:
        """Zeros [B, F, C, H, W]."""
        self.told.append(inputs)
        return torch.zeros_like(inputs.latents_BFCHW)


class Copying(Writing):
    """A model of motion whose rows are what each latent hears: it knows the clean rows, and says so as a velocity."""

    def forward(self, inputs: DitInputs) -> Tensor:
        """What `motion_velocity` makes the velocity (x - clean) / sigma of."""
        self.told.append(inputs)
        sigma_BF1 = (inputs.timestep_BF / TIMESTEP_SCALE)[..., None]
        spread_BF1 = path_spread(sigma_BF1)
        noisy_BFM = inputs.latents_BFCHW[..., 0, 0] * spread_BF1
        velocity_BFM = (noisy_BFM - heard(inputs, self.config)) / sigma_BF1.clamp(min=1e-3)
        output_BFM = (2 * sigma_BF1 - 1) / spread_BF1 * noisy_BFM - spread_BF1 * velocity_BFM
        return output_BFM[..., None, None]


def heard(inputs: DitInputs, config: DitConfig) -> Tensor:
    """What each latent hears, [1, F, 6]; `MISSING` where it was told of no row."""
    speak = _heard(inputs.speak_BAD, config.speak_window, inputs, inputs.speak_start_row)
    listen = _heard(inputs.listen_BAD, config.listen_window, inputs, inputs.listen_start_row)
    return torch.cat([speak, listen], dim=-1)


def heard_at(latents: range, config: DitConfig, num_frames: int) -> Tensor:
    """The same as it ought to be, for latents of a film of so many frames with both sounds counted."""
    places = []
    for window in (config.speak_window, config.listen_window):
        frames_per_row = FRAMES_PER_LATENT // window.rows_per_latent
        first, last = -window.rows_before, window.rows_per_latent + window.rows_after - 1
        places += [row * frames_per_row for row in (first, 0, last)]
    frames_FM = FRAMES_PER_LATENT * torch.tensor(list(latents))[:, None] + torch.tensor(places)
    return torch.where((frames_FM >= 0) & (frames_FM < num_frames), frames_FM + 1, 0).float()[None]


def counting(pack: LoadedPack, history_rows: int) -> tuple[LoadedPack, Copying, Writing]:
    """The pack with such encoders, a model of motion that copies what it hears and a base model that writes down what it is told."""
    drawn_by = replace(pack.transformer.config, speak_dim=1, listen_dim=1, motion_dim=ROW_WIDTH)
    moved_by = replace(
        drawn_by,
        in_channels=ROW_WIDTH,
        out_channels=ROW_WIDTH,
        motion_dim=0,
        speak_window=replace(drawn_by.speak_window, rows_before=1, rows_after=1),
        listen_window=replace(drawn_by.listen_window, rows_before=3),
    )
    copying, writing = Copying(moved_by), Writing(drawn_by)
    settings = MotionSettings(rest=REST, history_rows=history_rows, num_steps=2, limit=1e4)
    return (
        replace(
            pack,
            transformer=writing,
            speak_encoder=FrameNumbers(1),
            listen_encoder=FrameNumbers(2),
            motion=MotionModel(transformer=copying, settings=settings),  # type: ignore[arg-type]
        ),
        copying,
        writing,
    )


def check_history(told: list[DitInputs], config: DitConfig) -> None:
    """Each row of history that a plan was told is what the plan's own latent at that place hears, and no sound of it is missing."""
    for inputs in told:
        heard_1FM = heard(inputs, config)
        assert not (heard_1FM == MISSING).any()
        is_clean_1F = inputs.timestep_BF == 0
        assert is_clean_1F.any()
        rows_NM, heard_NM = inputs.latents_BFCHW[..., 0, 0][is_clean_1F], heard_1FM[is_clean_1F]
        is_rest_N = (rows_NM == torch.tensor(REST)).all(dim=-1)
        torch.testing.assert_close(rows_NM[~is_rest_N], heard_NM[~is_rest_N], rtol=0, atol=0.01)
        assert not heard_NM[is_rest_N, 1].any(), "the row of rest stands before the film"


def _heard(rows_BAD: Tensor, window: AudioWindow, inputs: DitInputs, start_row: int) -> Tensor:
    index = window_index(window, inputs.latents_BFCHW.shape[1], rows_BAD.shape[1], start_row, torch.device("cpu"))
    numbers_FW = torch.where(index.exists_FW, rows_BAD[0, :, 0].float()[index.rows_FW], MISSING)
    return numbers_FW[None, :, [0, window.rows_before, -1]]
