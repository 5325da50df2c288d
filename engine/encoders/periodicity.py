"""How periodic a sound is at the lags of a voice, and how its pitch moves, which mel bands hardly show.

A front end beside `log_mel`, at its frames: autocorrelation at lags in equal steps of pitch, the window's own divided out (Boersma
1993), so that a rise of so many semitones is the same shift wherever it begins; and how alike the last moment is to the time before it at
each such shift, which is the melody without anybody having to decide what the pitch is.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from engine.encoders.log_mel import LogMelConfig, power

QUIET_POWER: Final = 1e-6  # -60 dB of full scale: what is quieter counts as silent
FOLD: Final = 3  # samples that are heard as one: pitch is far below what a third of the rate holds


@dataclass(frozen=True, kw_only=True)
class PeriodicityConfig:
    """`num_lags` in equal steps of pitch from `low_hz` to `high_hz`; none of them is no front end at all.

    The last `recent_hops` are compared with the `before_hops` in front of them, moved by up to `max_shift` steps up and down.
    """

    num_lags: int = 0
    low_hz: float = 70.0
    high_hz: float = 420.0
    recent_hops: int = 14
    before_hops: int = 48
    max_shift: int = 18

    def __post_init__(self) -> None:
        if self.num_lags == 1 or not 0 < self.low_hz < self.high_hz:
            raise ValueError("periodicity is heard at two lags or more, from a lower to a higher pitch")

    @property
    def num_rows(self) -> int:
        """Rows that come out: periodicity at each lag, likeness at each shift."""
        return self.num_lags + 2 * self.max_shift + 1 if self.num_lags else 0

    @property
    def history_hops(self) -> int:
        """Hops before one that can change what is heard in it."""
        return self.recent_hops + self.before_hops if self.num_lags else 0


class Periodicity(nn.Module):
    """Sound [B, S] to [B, num_rows, M] at the frames of `mel`: about -1 to 1 for lags, 0 to 1 for shifts; 0 in silence."""

    def __init__(self, config: PeriodicityConfig, mel: LogMelConfig) -> None:
        super().__init__()
        self.config, self.mel = config, mel
        octaves_L = torch.linspace(math.log2(config.low_hz), math.log2(config.high_hz), config.num_lags)
        lags_L = mel.rate_hz / FOLD / torch.exp2(octaves_L)
        window_S = torch.hann_window(mel.window_samples // FOLD)
        if config.num_lags and float(lags_L.max()) > len(window_S) / 2:
            raise ValueError(f"a window of {mel.window_samples} samples holds no two periods of {config.low_hz:g} Hz")
        self.register_buffer("window_S", window_S, persistent=False)
        self.register_buffer("lags_L", lags_L, persistent=False)
        self.register_buffer("taper_S", _autocorrelation(window_S), persistent=False)

    def forward(self, sound_BS: Tensor) -> Tensor:
        """Frame m is centred on the middle of its hop, as in `LogMel`; beyond the ends there is silence."""
        periodicity_BLM = self._periodicity(sound_BS)
        return torch.cat([periodicity_BLM, self._likeness(periodicity_BLM)], dim=1)

    def _periodicity(self, sound_BS: Tensor) -> Tensor:
        mel = self.mel
        margin = (mel.window_samples - mel.hop_samples) // 2
        padded_BS = functional.pad(sound_BS.float(), (margin, mel.window_samples - mel.hop_samples - margin))
        frames_BMS = padded_BS.unfold(1, mel.window_samples, mel.hop_samples)
        window_S = self.get_buffer("window_S")
        folded_BMS = rearrange(frames_BMS[..., : FOLD * len(window_S)], "b m (s fold) -> b m s fold", fold=FOLD).mean(
            -1
        )
        correlation_BMS = _autocorrelation(folded_BMS * window_S)
        taper_S = self.get_buffer("taper_S")
        loudness_BM1 = correlation_BMS[..., :1] + QUIET_POWER * taper_S[0]
        lags_L = self.get_buffer("lags_L")
        before_L, share_L = lags_L.long(), lags_L - lags_L.floor()
        shares_BMS = correlation_BMS / loudness_BM1 * (taper_S[0] / taper_S)
        return torch.lerp(shares_BMS[..., before_L], shares_BMS[..., before_L + 1], share_L).transpose(1, 2)

    def _likeness(self, periodicity_BLM: Tensor) -> Tensor:
        """Cosine of the last moment's mean row and that of the time before, moved by each shift; rising pitch is in the later half."""
        config = self.config
        peaks_BLM = periodicity_BLM.clamp(min=0.0).square().square()
        recent_BLM = _trailing_mean(peaks_BLM, config.recent_hops)
        before_BLM = _trailing_mean(
            functional.pad(peaks_BLM, (config.recent_hops, 0))[..., : peaks_BLM.shape[2]], config.before_hops
        )
        padded_BLM = functional.pad(recent_BLM, (0, 0, config.max_shift, config.max_shift))
        shifts = range(2 * config.max_shift + 1)
        # As one product of windows that overlap, torch would copy each of them first.
        products_BSM = torch.stack(
            [(padded_BLM[:, shift : shift + config.num_lags] * before_BLM).sum(dim=1) for shift in shifts], dim=1
        )
        lengths_BM = recent_BLM.norm(dim=1) * before_BLM.norm(dim=1)
        likeness_BSM: Tensor = products_BSM / (lengths_BM[:, None] + 1e-3)
        return likeness_BSM


def _trailing_mean(x_BLM: Tensor, num_hops: int) -> Tensor:
    """Of each hop and those before it, silence before the first."""
    return functional.avg_pool1d(functional.pad(x_BLM, (num_hops - 1, 0)), num_hops, stride=1)


def _autocorrelation(frames_XS: Tensor) -> Tensor:
    """Of each row, at lags up to three fifths of its length."""
    length = frames_XS.shape[-1]
    power_XK = power(torch.fft.rfft(frames_XS, 2 * length))
    correlation_XS: Tensor = torch.fft.irfft(power_XK, 2 * length)[..., : 3 * length // 5]
    return correlation_XS
