"""Log-mel features at 96 frames a second: four for each picture frame, each a pure function of the samples around it.

The front end of the small audio encoder. No statistics of the clip enter, so features do not depend on where a clip is cut.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class LogMelConfig:
    """`hop_samples` times `mels_per_frame` is one picture frame of sound."""

    rate_hz: int = 24_000
    window_samples: int = 1024
    hop_samples: int = 250
    num_mels: int = 64
    low_hz: float = 60.0
    high_hz: float = 7_600.0


class LogMel(nn.Module):
    """Sound [B, S] to log-mel energies [B, num_mels, M], M = S / hop; about zero mean and unit deviation for speech."""

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("filters_MK", mel_filters(config), persistent=False)
        self.register_buffer("window_S", torch.hann_window(config.window_samples), persistent=False)

    def forward(self, sound_BS: Tensor) -> Tensor:
        """Frame m is centred on the middle of its hop; beyond the ends there is silence."""
        config = self.config
        margin = (config.window_samples - config.hop_samples) // 2
        padded_BS = functional.pad(sound_BS.float(), (margin, config.window_samples - config.hop_samples - margin))
        frames_BMS = padded_BS.unfold(1, config.window_samples, config.hop_samples)
        spectrum_BMK = power(torch.fft.rfft(frames_BMS * self.get_buffer("window_S")))
        mels_BMN = spectrum_BMK @ self.get_buffer("filters_MK").T
        return ((torch.log(mels_BMN + 1e-5) + 5.0) / 4.0).transpose(1, 2)


def power(spectrum: Tensor) -> Tensor:
    """The squared magnitude of complex numbers, without the root that `abs` would draw first."""
    return spectrum.real.square() + spectrum.imag.square()


def mel_filters(config: LogMelConfig) -> Tensor:
    """Triangles on the mel scale (O'Shaughnessy's formula), [num_mels, window / 2 + 1]."""
    frequencies_K = torch.linspace(0, config.rate_hz / 2, config.window_samples // 2 + 1)
    low, high = hz_to_mel(config.low_hz), hz_to_mel(config.high_hz)
    edges = 700.0 * (10.0 ** (torch.linspace(low, high, config.num_mels + 2) / 2595.0) - 1.0)
    rising = (frequencies_K[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies_K[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0.0)


def hz_to_mel(frequency_hz: float) -> float:
    """Mels of a frequency."""
    return float(2595.0 * torch.log10(torch.tensor(1.0 + frequency_hz / 700.0)))
