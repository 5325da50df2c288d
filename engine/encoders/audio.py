"""The small audio encoder: sound to one feature row per picture frame, for one of the two streams.

Called by the engine for both tracks and by the trainers. It is to `tiny` what wav2vec2 is to the larger presets: trained
beforehand on sound alone, then frozen. The speaking encoder may look two frames ahead, the listening encoder none.
"""

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.encoders.log_mel import LogMel, LogMelConfig
from engine.encoders.noise_floor import AboveNoise, NoiseFloorConfig
from engine.encoders.periodicity import Periodicity, PeriodicityConfig
from engine.encoders.presence import Presence, PresenceConfig


@dataclass(frozen=True, kw_only=True)
class AudioEncoderConfig:
    """`dilations[i]` and `lookahead_frames[i]` shape layer i: taps at -2d, -d, 0 plus the lookahead (0 is causal).

    A row that the transformer attends to is `frames_per_row` picture frames side by side with `row_margin_frames` more on
    either hand, in order: where in a latent a sound lies then needs no position of its own.
    """

    mel: LogMelConfig = field(default_factory=LogMelConfig)
    noise_floor: NoiseFloorConfig = field(default_factory=NoiseFloorConfig)
    periodicity: PeriodicityConfig = field(default_factory=PeriodicityConfig)
    presence: PresenceConfig = field(default_factory=PresenceConfig)
    samples_per_frame: int = 1000
    width: int = 128
    dilations: tuple[int, ...] = (1, 1, 2, 4)
    lookahead_frames: tuple[int, ...] = (1, 1, 0, 0)
    frames_per_row: int = 1
    row_margin_frames: int = 0

    def __post_init__(self) -> None:
        if len(self.dilations) != len(self.lookahead_frames):
            raise ValueError("dilations and lookahead_frames must name the same number of layers")
        if self.samples_per_frame % self.mel.hop_samples:
            raise ValueError("a picture frame must hold a whole number of mel hops")

    @property
    def num_heard(self) -> int:
        """Numbers that the front ends together give for a mel hop."""
        mel_rows = self.mel.num_mels * (2 if self.noise_floor.num_hops else 1)
        return mel_rows + self.periodicity.num_rows + self.presence.num_rows

    @property
    def row_width(self) -> int:
        """Numbers in a row."""
        return self.width * (self.frames_per_row + 2 * self.row_margin_frames)

    @property
    def history_frames(self) -> int:
        """Frames before a row that can change it (the mel window and the fold reach one more)."""
        reach = sum(2 * dilation - ahead for dilation, ahead in zip(self.dilations, self.lookahead_frames, strict=True))
        fronts = (self.noise_floor, self.periodicity, self.presence)
        longest_hops = max(front.history_hops for front in fronts)
        return reach - (-longest_hops * self.mel.hop_samples // self.samples_per_frame) + 2

    @property
    def future_frames(self) -> int:
        """Frames after a row that can change it."""
        return sum(self.lookahead_frames) + 1


class DilatedLayer(nn.Module):
    """A residual layer over time: norm, three dilated taps, gate-free GELU, projection."""

    def __init__(self, width: int, dilation: int, lookahead_frames: int) -> None:
        super().__init__()
        self.padding = (2 * dilation - lookahead_frames, lookahead_frames)
        self.norm = nn.LayerNorm(width)
        self.taps = nn.Conv1d(width, 2 * width, 3, dilation=dilation)
        self.out = nn.Conv1d(2 * width, width, 1)

    def forward(self, x_BDA: Tensor) -> Tensor:
        """Same shape out as in."""
        normed_BDA = self.norm(x_BDA.transpose(1, 2)).transpose(1, 2)
        hidden_BDA = functional.gelu(self.taps(functional.pad(normed_BDA, self.padding)))
        return x_BDA + cast(Tensor, self.out(hidden_BDA))


class AudioEncoder(nn.Module):
    """Sound [B, frames * samples_per_frame] to features [B, frames, width], and those to rows. Satisfies `AudioRows`."""

    def __init__(self, config: AudioEncoderConfig) -> None:
        super().__init__()
        self.config = config
        mels_per_frame = config.samples_per_frame // config.mel.hop_samples
        self.mel = LogMel(config.mel)
        self.above_noise = AboveNoise(config.noise_floor)
        self.periodicity = Periodicity(config.periodicity, config.mel)
        self.presence = Presence(config.presence, config.mel)
        self.stem = nn.Conv1d(config.num_heard, config.width, 5, padding=2)
        self.fold = nn.Conv1d(config.width, config.width, mels_per_frame, stride=mels_per_frame)
        self.layers = nn.ModuleList(
            DilatedLayer(config.width, dilation, lookahead)
            for dilation, lookahead in zip(config.dilations, config.lookahead_frames, strict=True)
        )
        self.norm = nn.LayerNorm(config.width)

    @property
    def frames_per_row(self) -> int:
        """Picture frames from one row to the next."""
        return self.config.frames_per_row

    @property
    def row_width(self) -> int:
        """Numbers in a row."""
        return self.config.row_width

    def forward(self, sound_BS: Tensor) -> Tensor:
        """One row a picture frame, with silence beyond both ends; `ValueError` unless the sound is whole frames."""
        per_frame = self.config.samples_per_frame
        if sound_BS.ndim != 2 or sound_BS.shape[1] % per_frame:
            raise ValueError(f"the audio encoder takes [B, frames * {per_frame}], got {tuple(sound_BS.shape)}")
        before, after = self.config.history_frames, self.config.future_frames
        rows_BAD = self._rows(functional.pad(sound_BS, (before * per_frame, after * per_frame)))
        return rows_BAD[:, before : rows_BAD.shape[1] - after]

    def _rows(self, sound_BS: Tensor) -> Tensor:
        """Rows of all frames; those nearer to an end than the reach of the layers are not to be used."""
        x_BDA = self.fold(functional.gelu(self.stem(self._heard(sound_BS))))
        for layer in self.layers:
            x_BDA = layer(x_BDA)
        return cast(Tensor, self.norm(x_BDA.transpose(1, 2)))

    def _heard(self, sound_BS: Tensor) -> Tensor:
        """What the front ends that this encoder has give for each mel hop, [B, num_heard, M]."""
        mel_BNM = self.mel(sound_BS)
        heard = [mel_BNM]
        if self.config.noise_floor.num_hops:
            heard.append(self.above_noise(mel_BNM))
        if self.config.periodicity.num_lags:
            heard.append(self.periodicity(sound_BS))
        if self.config.presence.num_hops:
            heard.append(self.presence(sound_BS))
        return torch.cat(heard, dim=1)

    @torch.no_grad()
    def encode_window(self, sound_S: Tensor, start_frame: int, end_frame: int) -> Tensor:
        """Rows [start, end) of a long sound [S], computed from just the samples that can change them.

        Equals those rows of the whole sound's encoding; frames outside the sound are silence.
        """
        per_frame = self.config.samples_per_frame
        first, last = start_frame - self.config.history_frames, end_frame + self.config.future_frames
        inside_S = sound_S[max(0, first) * per_frame : max(0, last) * per_frame]
        before = max(0, -first) * per_frame
        window_S = functional.pad(inside_S, (before, (last - first) * per_frame - before - len(inside_S)))
        rows_AD = self._rows(window_S[None].to(self.norm.weight.device))[0]
        return rows_AD[start_frame - first : end_frame - first]

    def stack(self, features_BTD: Tensor) -> Tensor:
        """Features of frames, with the margin in front of the first row and behind the last, to rows [B, A, row_width]."""
        size = self.config.frames_per_row + 2 * self.config.row_margin_frames
        windows_BADK = features_BTD.unfold(1, size, self.config.frames_per_row)
        return windows_BADK.transpose(2, 3).flatten(2)

    def encode_rows(self, sound_S: Tensor, start_frame: int, num_rows: int) -> Tensor:
        """Rows [num_rows, row_width] of a long sound from the row that begins at `start_frame` on."""
        margin = self.config.row_margin_frames
        end_frame = start_frame + num_rows * self.config.frames_per_row
        features_TD = self.encode_window(sound_S, start_frame - margin, end_frame + margin)
        return self.stack(features_TD[None])[0]

    def frames_heard(self, start_frame: int, num_rows: int) -> tuple[int, int]:
        """The frames [first, end) of sound that can change what `encode_rows` gives for these rows."""
        config = self.config
        end_frame = start_frame + num_rows * config.frames_per_row
        return (
            start_frame - config.row_margin_frames - config.history_frames,
            end_frame + config.row_margin_frames + config.future_frames,
        )
