"""wav2vec 2.0 behind `AudioRows`: features for each picture frame of a film, at any stretch of it.

The network sees a window whole (it normalises it, and attends over it), so what it says of a moment depends on where the window
lies. Hence windows lie on a fixed grid that begins with the film, each of a fixed length (paper 4.2: two seconds of history and
one of present): a frame's features are a function of its own window's sound, whoever asks and from where.
"""

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.encoders.wav2vec2 import RATE_HZ, Wav2Vec2

WINDOWS_AT_ONCE = 8


class Wav2Vec2AudioEncoder(nn.Module):
    """Satisfies `AudioRows`."""

    def __init__(self, network: Wav2Vec2) -> None:
        super().__init__()
        self.network = network
        self.rows = network.config.rows

    @property
    def frames_per_row(self) -> int:
        """Picture frames from one row to the next."""
        return self.rows.frames_per_row

    @property
    def row_width(self) -> int:
        """Numbers in a row."""
        return self.network.config.row_width

    def frames_heard(self, start_frame: int, num_rows: int) -> tuple[int, int]:
        """The frames [first, end) of sound that can change these rows; `first` lies on the grid, so a cut sound keeps it."""
        stride = self.rows.stride_frames
        first, end = self._grid(start_frame, start_frame + num_rows * self.frames_per_row)
        heard_from = first - self.rows.history_frames
        return heard_from // stride * stride, end + self.rows.future_frames

    @torch.no_grad()
    def encode_window(self, sound_S: Tensor, start_frame: int, end_frame: int) -> Tensor:
        """Features [T, row_width] of frames [start, end); a frame's features are the same in every stretch that has it."""
        first, end = self._grid(start_frame, end_frame)
        starts = range(first, end, self.rows.stride_frames)
        features = [
            self._stride_features(
                torch.stack([self._window(sound_S, start) for start in starts[part:][:WINDOWS_AT_ONCE]])
            )
            for part in range(0, len(starts), WINDOWS_AT_ONCE)
        ]
        return torch.cat(features)[start_frame - first : end_frame - first]

    def encode_rows(self, sound_S: Tensor, start_frame: int, num_rows: int) -> Tensor:
        """Rows [num_rows, row_width]: the mean over the frames of each."""
        features_TD = self.encode_window(sound_S, start_frame, start_frame + num_rows * self.frames_per_row)
        return features_TD.reshape(num_rows, self.frames_per_row, -1).mean(dim=1)

    def _grid(self, start_frame: int, end_frame: int) -> tuple[int, int]:
        """The strides of the grid that cover these frames."""
        stride = self.rows.stride_frames
        return start_frame // stride * stride, -(-end_frame // stride) * stride

    def _window(self, sound_S: Tensor, start_frame: int) -> Tensor:
        """The sound of one window at 16 kHz, silent where the film has none."""
        rows = self.rows
        first, last = (
            frame * rows.sound_rate_hz // rows.frame_rate_hz
            for frame in (start_frame - rows.history_frames, start_frame + rows.stride_frames + rows.future_frames)
        )
        inside_S = sound_S[max(first, 0) : max(last, 0)].float()
        before = min(max(-first, 0), last - first)
        window_S = functional.pad(inside_S, (before, last - first - before - len(inside_S)))
        if rows.sound_rate_hz == RATE_HZ:
            return window_S
        resampled_S = np.asarray(soxr.resample(window_S.cpu().numpy(), rows.sound_rate_hz, RATE_HZ), dtype=np.float32)
        wanted = (last - first) * RATE_HZ // rows.sound_rate_hz
        return functional.pad(torch.from_numpy(resampled_S)[:wanted], (0, max(wanted - len(resampled_S), 0)))

    def _stride_features(self, windows_WS: Tensor) -> Tensor:
        """Features [W * stride_frames, row_width] of the frames in the strides of these windows."""
        device = self.network.sound_in.weight.device
        states = self.network.hidden_states(windows_WS.to(device), max(self.rows.layers))
        features_WAD = torch.cat([unit(states[layer]) for layer in self.rows.layers], dim=-1)
        return self._at_frames(features_WAD).flatten(0, 1)

    def _at_frames(self, features_WAD: Tensor) -> Tensor:
        """Features at the middles of the stride's frames, [W, stride_frames, D], straight between the two nearest."""
        config, rows = self.network.config, self.rows
        frames_T = torch.arange(rows.stride_frames, device=features_WAD.device) + rows.history_frames + 0.5
        middles_T = frames_T * RATE_HZ / rows.frame_rate_hz
        places_T = ((middles_T - config.window_samples / 2) / config.hop_samples).clamp(0, features_WAD.shape[1] - 1)
        below_T = places_T.floor().long().clamp(max=features_WAD.shape[1] - 2)
        share_T1 = (places_T - below_T)[:, None].to(features_WAD.dtype)
        return torch.lerp(features_WAD[:, below_T], features_WAD[:, below_T + 1], share_T1)


def unit(features_WAD: Tensor) -> Tensor:
    """Each feature with zero mean and unit deviation over its numbers: layers of either form come out at one scale."""
    return functional.layer_norm(features_WAD.float(), features_WAD.shape[-1:])
